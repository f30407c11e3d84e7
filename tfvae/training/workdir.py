"""What a run leaves in its directory, and whether it may go on there."""

from collections.abc import Iterator
import contextlib
import csv
import dataclasses
import fcntl
import json
import logging
import os
from typing import Any

from tfvae.training.config import Config

_LOGGER = logging.getLogger(__name__)

FLAGS_FILE = 'flags.txt'
METRICS_FILE = 'metrics.json'
HISTORY_FILE = 'history.csv'


@contextlib.contextmanager
def prepared(workdir: str, config: Config,
             writes: bool = True) -> Iterator[dict[str, Any] | None]:
  """Makes the directory, or checks that this run may go on there; holds it.

  Args:
    workdir: the directory; its parents are made too.
    config: the run's settings, written to `flags.txt` in a new directory.
    writes: whether this process does; only one of several workers is to.

  Yields:
    The metrics if the run is finished, else None.

  Raises:
    ValueError: if the directory cannot be made or written, holds a run with
      other settings, or another process runs there.
  """
  if not writes:
    yield _read_metrics(workdir)
    return
  try:
    os.makedirs(workdir, exist_ok=True)
  except OSError as error:
    raise _unwritable(workdir, error) from error
  with held(workdir):
    if os.path.exists(os.path.join(workdir, FLAGS_FILE)):
      _check_same_flags(workdir, config)
      finished = _read_metrics(workdir)
    else:
      finished = None
      try:
        _write_flags(workdir, config)
      except OSError as error:
        raise _unwritable(workdir, error) from error
    yield finished


@contextlib.contextmanager
def held(workdir: str) -> Iterator[None]:
  """Keeps other processes from running in a directory, until this one ends.

  Args:
    workdir: the directory.

  Yields:
    Nothing.

  Raises:
    ValueError: if another process runs there.
  """
  if not os.path.isdir(workdir):  # The next to read there says so.
    yield
    return
  descriptor = os.open(workdir, os.O_RDONLY)
  try:
    try:
      # Ends with the process, however that ends.
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


def finished_metrics(workdir: str, config: Config) -> dict[str, Any]:
  """Returns the metrics of a finished run.

  Args:
    workdir: the run's directory.
    config: its settings; those of evaluation may be others.

  Raises:
    ValueError: if there is no finished run, or its settings are others.
  """
  metrics = _read_metrics(workdir)
  if metrics is None:
    raise ValueError('The workdir holds no finished run; train one there, or '
                     'let the one that began there go on, by --mode=train. '
                     f'Received: workdir={workdir}')
  _check_same_flags(workdir, config, but='evaluation')
  return metrics


def write_text(path: str, text: str):
  """Replaces a file whole, so that a kill leaves the old one or the new."""
  temporary = f'{path}.tmp'
  with open(temporary, 'w', encoding='utf-8') as file:
    file.write(text)
    file.flush()
    os.fsync(file.fileno())
  os.replace(temporary, path)


def write_metrics(workdir: str, metrics: dict[str, Any]):
  """Writes `metrics.json`, which marks the run as finished."""
  write_text(os.path.join(workdir, METRICS_FILE),
             json.dumps(metrics, indent=2) + '\n')


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
  with open(f'{path}.tmp', 'w', newline='', encoding='utf-8') as file:
    writer = csv.DictWriter(file, fieldnames=list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
  os.replace(f'{path}.tmp', path)


def _unwritable(workdir: str, error: OSError) -> ValueError:
  return ValueError(f'Cannot write to the workdir: {error.strerror}; choose '
                    f'another. Received: workdir={workdir}')


def _write_flags(workdir: str, config: Config):
  lines = [f'--{name}={text}' for name, text in config.to_flags().items()]
  header = f'# Repeats the run: --flagfile={FLAGS_FILE} --workdir=…'
  write_text(os.path.join(workdir, FLAGS_FILE),
             '\n'.join([header, *lines]) + '\n')


def _read_metrics(workdir: str) -> dict[str, Any] | None:
  path = os.path.join(workdir, METRICS_FILE)
  if not os.path.exists(path):
    return None
  with open(path, encoding='utf-8') as file:
    return json.load(file)


def _read_flags(workdir: str) -> dict[str, str]:
  with open(os.path.join(workdir, FLAGS_FILE), encoding='utf-8') as file:
    pairs = (line.strip()[2:].split('=', 1) for line in file
             if line.startswith('--'))
    return dict(pairs)


def _carved_by(flags: dict[str, str], workdir: str) -> dict[str, str]:
  """Returns the flags of an unfinished run with the seed that carved its data.

  Before there was --eval_seed, --seed chose the validation images. Resumed with
  another choice, a run would be validated on images that it was trained on.
  """
  if 'validation_split' in flags or _read_metrics(workdir) is not None:
    return flags
  return {'eval_seed': flags.get('seed', '0')} | flags


def _check_same_flags(workdir: str, config: Config, but: str | None = None):
  """Refuses other settings than the run's, but for those of one group."""
  # A run of a version that had not all flags had the defaults of the others.
  before = Config().to_flags() | _carved_by(_read_flags(workdir), workdir)
  now = config.to_flags()
  different = [
      f'  --{field.name}: {before.get(field.name, "none")} there, '
      f'{now.get(field.name, "none")} here'
      for field in dataclasses.fields(Config)
      if field.metadata['changes_result'] and field.metadata['group'] != but
      and before.get(field.name) != now.get(field.name)
      and not {before.get(field.name), now.get(field.name)}
      <= field.metadata['same_result']]
  if different:
    raise ValueError(
        'The workdir holds a run with other flags; choose another --workdir, '
        'or repeat that run with '
        f'--flagfile={os.path.join(workdir, FLAGS_FILE)}:\n'
        + '\n'.join(different) + f'\nReceived: workdir={workdir}')
