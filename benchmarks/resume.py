"""Benchmark of checkpoints and of resuming.

  python -m benchmarks.resume --data_dir=DIR

It measures on the perceptron of `configs/mnist.flags`

- the images per second with `--checkpoint_every_steps=N`, compared with
  checkpoints only at the ends of epochs (N = 0), whose cost is not part of the
  training time of an epoch; the time of a checkpoint, from the difference; and
  its size in bytes;
- the time from the start of the process to the first step, of a new run and of
  a run that was killed by SIGKILL after its first epoch.
"""

import os
import pathlib
import tempfile
import time
from typing import Any

from absl import app
from absl import flags

from benchmarks import processes
from benchmarks import tables

_DATA_DIR = flags.DEFINE_string(
    'data_dir', None, 'directory of TensorFlow Datasets with MNIST')
_EVERY_STEPS = flags.DEFINE_list(
    'every_steps', ['0', '50', '200'], 'steps between checkpoints; 0 for none')
_BATCH_SIZE = flags.DEFINE_integer('batch_size', 100, 'images per step')
_ROUNDS = flags.DEFINE_integer(
    'rounds', 3, 'runs per setting', lower_bound=1)
_EPOCHS = flags.DEFINE_integer(
    'epochs', 4, 'epochs of each run; the first is not timed', lower_bound=2)
_IMAGES = flags.DEFINE_integer(
    'images', 57_000, 'number of training images', upper_bound=57_000)
_OUTPUT = flags.DEFINE_string(
    'output', 'benchmarks/results/resume.json', 'file of the result')

# For runs that this benchmark ends.
_MANY_EPOCHS = 1000
_KILL_SECONDS = 300


def case(**changes: Any) -> dict[str, Any]:
  """Returns a case of `benchmarks.peers.process`."""
  return {'peer': 'tfvae', 'model': 'mlp', 'batch_size': _BATCH_SIZE.value,
          'importance_samples': 1, 'images': _IMAGES.value,
          'epochs': _EPOCHS.value, 'data_dir': _DATA_DIR.value,
          'scored': False} | changes


def measure_checkpoints(every_steps: int) -> dict[str, float]:
  """Trains with checkpoints, and returns the speed and the size of one."""
  # Omits the flag for 0, so that versions without it can be measured.
  flagged = [f'--checkpoint_every_steps={every_steps}'] if every_steps else []
  with tempfile.TemporaryDirectory() as directory:
    workdir = os.path.join(directory, 'run')
    record = processes.measurements(processes.peer(
        case(workdir=workdir, flags=flagged)))
    return {
        'images_per_second': processes.after_first(
            record['images_per_second']),
        'checkpoint_bytes': checkpoint_bytes(workdir)}


def checkpoint_bytes(workdir: str) -> int:
  """Returns the size of the newest checkpoint of a run."""
  newest = max(
      (path for path in pathlib.Path(workdir, 'checkpoints').iterdir()
       if path.name.isdecimal()), key=lambda path: int(path.name))
  return sum(path.stat().st_size for path in newest.iterdir())


def summarise_checkpoints(every: list[int],
                          rows: list[list[dict[str, float]]]) -> list[dict]:
  """Returns medians; `ratio` is relative to checkpoints at ends of epochs."""
  without = rows[every.index(0)]
  summary = []
  for steps, own in zip(every, rows, strict=True):
    row = {'every_steps': steps, 'by_round': own} | processes.medians(own)
    row |= processes.median_and_range(
        one['images_per_second'] / none['images_per_second']
        for one, none in zip(own, without, strict=True))
    if steps:
      # N steps take N b (1 / r − 1 / r₀) seconds more: the time of a
      # checkpoint.
      row |= processes.median_and_range(
          (steps * _BATCH_SIZE.value * (
              1 / one['images_per_second'] - 1 / none['images_per_second'])
           for one, none in zip(own, without, strict=True)),
          'checkpoint_seconds')
    summary.append(row)
  return summary


def measure_start(_: Any) -> dict[str, float]:
  """Returns the seconds to the first step, for a new run and after a kill."""
  with tempfile.TemporaryDirectory() as directory:
    workdir = os.path.join(directory, 'run')
    _kill_after_epoch(
        processes.peer(case(workdir=workdir, epochs=_MANY_EPOCHS)), workdir)
    seconds = {}
    # A process prints its measurements at its end, so the new run is another
    # one.
    for name, path in (('fresh', f'{workdir}_fresh'), ('resumed', workdir)):
      record = processes.measurements(processes.peer(case(
          workdir=path, epochs=_MANY_EPOCHS, ends_at_first_step=True)))
      seconds[f'{name}_seconds'] = record['first_step_seconds']
  return seconds


def _kill_after_epoch(process: processes.Process, workdir: str):
  """Kills a run in the epoch after the first row of its history."""
  end = time.monotonic() + _KILL_SECONDS
  while not os.path.exists(os.path.join(workdir, 'history.csv')):
    if process.poll() is not None or time.monotonic() > end:
      process.kill()
      raise RuntimeError('\n'.join(['No epoch was finished:',
                                    *process.lines()[-20:]]))
    time.sleep(0.1)
  time.sleep(1)
  process.kill()
  process.wait()


def main(_):
  """Measures, prints and writes the result."""
  result = processes.result('resume', {'rounds': _ROUNDS.value})
  every = [0, *(n for n in map(int, _EVERY_STEPS.value) if n)]
  rows = processes.turns(_ROUNDS.value, every, measure_checkpoints)
  starts, = processes.turns(_ROUNDS.value, ['start'], measure_start)
  result |= {
      'checkpoints': summarise_checkpoints(every, rows),
      'start': processes.medians(starts) | processes.median_and_range(
          row['resumed_seconds'] / row['fresh_seconds'] for row in starts)
               | {'by_round': starts}}
  processes.write(_OUTPUT.value, result)
  print(tables.resume(result))


if __name__ == '__main__':
  app.run(main)
