"""Benchmark of the settings that `--jit` and `--steps_per_execution` choose.

  python -m benchmarks.training_settings --data_dir=DIR

It measures every combination of `--jit` and `--steps_per_execution`, and
`auto`, for the perceptron and the convolutions, batch sizes from 20 to 1000,
and K = 1 and 50. Each is a run of `train_main.py` up to the end of `fit`; the
runs take turns, so the ratios are valid on a machine with other users.
"""

import itertools
from typing import Any

from absl import app
from absl import flags

from benchmarks import processes
from benchmarks import tables

_DATA_DIR = flags.DEFINE_string(
    'data_dir', None, 'directory of TensorFlow Datasets with MNIST')
_MODELS = flags.DEFINE_list('models', ['mlp', 'conv'], 'kinds of network')
_BATCH_SIZES = flags.DEFINE_list(
    'batch_sizes', ['20', '100', '1000'], 'batch sizes')
_IMPORTANCE_SAMPLES = flags.DEFINE_list(
    'importance_samples', ['1', '50'],
    'values of K of --objective=iwae; 1 is the ELBO')
_ROUNDS = flags.DEFINE_integer(
    'rounds', 3, 'processes per setting', lower_bound=1)
_EPOCHS = flags.DEFINE_integer(
    'epochs', 3, 'epochs of each process; the first is not timed',
    lower_bound=2)
_PART = flags.DEFINE_float(
    'part', 1., 'share of the images of an epoch', lower_bound=0.,
    upper_bound=1.)
_AUTO = flags.DEFINE_bool(
    'auto', True, 'also measure the choice of auto')
_OUTPUT = flags.DEFINE_string(
    'output', 'benchmarks/results/training_settings.json', 'file of the result')

# Decodings of an epoch, which take about ten seconds, by kind of network.
_DECODINGS = {'mlp': 1_000_000, 'conv': 100_000}
# Decodings of a step that fit in memory.
_MOST_DECODINGS = {'mlp': 50_000, 'conv': 10_000}
_TRAINING_IMAGES = 57_000
_FEWEST_STEPS = 10


def cases() -> list[dict[str, Any]]:
  """Returns the cases in the order of the table."""
  settings = list(itertools.product(('true', 'false'), ('50', '1')))
  if _AUTO.value:
    settings.append(('auto', 'auto'))
  chosen = []
  for model, samples, size in itertools.product(
      _MODELS.value, map(int, _IMPORTANCE_SAMPLES.value),
      map(int, _BATCH_SIZES.value)):
    if samples * size > _MOST_DECODINGS[model]:
      print(f'{model}, batch {size}, K = {samples}: omitted, as it needs too '
            'much memory.')
      continue
    decodings = int(_PART.value * _DECODINGS[model])
    steps = max(_FEWEST_STEPS, decodings // samples // size)
    chosen += [
        {'peer': 'tfvae', 'model': model, 'batch_size': size,
         'importance_samples': samples, 'epochs': _EPOCHS.value,
         'images': min(steps, _TRAINING_IMAGES // size) * size,
         'data_dir': _DATA_DIR.value, 'scored': False, 'jit': jit,
         'steps_per_execution': steps_per_execution,
         'flags': [f'--jit={jit}',
                   f'--steps_per_execution={steps_per_execution}']}
        for jit, steps_per_execution in settings]
  return chosen


def measure(case: dict[str, Any]) -> dict[str, float]:
  """Runs a setting and returns the measurements of the table."""
  record = processes.measurements(processes.peer(case))
  return {
      'images_per_second': processes.after_first(record['images_per_second']),
      'cpu_microseconds_per_image': processes.after_first(
          [1e6 * epoch['cpu_seconds'] / epoch['images']
           for epoch in record['epochs']]),
      'first_step_seconds': record['first_step_seconds'],
      'peak_mebibytes': record['peak_mebibytes']}


def summarise(chosen: list[dict[str, Any]],
              rows: list[list[dict[str, float]]]) -> list[dict[str, Any]]:
  """Returns medians; `ratio` is relative to the fastest fixed setting."""
  speeds = {}
  for case, own in zip(chosen, rows, strict=True):
    if case['jit'] != 'auto':
      speeds.setdefault(_setting(case), []).append(
          [row['images_per_second'] for row in own])
  summary = []
  for case, own in zip(chosen, rows, strict=True):
    best = map(max, zip(*speeds[_setting(case)], strict=True))
    kept = {key: case[key] for key in (
        'model', 'batch_size', 'importance_samples', 'images', 'jit',
        'steps_per_execution')}
    summary.append(
        kept | processes.medians(own) | {'by_round': own}
        | processes.median_and_range(
            row['images_per_second'] / fastest
            for row, fastest in zip(own, best, strict=True)))
  return summary


def _setting(case: dict[str, Any]) -> tuple[Any, ...]:
  return case['model'], case['batch_size'], case['importance_samples']


def main(_):
  """Measures, prints and writes the result."""
  result = processes.result('training_settings', {'rounds': _ROUNDS.value})
  chosen = cases()
  rows = processes.turns(_ROUNDS.value, chosen, measure)
  result['settings'] = summarise(chosen, rows)
  processes.write(_OUTPUT.value, result)
  print(tables.training_settings(result))


if __name__ == '__main__':
  app.run(main)
