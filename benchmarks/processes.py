"""Processes that a benchmark compares, and their measurements.

This module does not import TensorFlow, so that each process pays for its own
start-up.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
import contextlib
import json
import os
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile
import time
from typing import Any

from benchmarks import machine

PROGRAM = [sys.executable, 'train_main.py']
# Keys of a case that do not describe the comparison, mostly paths.
NOT_SHOWN = ('data_dir', 'flags', 'mnist', 'python', 'scored')
# Hides C++ log lines, the same as `train_main.py`.
_ENVIRONMENT = {'TF_CPP_MIN_LOG_LEVEL': '3'}
_ERROR_LINES = 20
_POLL_SECONDS = 0.05


class Process(subprocess.Popen):
  """A process whose output goes to a file, so it never blocks on a pipe."""

  def __init__(self, command: list[str], cores: Iterable[int] = (),
               environment: dict[str, str] | None = None):
    """Starts the process.

    Args:
      command: Program and its arguments.
      cores: Cores on which it can run; empty for all.
      environment: Variables added to the environment of this process.
    """
    # Appends, wherever `lines` has read to.
    cores, self._log = set(cores), tempfile.TemporaryFile('a+')
    super().__init__(
        command, stdout=self._log, stderr=subprocess.STDOUT,
        env=os.environ | _ENVIRONMENT | (environment or {}),
        # This process has one thread, so no lock is held at the fork.
        preexec_fn=(lambda: os.sched_setaffinity(0, cores)) if cores else None)

  def lines(self) -> list[str]:
    """Returns the lines printed so far."""
    self._log.seek(0)
    return self._log.read().splitlines()


def wait(running: Sequence[Process]):
  """Waits for processes that depend on each other, and ends all of them.

  Args:
    running: Processes to wait for.

  Raises:
    RuntimeError: If one of them fails; it has the last lines of its output.
  """
  try:
    while not any(process.poll() for process in running):  # None, or 0.
      if all(process.returncode == 0 for process in running):
        return
      time.sleep(_POLL_SECONDS)
    failed = next(process for process in running if process.returncode)
  finally:
    for process in running:
      process.kill()
      process.wait()
  raise RuntimeError(
      f'{" ".join(failed.args)} ended with {failed.returncode}:\n'
      + '\n'.join(failed.lines()[-_ERROR_LINES:]))


def peer(case: dict[str, Any]) -> Process:
  """Starts a peer; see `benchmarks.peers.process`.

  Args:
    case: Case of that process. The optional key `python` is the interpreter, by
      default that of this process.
  """
  return Process([case.get('python', sys.executable),
                  '-m', 'benchmarks.peers.process',
                  json.dumps(case | {'started': time.time()})])


@contextlib.contextmanager
def mnist(data_dir: str | None) -> Iterator[str]:
  """Yields the path of a directory with the images for the peers."""
  with tempfile.TemporaryDirectory() as directory:
    wait([Process([sys.executable, '-m', 'benchmarks.peers.mnist',
                   data_dir or '', directory])])
    yield directory


def measurements(process: Process) -> dict[str, Any]:
  """Waits for a peer and returns its measurements."""
  wait([process])
  return json.loads(next(
      line for line in reversed(process.lines()) if line.startswith('{"')))


def after_first(values: list[float]) -> float:
  """Returns the median over all epochs except the first, which compiles."""
  if len(values) < 2:
    raise ValueError('The first epoch includes compilation; measure at least '
                     f'two epochs. Received: epochs={len(values)}')
  return statistics.median(values[1:])


def median_and_range(values: Iterable[float],
                     name: str = 'ratio') -> dict[str, Any]:
  """Returns the median and the range over the rounds, by name."""
  values = list(values)
  return {name: statistics.median(values),
          f'{name}_range': [min(values), max(values)]}


def medians(rows: list[dict[str, float]]) -> dict[str, float]:
  """Returns the median over the rounds of each measurement."""
  return {key: statistics.median(row[key] for row in rows) for key in rows[0]}


def result(name: str, settings: dict[str, Any]) -> dict[str, Any]:
  """Returns the first keys of every result: machine, versions and command."""
  arguments = [
      re.sub('^--?(data_dir|directory|peers_python|tables)=.*',
             lambda match: f'--{match[1]}={match[1].upper()}', argument)
      for argument in sys.argv[1:]
      if not re.match('--?(output|results)=', argument)]
  return machine.setting() | {
      'command': ' '.join(['python -m benchmarks.' + name, *arguments]),
  } | settings


def write(path: str, content: dict[str, Any]):
  """Writes a result."""
  file = pathlib.Path(path)
  file.parent.mkdir(parents=True, exist_ok=True)
  file.write_text(json.dumps(content, indent=2) + '\n', encoding='utf-8')


def turns(rounds: int, cases: list[Any],
          measure: Callable[[Any], dict[str, float]]) -> list[list[dict]]:
  """Measures each case once per round.

  Args:
    rounds: Number of rounds.
    cases: Cases to compare.
    measure: Function from a case to its measurements.

  Returns:
    The rows of each case, one per round.
  """
  rows = [[] for _ in cases]
  for index in range(rounds):
    for case, own in zip(cases, rows, strict=True):
      own.append(measure(case))
      numbers = ', '.join(
          f'{name} {value:.4g}' for name, value in own[-1].items())
      print(f'{index + 1}/{rounds} {_label(case)}: {numbers}', flush=True)
  return rows


def _label(case: Any) -> str:
  if not isinstance(case, dict):
    return str(case)
  return ', '.join(str(value) for name, value in case.items()
                   if name not in NOT_SHOWN)
