"""Benchmark of --mode=encode: speed, memory, and kills.

  python -m benchmarks.predictions --directory=DIR --kind=table --rows=10000000
  python -m benchmarks.predictions --directory=DIR --kind=images --rows=1000000

Creates data in DIR, a Parquet file of ten columns of every kind or a .npy file
of 28x28 gray pixels, and trains a model on a part of them: z:10, or z:50, and
two hidden layers of 200 units. Then one process encodes a tenth of the rows,
another one all of them, and a third one scores all of them; each is measured
from its start to its end. Last, a job that encodes all of them is killed by
SIGKILL at random times and started again; its files are compared with those of
the job that was not. It needs Linux.
"""

import hashlib
import json
import os
import pathlib
import random
import re
import shutil
import signal
import subprocess
import sys
import time

from absl import app
from absl import flags
import numpy as np

from benchmarks import caches
from benchmarks import processes

_DIRECTORY = flags.DEFINE_string('directory', None, 'directory of all files',
                                 required=True)
_KIND = flags.DEFINE_enum('kind', 'table', ['table', 'images'], 'kind of data')
_ROWS = flags.DEFINE_integer('rows', 1_000_000, 'number of rows')
_KILLS = flags.DEFINE_integer('kills', 10, 'number of kills')
_OUTPUT = flags.DEFINE_string(
    'results', 'benchmarks/results/predictions.json', 'file of the result')

_ROOT = pathlib.Path(__file__).parents[1]
_TRAINED = 20_000  # Rows of the training data.
_START = 6  # Seconds before the first rows are encoded.
_TRAINING = ('--epochs=1', '--hidden_units=200,200', '--export=false',
             '--evaluations=importance_weighted', '--eval_importance_samples=2',
             '--eval_importance_examples=100', '--jit=false')


def main(_):
  """Measures, prints and writes the result."""
  rows = _ROWS.value
  whole, tenth, few = (_data(count) for count in (rows, rows // 10, _TRAINED))
  run = _path(f'run_{_KIND.value}')
  latents = '--latents=z:10' if _KIND.value == 'table' else '--latents=z:50'
  subprocess.run([sys.executable, 'train_main.py', f'--workdir={run}',
                  f'--dataset={few}', latents, *_TRAINING], check=True,
                 cwd=_ROOT, stdout=subprocess.DEVNULL,
                 stderr=subprocess.DEVNULL)
  measured = {}
  for name, mode, data, count in (
      ('encode_tenth', 'encode', tenth, rows // 10),
      ('encode', 'encode', whole, rows), ('score', 'score', whole, rows)):
    measured[name] = {'rows': count} | _measure(
        _command(run, mode, data, _path(f'out_{name}')), count)
    print(f'{name}: {measured[name]}', flush=True)
  killed = _path('out_killed')
  command = _command(run, 'encode', whole, killed)
  seconds = measured['encode']['seconds']
  times = [_kill(command, moment) for moment in _moments(seconds)]
  subprocess.run(command, check=True, cwd=_ROOT, stdout=subprocess.DEVNULL,
                 stderr=subprocess.DEVNULL)
  equal = _digests(killed) == _digests(_path('out_encode'))
  print(f'killed after {times} seconds; the files are equal: {equal}')
  path = pathlib.Path(_OUTPUT.value)
  results = json.loads(path.read_text()) if path.exists() else {}
  settings = processes.result('predictions', {})
  results[_KIND.value] = settings | measured | {
      'killed_after_seconds': times, 'files_are_equal': equal}
  processes.write(str(path), results)
  sys.exit(not equal)


def _path(name: str) -> str:
  return os.path.join(_DIRECTORY.value, name)


def _data(count: int) -> str:
  """Writes data, unless an earlier run has; returns their path."""
  os.makedirs(_DIRECTORY.value, exist_ok=True)
  is_table = _KIND.value == 'table'
  path = _path(f'{_KIND.value}_{count}.{"parquet" if is_table else "npy"}')
  if not os.path.exists(path):
    (caches.write_table if is_table else _write_images)(f'{path}.new', count)
    os.rename(f'{path}.new', path)
  return path


def _write_images(path: str, count: int):
  """Writes images of random squares."""
  file = np.lib.format.open_memmap(path, 'w+', np.uint8, (count, 28, 28))
  rng = np.random.default_rng(0)
  for start in range(0, count, 10_000):
    squares = rng.integers(0, 256, [min(10_000, count - start), 7, 7], np.uint8)
    file[start:start + len(squares)] = squares.repeat(4, 1).repeat(4, 2)
  file.flush()


def _command(run: str, mode: str, data: str, output: str) -> list[str]:
  """Returns the command of a job, whose earlier results are removed."""
  for path in (output, f'{output}.incomplete'):
    shutil.rmtree(path, ignore_errors=True)
  return [sys.executable, 'train_main.py', f'--mode={mode}', f'--model={run}',
          f'--input={data}', f'--output={output}']


def _measure(command: list[str], count: int) -> dict[str, float]:
  """Returns seconds, rows a second and the peak memory of a process.

  The memory is without pages of files, which the system frees when it needs
  them.
  """
  start = time.monotonic()
  process = subprocess.Popen(command, cwd=_ROOT, stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL)
  peak = 0.0
  while not os.waitid(os.P_PID, process.pid,
                      os.WEXITED | os.WNOHANG | os.WNOWAIT):
    peak = max(peak, _anonymous(process.pid))
    time.sleep(0.1)
  _, status, usage = os.wait4(process.pid, 0)
  seconds = time.monotonic() - start
  if status:
    raise RuntimeError(f'{" ".join(command)} ended with status {status}')
  return {'seconds': round(seconds, 1),
          'rows_per_second': round(count / seconds),
          'cpu_seconds': round(usage.ru_utime + usage.ru_stime, 1),
          'peak_mebibytes': round(peak)}


def _anonymous(pid: int) -> float:
  """Returns the memory of a process without pages of files, in MiB."""
  try:
    status = pathlib.Path(f'/proc/{pid}/status').read_text(encoding='utf-8')
  except OSError:  # It has ended.
    return 0.0
  found = re.search(r'RssAnon:\s+(\d+) kB', status)
  return int(found[1]) / 1024 if found else 0.0


def _moments(seconds: float) -> list[float]:
  """Returns random times of kills, in the time that is left on average."""
  chosen = random.Random(0)
  end = _START + 2 * max(1, seconds - _START) / (1 + _KILLS.value)
  return [round(chosen.uniform(_START, end), 1) for _ in range(_KILLS.value)]


def _kill(command: list[str], seconds: float) -> float:
  """Starts a job and kills it after a time, unless it has ended."""
  process = subprocess.Popen(command, cwd=_ROOT, stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL)
  try:
    process.wait(seconds)
  except subprocess.TimeoutExpired:
    process.send_signal(signal.SIGKILL)
    process.wait()
  return seconds


def _digests(folder: str) -> dict[str, str]:
  """Returns a digest of each file by its name."""
  return {path.name: hashlib.sha256(path.read_bytes()).hexdigest()
          for path in pathlib.Path(folder).iterdir()}


if __name__ == '__main__':
  app.run(main)
