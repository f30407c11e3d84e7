"""The files of a run's directory, and whether a run may resume there."""

from collections.abc import Callable, Collection, Iterator
import contextlib
import csv
import dataclasses
import fcntl
import logging
import os
from typing import Any

from tfvae.files import replacing
from tfvae.training.config import Config
from tfvae.training.config import EvaluationConfig
from tfvae.training.config import FIELDS
from tfvae.training.results.json_files import read_json
from tfvae.training.results.json_files import write_json
from tfvae.training.results.json_files import write_text

_LOGGER = logging.getLogger(__name__)

FLAGS_FILE = 'flags.txt'
METRICS_FILE = 'metrics.json'
HISTORY_FILE = 'history.csv'
MODEL_FILE = 'model.keras'
TRAINING_FILE = 'training.json'

# Settings of the evaluation that training depends on: the batches and the bits
# of the validation images, which decide the best epoch.
_VALIDATION = ('eval_batch_size', 'eval_seed')
_EVALUATION = frozenset(
    field.name for field in dataclasses.fields(EvaluationConfig))


@contextlib.contextmanager
def prepared(workdir: str, config: Config,
             writes: bool = True) -> Iterator[dict[str, Any] | None]:
  """Makes the directory, or checks that a run may resume there; locks it.

  The settings of the evaluation may differ from those of the run, except
  `eval_batch_size` and `eval_seed`, which training depends on.

  Args:
    workdir: Directory of the run; its parents are made too.
    config: Settings of the run, written to `flags.txt` in a new directory, and
      again where an unfinished run is given other evaluations.
    writes: Whether this process writes the files: the chief of several workers.

  Yields:
    The metrics if the run is finished, else None.

  Raises:
    ValueError: If the directory cannot be made or written, holds a run with
      other settings, or is in use by another process.
  """
  if not writes:
    yield read_json(os.path.join(workdir, METRICS_FILE))
    return
  try:
    os.makedirs(workdir, exist_ok=True)
  except OSError as error:
    raise _unwritable(workdir, error) from error
  with held(workdir):
    finished, is_new = None, not os.path.exists(
        os.path.join(workdir, FLAGS_FILE))
    if not is_new:
      _check_same_flags(workdir, config, fixed=_VALIDATION)
      finished = read_json(os.path.join(workdir, METRICS_FILE))
    other = [] if is_new else _different_flags(workdir, config)
    if finished is not None and other:
      _LOGGER.warning(
          'The run in %s is finished and was evaluated with other flags; '
          '--mode=evaluate computes other evaluations:\n%s', workdir,
          '\n'.join(other))
    elif is_new or other:
      try:
        _write_flags(workdir, config)
      except OSError as error:
        raise _unwritable(workdir, error) from error
    yield finished


@contextlib.contextmanager
def held(workdir: str) -> Iterator[None]:
  """Locks a directory against other processes while the block runs.

  Args:
    workdir: Directory of the run.

  Yields:
    Nothing.

  Raises:
    ValueError: If another process runs there.
  """
  if not os.path.isdir(workdir):  # Reading a file there raises the error.
    yield
    return
  descriptor = os.open(workdir, os.O_RDONLY)
  try:
    try:
      # The lock ends with the process, also when that is killed.
      fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
      raise ValueError(
          'Another process runs in the workdir; wait for it, or choose another '
          f'--workdir. Received: workdir={workdir}') from None
    except OSError as error:
      _LOGGER.warning('%s has no locks (%s); see to it that no other process '
                      'runs there.', workdir, error.strerror)
    yield
  finally:
    os.close(descriptor)


def settled(config: Config, workdir: str) -> Config:
  """Returns the settings with which a run in a directory resumes.

  Before there were --select_by and --eval_seed, the epoch with the best ELBO
  was kept, and --seed chose the validation images. A run of such a version
  resumes in this way: the scores of its epochs stay comparable, and none of its
  training images is validated on.

  Args:
    config: Settings that are asked for.
    workdir: Directory of the run, which need not exist.
  """
  if not os.path.exists(os.path.join(workdir, FLAGS_FILE)):
    return config
  given = config.flat()
  earlier = {name: text for name, text in _earlier_settings(
      _read_flags(workdir)).items() if given[name] == FIELDS[name].default}
  if not earlier:
    return config
  _LOGGER.info(
      'The run in %s was begun by an earlier version, and resumes with %s.',
      workdir, ' '.join(f'--{name}={text}' for name, text in earlier.items()))
  return dataclasses.replace(config, **{
      name: type(given[name])(text)
      for name, text in earlier.items()})


def _earlier_settings(flags: dict[str, str]) -> dict[str, str]:
  """Returns what earlier versions did in place of flags they did not have."""
  return {name: text for name, text in (
      ('select_by', 'elbo'), ('eval_seed', flags.get('seed', '0')))
          if name not in flags}


