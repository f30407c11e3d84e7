"""Benchmark of imputations, compared with those of scikit-learn.

  python -m benchmarks.imputation --tables=DIR --data_dir=DATA_DIR

DIR has four public tables as files: `diamonds.csv`, `mpg.csv` and
`titanic.csv`, which has categories alone, as `data('diamonds')`, … of the
package pydataset; and `penguins.csv`, which is also in `configs`. DATA_DIR has
MNIST as TensorFlow Datasets prepares it.

Rows with missing values are left out. A random part of a table, at most 10,000
rows, is the training data, of which `--holes` of the values are then removed
completely at random; at most 1,000 of the other rows are complete test rows.
The measure `imputation` hides known values of the test rows at random, and at
random given other columns. It compares the model with the mean, nearest
neighbors and iterated regressions, which are fitted to the same incomplete
training rows. Of the test images of MNIST, it hides half of the pixels and the
lower half. The model of MNIST is trained on images of which half of the pixels
are hidden, new ones in each step; the baselines are fitted to 2,000 complete
ones.

Each of `--rounds` has a split, holes, hidden values and initial weights of its
own. The result has the block of the measure of each round. A file that exists
keeps the data sets that are not among `--data_sets`, if they have been measured
with the same settings.
"""

import json
import math
import os
import pathlib
import re
import tempfile
from typing import Any

from absl import app
from absl import flags
import numpy as np
import pandas as pd

from benchmarks import processes
from tfvae.training import Config
from tfvae.training import train_and_evaluate

_TABLES = flags.DEFINE_string('tables', None, 'directory of the tables')
_DATA_DIR = flags.DEFINE_string(
    'data_dir', None, 'directory of TensorFlow Datasets, for MNIST')
_DATA_SETS = flags.DEFINE_multi_enum(
    'data_sets', ['diamonds', 'penguins', 'titanic', 'mpg', 'mnist'],
    ['diamonds', 'penguins', 'titanic', 'mpg', 'mnist'], 'what to measure')
_ROUNDS = flags.DEFINE_integer(
    'rounds', 3, 'trainings per data set', lower_bound=1)
_STEPS = flags.DEFINE_integer(
    'steps', 20_000, 'training steps of a table, in at most 200 epochs',
    lower_bound=1)
_EPOCHS = flags.DEFINE_integer(
    'mnist_epochs', 60, 'epochs of MNIST', lower_bound=1)
_HOLES = flags.DEFINE_float(
    'holes', 0.25, 'fraction of the training values of a table to remove',
    lower_bound=0, upper_bound=0.9)
_DRAWS = flags.DEFINE_integer(
    'draws', 1000, 'draws of z for each example', lower_bound=2)
_OUTPUT = flags.DEFINE_string(
    'output', 'benchmarks/results/imputation.json', 'file of the result')

# Settings for all data; those of tables were chosen on a split of their own,
# those of MNIST after one trial with this seed and one with another.
SETTINGS = {
    'learning_rate': 1e-3, 'learning_rate_schedule': 'cosine', 'export': False,
    'evaluations': ('imputation',)}
TABLE_SETTINGS = {
    'latents': 'z:16', 'network': 'mlp', 'hidden_units': (256, 256),
    'activation': 'relu', 'learning_rate': 2e-3, 'missing': 'allow',
    'hide_fraction': 0.2, 'objective': 'iwae', 'importance_samples': 5}
MNIST_SETTINGS = {
    'dataset': 'mnist', 'latents': 'z:50', 'network': 'mlp',
    'hidden_units': (500, 500), 'activation': 'relu', 'hide_fraction': 0.5,
    'objective': 'iwae', 'importance_samples': 5,
    'eval_imputation_fraction': 0.5}
_TRAIN_ROWS, _TEST_ROWS, _TRAINING_SHARE = 10_000, 1000, 0.7
# Examples per batch of tables with as many training rows as a key, or more.
_BATCH_SIZES = {0: 20, 2000: 100}
_MOST_EPOCHS = 200


