"""Benchmark of generated tables, compared with TVAE of ctgan.

  python -m benchmarks.table_samples --tables=DIR --peers_python=VENV/bin/python

DIR has three public tables as files: `diamonds.csv`, as `data('diamonds')` of
the package pydataset; `titanic.csv`, as `data('titanic')` of the same package;
and `penguins.csv`, as `load_penguins()` of the package palmerpenguins, which is
also in `configs`. VENV has `peers/table_requirements.txt`.

Rows with missing values are left out. A random part of at most 10,000 rows is
the training data, and of the others at most 10,000 rows are the test data. Each
round has a split of its own. tfvae trains with one set of flags, `SETTINGS`,
for a number of epochs that takes about `--cpu_seconds`: with the prior realnvp,
and for as many epochs with the standard normal. TVAE then trains for as much
CPU time as the first of them took, and once more for its default number of
epochs. Each training has one core, on which CPU time is the wall time of an
idle machine. All generate 10,000 rows, which SDMetrics scores; see
`peers/table_scores.py`.

Two tables show the range of the scores: the training rows themselves, and the
training rows with each column shuffled on its own.
"""

import collections
import json
import os
import shutil
import sys
import tempfile
from typing import Any

from absl import app
from absl import flags
import pandas as pd

from benchmarks import processes
from benchmarks import tables

_TABLES = flags.DEFINE_string(
    'tables', None, 'directory of the tables', required=True)
_PEERS_PYTHON = flags.DEFINE_string(
    'peers_python', None, 'interpreter of an environment with '
    'benchmarks/peers/table_requirements.txt', required=True)
flags.register_validator(
    'peers_python', shutil.which, 'There is no such program.')
_ROUNDS = flags.DEFINE_integer(
    'rounds', 3, 'trainings per method and table', lower_bound=1)
_CPU_SECONDS = flags.DEFINE_float(
    'cpu_seconds', 60, 'CPU seconds of each training', lower_bound=10)
_OUTPUT = flags.DEFINE_string(
    'output', 'benchmarks/results/table_samples.json', 'file of the result')

DATA_SETS = ('diamonds', 'titanic', 'penguins')
# Settings of tfvae for all tables.
SETTINGS = {
    'latents': 'z:16', 'network': 'mlp', 'hidden_units': [128, 128],
    'activation': 'relu', 'batch_size': 20, 'learning_rate': 1e-3,
    'learning_rate_schedule': 'cosine', 'export': False,
    'evaluations': ['importance_weighted']}
# Priors of tfvae; the second is that of TVAE.
_PRIORS = {'tfvae': 'realnvp', 'tfvae_standard': 'standard_normal'}
METHODS = ('rows', *_PRIORS, 'tvae', 'tvae_default', 'independent')
_ROWS = 10_000
_TRAINING_SHARE = 0.7  # Of a table with fewer rows than twice that.
_PILOT_EPOCHS = 40


def split(name: str, directory: str, seed: int) -> dict[str, int]:
  """Writes `train.csv` and `test.csv`, and returns their numbers of rows."""
  table = pd.read_csv(os.path.join(_TABLES.value, f'{name}.csv')).dropna()
  # The settings were chosen with test rows of the split of seed 0.
  table = table.sample(frac=1, random_state=1 + seed)
  size = min(_ROWS, int(_TRAINING_SHARE * len(table)))
  parts = {'train': table[:size], 'test': table[size:size + _ROWS]}
  os.makedirs(directory)
  for part, rows in parts.items():
    rows.to_csv(os.path.join(directory, f'{part}.csv'), index=False)
  return {part: len(rows) for part, rows in parts.items()}