def is_trained(workdir: str) -> bool:
  """Returns whether the training is over and its model saved and exported.

  `model.keras` is written last. Versions without `training.json` wrote
  `model.keras` before the export and in place, so theirs alone is no proof.

  Args:
    workdir: Directory of the run.
  """
  return all(os.path.exists(os.path.join(workdir, name))
             for name in (TRAINING_FILE, MODEL_FILE))


def is_finished(workdir: str) -> bool:
  """Returns whether the run's evaluations are over too."""
  return os.path.exists(os.path.join(workdir, METRICS_FILE))


def trained_metrics(workdir: str, config: Config) -> dict[str, Any]:
  """Returns the metrics of a run whose training is finished.

  Args:
    workdir: Directory of the run.
    config: Settings of the run; those of the evaluation may differ, except
      `eval_seed`, which all figures of a run share.

  Returns:
    The content of `metrics.json`. Before it is written, the figures of the
    training alone: `best_epoch`, `parameters`, `seconds` and `versions`.

  Raises:
    ValueError: If there is no such run, or its settings are others.
  """
  metrics = read_json(os.path.join(workdir, METRICS_FILE))
  if metrics is None:
    if not os.path.exists(os.path.join(workdir, MODEL_FILE)):
      raise ValueError('The workdir holds no finished run; train one there, or '
                       'resume the one that began there, by --mode=train. '
                       f'Received: workdir={workdir}')
    metrics = read_json(os.path.join(workdir, TRAINING_FILE)) or {}
  _check_same_flags(workdir, config, fixed=('eval_seed',))
  return metrics


def write_metrics(workdir: str, metrics: dict[str, Any]) -> dict[str, Any]:
  """Writes `metrics.json`, which marks the run as finished.

  Args:
    workdir: Directory of the run.
    metrics: Nested figures. A NaN or an infinity, which JSON does not have,
      becomes null.

  Returns:
    The metrics as the file has them.
  """
  return write_json(os.path.join(workdir, METRICS_FILE), metrics)


def write_training(workdir: str, figures: dict[str, Any]) -> dict[str, Any]:
  """Writes `training.json`, the figures known before the evaluations."""
  return write_json(os.path.join(workdir, TRAINING_FILE), figures)


def read_history(workdir: str,
                 epochs: int | None = None) -> list[dict[str, Any]]:
  """Returns the rows of the first `epochs` epochs of `history.csv`, or all."""
  path = os.path.join(workdir, HISTORY_FILE)
  if epochs == 0 or not os.path.exists(path):
    return []
  with open(path, newline='', encoding='utf-8') as file:
    return list(csv.DictReader(file))[:epochs]


def write_history(workdir: str, rows: list[dict[str, Any]]):
  """Writes `history.csv`, a row an epoch."""
  path = os.path.join(workdir, HISTORY_FILE)
  with (replacing(path) as temporary,
        open(temporary, 'w', newline='', encoding='utf-8') as file):
    writer = csv.DictWriter(file, fieldnames=list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)


def _unwritable(workdir: str, error: OSError) -> ValueError:
  return ValueError(f'Cannot write to the workdir: {error.strerror}; choose '
                    f'another. Received: workdir={workdir}')


def _write_flags(workdir: str, config: Config):
  lines = [f'--{name}={text}' for name, text in config.to_flags().items()]
  header = f'# Repeats the run: --flagfile={FLAGS_FILE} --workdir=…'
  write_text(os.path.join(workdir, FLAGS_FILE),
             '\n'.join([header, *lines]) + '\n')


def _read_flags(workdir: str) -> dict[str, str]:
  with open(os.path.join(workdir, FLAGS_FILE), encoding='utf-8') as file:
    pairs = (line.strip()[2:].split('=', 1) for line in file
             if line.startswith('--'))
    return dict(pairs)


def _check_same_flags(workdir: str, config: Config, fixed: Collection[str]):
  """Raises if a setting differs that the results there depend on.

  Args:
    workdir: Directory of the run.
    config: Settings to compare with those of `flags.txt`.
    fixed: Settings of the evaluation that must not differ either.
  """
  different = _different_flags(
      workdir, config, lambda name: name not in _EVALUATION or name in fixed)
  if different:
    raise ValueError(
        'The workdir holds a run with other flags; choose another --workdir, '
        'or repeat that run with '
        f'--flagfile={os.path.join(workdir, FLAGS_FILE)}:\n'
        + '\n'.join(different) + f'\nReceived: workdir={workdir}')


def _different_flags(
    workdir: str, config: Config,
    is_compared: Callable[[str], bool] = lambda name: True,
) -> list[str]:
  """Returns a line for each setting that changes the result and differs."""
  # A run of an earlier version had the defaults of the flags it did not know.
  flags = _read_flags(workdir)
  before = Config().to_flags() | _earlier_settings(flags) | flags
  now = config.to_flags()
  return [
      f'  --{name}: {before.get(name, "none")} there, '
      f'{now.get(name, "none")} here'
      for name, field in FIELDS.items()
      if field.metadata['changes_result'] and is_compared(name)
      and before.get(name) != now.get(name)
      and not {before.get(name), now.get(name)}
      <= field.metadata['same_result']]