def split(name: str, directory: str, seed: int) -> dict[str, int]:
  """Writes `train.csv`, with holes, and `test.csv`.

  Args:
    name: Name of the table.
    directory: Directory of the files, which must not exist.
    seed: Seed of the split and of the holes.

  Returns:
    Their numbers of rows.
  """
  table = pd.read_csv(os.path.join(_TABLES.value, f'{name}.csv')).dropna()
  table = table.sample(frac=1, random_state=1 + seed)
  size = min(_TRAIN_ROWS, int(_TRAINING_SHARE * len(table)))
  train, test = table[:size], table[size:size + _TEST_ROWS]
  holes = np.random.default_rng(seed).random(train.shape) < _HOLES.value
  os.makedirs(directory)
  for part, rows in (('train', train.mask(holes)), ('test', test)):
    rows.to_csv(os.path.join(directory, f'{part}.csv'), index=False)
  return {'train': len(train), 'test': len(test)}


def measure(name: str, directory: str, seed: int) -> dict[str, Any]:
  """Returns the block of the measure, and the numbers of rows of a table.

  Args:
    name: Name of the data set.
    directory: Directory that receives the files of the run.
    seed: Seed of all draws.
  """
  rows = {}
  if name == 'mnist':
    own = MNIST_SETTINGS | {
        'data_dir': _DATA_DIR.value, 'epochs': _EPOCHS.value}
  else:
    path = os.path.join(directory, 'table')
    rows = split(name, path, seed)
    batch_size = max((least, size) for least, size in _BATCH_SIZES.items()
                     if least <= rows['train'])[1]
    steps = math.ceil(rows['train'] / batch_size)
    own = TABLE_SETTINGS | {
        'dataset': path, 'batch_size': batch_size,
        'epochs': min(_MOST_EPOCHS, math.ceil(_STEPS.value / steps))}
  metrics = train_and_evaluate(Config(
      **SETTINGS | own, seed=seed, eval_seed=seed,
      eval_imputation_draws=_DRAWS.value), os.path.join(directory, 'run'))
  return {'rows': rows, 'epochs': own['epochs'],
          'best_epoch': metrics['best_epoch'],
          'seconds': metrics['seconds']['train'],
          'imputation': metrics['imputation']}


def main(_):
  """Measures, prints and writes the result."""
  settings = {
      'holes': _HOLES.value, 'draws': _DRAWS.value, 'settings': SETTINGS,
      'table_settings': TABLE_SETTINGS | {'steps': _STEPS.value},
      'mnist_settings': MNIST_SETTINGS | {'epochs': _EPOCHS.value}}
  result = processes.result('imputation', settings)
  # The data sets of a result may be of several commands.
  command = re.sub(' --data_sets=[a-z]+', '', result.pop('command'))
  found = _kept(pathlib.Path(_OUTPUT.value), settings)
  for name in dict.fromkeys(_DATA_SETS.value):
    entry = {'data': name, 'command': f'{command} --data_sets={name}',
             'by_round': []}
    found = [other for other in found if other['data'] != name] + [entry]
    for seed in range(_ROUNDS.value):
      with tempfile.TemporaryDirectory() as directory:
        entry['by_round'].append(measure(name, directory, seed))
      _print(name, seed, entry['by_round'][-1]['imputation'])
      processes.write(_OUTPUT.value, result | {'imputation': found})


def _kept(path: pathlib.Path, settings: dict[str, Any]) -> list[dict[str, Any]]:
  """Returns the data sets of an earlier result of these settings."""
  if not path.exists():
    return []
  earlier = json.loads(path.read_text('utf-8'))
  # JSON has lists for tuples.
  for name, value in json.loads(json.dumps(settings)).items():
    if earlier.get(name) != value:
      raise ValueError(
          f'{path} was measured with other settings; remove it, or write to '
          f'another --output. Received: {name} = {value} here, '
          f'{earlier.get(name)} there.')
  return earlier['imputation']


def _print(name: str, seed: int, block: dict[str, Any]):
  """Prints the errors of a round."""
  for mask, part in block.items():
    if not isinstance(part, dict) or 'cells' not in part:
      continue
    for method, own in {'tfvae': part, **part['baselines']}.items():
      numbers = ', '.join(
          f'{key} {own[key]:.4g}' for key in (
              'normalized_rmse', 'normalized_crps', 'rmse', 'crps', 'accuracy',
              'coverage_95', 'effective_sample_size') if key in own)
      print(f'{name}, round {seed + 1}, {mask}, {method}: {numbers}',
            flush=True)


if __name__ == '__main__':
  app.run(main)
