"""Settings of a run as flags, in `flags.txt`."""

from collections.abc import Callable, Collection
import dataclasses
import logging
import os

from tfvae.training.config import Config
from tfvae.training.config import EvaluationConfig
from tfvae.training.config import FIELDS
from tfvae.training.results.json_files import write_text

_LOGGER = logging.getLogger(__name__)

FLAGS_FILE = 'flags.txt'

_EVALUATION = frozenset(
    field.name for field in dataclasses.fields(EvaluationConfig))


def settled(config: Config, workdir: str) -> Config:
  """Returns the settings with which a run in a directory resumes.

  Versions without `select_by` and `eval_seed` selected the epoch with the best
  ELBO, and carved the validation images with `seed`. Their runs resume in the
  same way, so that the scores of all epochs are comparable and no training
  image is used for validation.

  Args:
    config: Requested settings.
    workdir: Directory of the run, which need not exist.
  """
  if not os.path.exists(os.path.join(workdir, FLAGS_FILE)):
    return config
  given = config.flat()
  earlier = {
      name: type(given[name])(text)
      for name, text in _earlier_settings(_read_flags(workdir)).items()
      if given[name] == FIELDS[name].default}
  if not earlier:
    return config
  _LOGGER.info(
      'An earlier version began the run in %s, which resumes with %s.', workdir,
      ' and '.join(f'`{name}={value!r}`' for name, value in earlier.items()))
  return dataclasses.replace(config, **earlier)


def write_flags(workdir: str, config: Config):
  """Writes `flags.txt`, a flagfile that repeats the run."""
  lines = [f'--{name}={text}' for name, text in config.to_flags().items()]
  header = f'# Repeats the run: --flagfile={FLAGS_FILE} --workdir=…'
  write_text(os.path.join(workdir, FLAGS_FILE),
             '\n'.join([header, *lines]) + '\n')


def check_same(workdir: str, config: Config, fixed: Collection[str]):
  """Raises if settings differ that the results there depend on.

  Args:
    workdir: Directory of the run.
    config: Settings to compare with those of `flags.txt`.
    fixed: Settings of the evaluation that must not differ either.
  """
  different = differences(
      workdir, config, lambda name: name not in _EVALUATION or name in fixed)
  if different:
    raise ValueError(
        'The workdir holds a run with other settings; choose another '
        '`workdir`, or repeat that run with the settings in '
        f'`{os.path.join(workdir, FLAGS_FILE)}`:\n'
        + '\n'.join(different) + f'\nReceived: workdir={workdir}')


def differences(
    workdir: str, config: Config,
    is_compared: Callable[[str], bool] = lambda name: True,
) -> list[str]:
  """Returns a line for each setting that changes the result and differs."""
  # A run of an earlier version had the defaults of flags it did not have.
  flags = _read_flags(workdir)
  before = Config().to_flags() | _earlier_settings(flags) | flags
  now = config.to_flags()
  return [
      f'  `{name}`: {before.get(name, "none")} there, '
      f'{now.get(name, "none")} here'
      for name, field in FIELDS.items()
      if field.metadata['changes_result'] and is_compared(name)
      and before.get(name) != now.get(name)
      and not {before.get(name), now.get(name)}
      <= field.metadata['same_result']]


def _read_flags(workdir: str) -> dict[str, str]:
  with open(os.path.join(workdir, FLAGS_FILE), encoding='utf-8') as file:
    pairs = (line.strip()[2:].split('=', 1) for line in file
             if line.startswith('--'))
    return dict(pairs)


def _earlier_settings(flags: dict[str, str]) -> dict[str, str]:
  """Returns values for flags that earlier versions did not have."""
  return {name: text for name, text in (
      ('select_by', 'elbo'), ('eval_seed', flags.get('seed', '0')))
          if name not in flags}