class Comparison:
  """Methods on one table, with their files in one directory.

  Attributes:
    name: Name of the table.
    rows: Rows of the training and of the test data.
    epochs: Epochs of tfvae.
  """

  def __init__(self, name: str, directory: str):
    """Splits the table and chooses the number of epochs.

    Args:
      name: Name of the table.
      directory: Directory of the files.
    """
    self.name, self._directory, self._runs = name, directory, 0
    self.rows = split(name, self._path('tables0'), 0)
    self._seconds = _CPU_SECONDS.value
    pilot = self._train('tfvae', _PILOT_EPOCHS, seed=0)
    first = pilot['first_epoch_cpu_seconds']
    later = (pilot['cpu_seconds'] - first) / (_PILOT_EPOCHS - 1)
    self.epochs = 1 + max(0, round((self._seconds - first) / later))

  def measure(self, method: str, seed: int) -> dict[str, Any]:
    """Returns the scores of a method, and the time of its training.

    Args:
      method: One of `METHODS`. TVAE trains for the time of the last 'tfvae'.
      seed: Seed of the split, and of the training or of the shuffled columns.
    """
    record, samples = {}, self._path('samples.csv')
    train = self._path(f'tables{seed}/train.csv')
    if not os.path.exists(train):
      split(self.name, self._path(f'tables{seed}'), seed)
    match method:
      case 'tfvae' | 'tfvae_standard':
        record = self._train(method, self.epochs, seed)
        if method == 'tfvae':
          self._seconds = record['cpu_seconds']
      case 'tvae' | 'tvae_default':
        record = self._run('table_tvae', {
            'train': train, 'samples': samples,
            'rows': _ROWS, 'seed': seed,
            'cpu_seconds': self._seconds if method == 'tvae' else None})
      case _:
        samples = train
    scores = self._run('table_scores', {
        'train': train, 'samples': samples,
        'test': self._path(f'tables{seed}/test.csv'),
        'independent': seed if method == 'independent' else None})
    return record | {f'{reference}_{name}': score
                     for reference, own in scores.items()
                     for name, score in own.items()}

  def _train(self, method: str, epochs: int, seed: int) -> dict[str, Any]:
    """Trains tfvae, writes its samples and returns its record."""
    self._runs += 1
    workdir = self._path(f'run{self._runs}')
    record = self._run('table_tfvae', {
        'workdir': workdir, 'settings': SETTINGS | {
            'prior': _PRIORS[method],
            'dataset': self._path(f'tables{seed}'),
            'epochs': epochs, 'seed': seed, 'num_samples': _ROWS}})
    os.replace(os.path.join(workdir, 'samples.csv'), self._path('samples.csv'))
    return record | {'epochs': epochs}

  def _run(self, program: str, case: dict[str, Any]) -> dict[str, Any]:
    """Runs a program of `benchmarks.peers` on one core."""
    python = sys.executable if program == 'table_tfvae' else _PEERS_PYTHON.value
    return processes.measurements(processes.Process(
        [python, '-m', f'benchmarks.peers.{program}', json.dumps(case)],
        cores=[max(os.sched_getaffinity(0))]))

  def _path(self, name: str) -> str:
    return os.path.join(self._directory, name)


def summarise(rows: list[dict[str, Any]]) -> dict[str, Any]:
  """Returns the median and the range of each measurement over the rounds."""
  summary = {}
  for name in rows[0]:
    summary |= processes.median_and_range((row[name] for row in rows), name)
  return summary


def main(_):
  """Measures, prints and writes the result."""
  result = processes.result('table_samples', {
      'trainings': _ROUNDS.value, 'settings': SETTINGS | {
          'prior': _PRIORS['tfvae']}, 'table_samples': []})
  versions = {}

  def measure(case: dict[str, Any]) -> dict[str, float]:
    # Each turn of a case has the next seed.
    seed = turns[case['data'], case['method']]
    turns[case['data'], case['method']] += 1
    row = comparisons[case['data']].measure(case['method'], seed)
    versions.update(row.pop('versions', {}))
    return row

  with tempfile.TemporaryDirectory() as directory:
    comparisons = {
        name: Comparison(name, os.path.join(directory, name))
        for name in DATA_SETS}
    cases = [{'data': name, 'method': method}
             for name in DATA_SETS for method in METHODS]
    turns = collections.Counter()
    rows = processes.turns(_ROUNDS.value, cases, measure)
    for case, own in zip(cases, rows, strict=True):
      result['table_samples'].append(
          case | {'rows': comparisons[case['data']].rows} | summarise(own)
          | {'by_round': own})
  result['versions'] |= versions
  processes.write(_OUTPUT.value, result)
  print(tables.table_samples(result))


if __name__ == '__main__':
  app.run(main)
