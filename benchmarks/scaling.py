"""Benchmark of two workers, compared with one, on this machine.

  python -m benchmarks.scaling --data_dir=DIR

Two workers are two processes that communicate over the loopback: `train_main.py
--strategy=multi_worker` with `TF_CONFIG`. One worker is the program without
them. The global batch is the same, so both take the same steps. Either each
process has its own core, which shows the gain from a second machine without its
network, or all processes share all cores, where a second process can add no
speed. Images per second are the median over the epochs after the first in
`history.csv`.
"""

import itertools
import json
import os
import socket
import tempfile
from typing import Any

from absl import app
from absl import flags

from benchmarks import processes
from benchmarks import tables
from benchmarks.peers import tfvae_program

_DATA_DIR = flags.DEFINE_string(
    'data_dir', None, 'directory of TensorFlow Datasets with MNIST')
_MODELS = flags.DEFINE_list('models', ['mlp', 'conv'], 'kinds of network')
_BATCH_SIZES = flags.DEFINE_list(
    'batch_sizes', ['100', '1000'], 'global batch sizes')
_WORKERS = flags.DEFINE_list('workers', ['1', '2'], 'numbers of workers')
_ROUNDS = flags.DEFINE_integer(
    'rounds', 3, 'runs per setting', lower_bound=1)
_EPOCHS = flags.DEFINE_integer(
    'epochs', 4, 'epochs of each run; the first is not timed', lower_bound=2)
_IMAGES = flags.DEFINE_integer(
    'images', 20_000, 'training images of the perceptron', upper_bound=57_000)
_CONV_IMAGES = flags.DEFINE_integer(
    'conv_images', 5_000, 'training images of the convolutions',
    upper_bound=57_000)
_OUTPUT = flags.DEFINE_string(
    'output', 'benchmarks/results/scaling.json', 'file of the result')


def cases() -> list[dict[str, Any]]:
  """Returns the cases in the order of the table."""
  cores, chosen = os.cpu_count(), []
  for model, size, each, workers in itertools.product(
      _MODELS.value, map(int, _BATCH_SIZES.value), (1, cores),
      map(int, _WORKERS.value)):
    if each == cores or workers * each <= cores:
      chosen.append({
          'model': model, 'batch_size': size, 'cores_per_worker': each,
          'workers': workers, 'importance_samples': 1,
          'epochs': _EPOCHS.value, 'data_dir': _DATA_DIR.value,
          'images': _IMAGES.value if model == 'mlp' else _CONV_IMAGES.value})
  return chosen


def measure(case: dict[str, Any]) -> dict[str, float]:
  """Runs all workers of a case to their end."""
  with tempfile.TemporaryDirectory() as directory:
    workdir = os.path.join(directory, 'run')
    command = [*processes.PROGRAM, *tfvae_program.flags(case, workdir),
               '--evaluations=latent_space']
    running = [
        processes.Process([*command, *flagged], cores, environment)
        for flagged, cores, environment in _placements(case)]
    processes.wait(running)
    return {'images_per_second': processes.after_first(
        tfvae_program.images_per_second(workdir))}


def summarise(chosen: list[dict[str, Any]],
              rows: list[list[dict[str, float]]]) -> list[dict[str, Any]]:
  """Returns medians; `ratio` is relative to one worker with the same cores."""
  alone = {_setting(case): own
           for case, own in zip(chosen, rows, strict=True)
           if case['workers'] == 1}
  return [
      {key: value for key, value in case.items() if key != 'data_dir'}
      | processes.medians(own) | {'by_round': own}
      | (processes.median_and_range(
          row['images_per_second'] / one['images_per_second']
          for row, one in zip(own, alone[_setting(case)], strict=True))
         if _setting(case) in alone else {})
      for case, own in zip(chosen, rows, strict=True)]


def _placements(case: dict[str, Any]) -> list[tuple[list[str], set, dict]]:
  """Returns the flags, cores and environment of each worker."""
  workers, each = case['workers'], case['cores_per_worker']
  pinned = each < os.cpu_count()
  cores = [set(range(i * each, (i + 1) * each)) if pinned else set()
           for i in range(workers)]
  if workers == 1:
    return [([], cores[0], {})]
  addresses = [f'localhost:{port}' for port in _free_ports(workers)]
  return [
      (['--strategy=multi_worker'], cores[index],
       {'TF_CONFIG': json.dumps({
           'cluster': {'worker': addresses},
           'task': {'type': 'worker', 'index': index}})})
      for index in range(workers)]


def _free_ports(count: int) -> list[int]:
  sockets = [socket.socket() for _ in range(count)]
  for each in sockets:
    each.bind(('localhost', 0))
  ports = [each.getsockname()[1] for each in sockets]
  for each in sockets:
    each.close()
  return ports


def _setting(case: dict[str, Any]) -> tuple[Any, ...]:
  return case['model'], case['batch_size'], case['cores_per_worker']


def main(_):
  """Measures, prints and writes the result."""
  result = processes.result('scaling', {'rounds': _ROUNDS.value})
  chosen = cases()
  rows = processes.turns(_ROUNDS.value, chosen, measure)
  result['scaling'] = summarise(chosen, rows)
  processes.write(_OUTPUT.value, result)
  print(tables.scaling(result))


if __name__ == '__main__':
  app.run(main)
