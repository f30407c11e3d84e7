"""Benchmark of anomaly detection, compared with scikit-learn and pyod.

  python -m benchmarks.anomalies --tables=DIR --data_dir=DATA_DIR \
      --peers_python=VENV/bin/python

Five data sets have labels of outliers, which no method sees before the test:
scikit-learn's `breast_cancer` (malignant tumors), `biopsy`, which is
`data('biopsy')` of the package pydataset as DIR/biopsy.csv (malignant), and
scikit-learn's `digits` (the digit 4); `fashion_mnist`, whose outliers are the
test images of MNIST, and `mnist` (the digit 4), as TensorFlow Datasets prepares
them in DATA_DIR. VENV has `peers/anomaly_requirements.txt`;
without it pyod is left out.

The normal rows of a table are divided at random, 60 % to train, 20 % to
calibrate and 20 % to test; outliers are in the test alone. Each of `--rounds`
has a split and weights of its own. The normal images of the training split, but
its last 5,000, train; the last 5,000 calibrate; those of the test split test.
There is one round. All methods see the same numbers: standardized columns of
tables, images that are binarized once.

The threshold of each method is that of its own calibration scores, conformal,
at a false-alarm rate of 1 %, or 5 % where there are fewer than 99 calibration
rows. A last part divides the calibration and test scores of fashion_mnist 200
times at random, and compares the mean share of false alarms with its
distribution.
"""

from collections.abc import Iterator
import json
import os
import tempfile
from typing import Any, NamedTuple

from absl import app
from absl import flags
import numpy as np
from scipy import stats
from sklearn import ensemble
from sklearn import metrics
from sklearn import neighbors
import tf_keras

from benchmarks import processes
from benchmarks.anomaly_rows import DATA_SETS
from benchmarks.anomaly_rows import flat
from benchmarks.anomaly_rows import image_rows
from benchmarks.anomaly_rows import is_table
from benchmarks.anomaly_rows import Rows
from benchmarks.anomaly_rows import table_rows
from tfvae import anomaly
from tfvae import models

_TABLES = flags.DEFINE_string('tables', None, 'directory of biopsy.csv')
_DATA_DIR = flags.DEFINE_string(
    'data_dir', None, 'directory of TensorFlow Datasets, for the images')
_DATA_SETS = flags.DEFINE_multi_enum(
    'data_sets', list(DATA_SETS), list(DATA_SETS), 'what to measure')
_PEERS_PYTHON = flags.DEFINE_string(
    'peers_python', None, 'interpreter of an environment with '
    'benchmarks/peers/anomaly_requirements.txt; pyod is left out without it')
_ROUNDS = flags.DEFINE_integer(
    'rounds', 3, 'splits and trainings of each table', lower_bound=1)
_OUTPUT = flags.DEFINE_string(
    'output', 'benchmarks/results/anomalies.json', 'file of the result')

# Settings of tfvae, and those of pyod's VAE that make it the same network.
TABLE_SETTINGS = {'latents': 5, 'hidden_units': [50], 'likelihood': 'normal',
                  'epochs': 100, 'batch_size': 30}
IMAGE_SETTINGS = {'latents': 50, 'hidden_units': [200, 200],
                  'likelihood': 'bernoulli', 'epochs': 10, 'batch_size': 100}
# Scores of a detector by the name of the method.
SCORES = {'elbo': ['elbo'], 'fisher': ['kl', 'elbo'],
          'log_likelihood': ['log_likelihood'], 'surprise': ['surprise'],
          'complexity': ['complexity']}
_LEFT_OUT = {'table': 'complexity', 'image': 'surprise'}
_LOF_ROWS = 10_000  # Training rows of the local outlier factor.
_SPLITS, _SPLIT_RATES = 200, (0.1, 0.01)


class Scores(NamedTuple):
  """Scores of a method, higher for outliers, by the part of the rows."""

  calibration: np.ndarray
  test: np.ndarray
  outliers: np.ndarray


def tfvae_scores(rows: Rows, seed: int) -> Iterator[tuple[str, Scores]]:
  """Trains tfvae and yields the scores of each method by name."""
  kind = 'image' if rows.train.ndim == 4 else 'table'
  settings = IMAGE_SETTINGS if kind == 'image' else TABLE_SETTINGS
  tf_keras.utils.set_random_seed(seed)
  model = models.image_vae(
      settings['latents'], rows.train.shape[1:], seed=seed,
      hidden_units=settings['hidden_units'], likelihood=settings['likelihood'])
  model.compile('adam')
  model.fit(rows.train, epochs=settings['epochs'],
            batch_size=settings['batch_size'], verbose=0)
  for method, names in SCORES.items():
    if method == _LEFT_OUT[kind]:
      continue
    detector = anomaly.calibrate(
        model, rows.calibration, names, false_alarm_rate=rows.rate, seed=seed)
    found = detector.detect(np.concatenate([rows.test, rows.outliers])).score
    yield method, Scores(
        detector.calibration, *np.split(found, [len(rows.test)]))


def sklearn_scores(rows: Rows, seed: int) -> Iterator[tuple[str, Scores]]:
  """Yields the scores of the methods of scikit-learn by name."""
  train = flat(rows.train)
  chosen = np.random.default_rng(seed).permutation(len(train))[:_LOF_ROWS]
  for method, model, own in (
      ('isolation_forest', ensemble.IsolationForest(random_state=seed), train),
      ('local_outlier_factor',
       neighbors.LocalOutlierFactor(novelty=True), train[chosen])):
    yield method, _parted(rows, -model.fit(own).score_samples(rows.new))


def pyod_scores(rows: Rows, seed: int, versions: dict[str, str]
                ) -> Iterator[tuple[str, Scores]]:
  """Yields the scores of pyod's VAE by name.

  Args:
    rows: Rows of the data set.
    seed: Seed of the weights.
    versions: Receives the versions of the packages.
  """
  is_image = rows.train.ndim == 4
  own = IMAGE_SETTINGS if is_image else TABLE_SETTINGS
  same = {
      'latent_dim': own['latents'], 'epoch_num': own['epochs'],
      'batch_size': own['batch_size'], 'dropout_rate': 0,
      'encoder_neuron_list': own['hidden_units'],
      'decoder_neuron_list': own['hidden_units'][::-1],
      'hidden_activation_name': 'tanh',
      'output_activation_name': 'sigmoid' if is_image else 'identity'}
  # The defaults are 30 epochs in batches of 32, minutes for images.
  variants = {'pyod_vae_same': same} | ({} if is_image else {'pyod_vae': {}})
  for method, settings in variants.items():
    with tempfile.TemporaryDirectory() as directory:
      case = {'rows': os.path.join(directory, 'rows.npz'),
              'scores': os.path.join(directory, 'scores.npy'),
              'seed': seed,
              # Columns of tables are standardized already.
              'settings': settings | {'preprocessing': False}}
      np.savez(case['rows'], train=flat(rows.train), new=rows.new)
      record = processes.measurements(processes.Process([
          _PEERS_PYTHON.value, '-m', 'benchmarks.peers.pyod_vae',
          json.dumps(case)]))
      versions.update(record['versions'])
      yield method, _parted(rows, np.load(case['scores']))


def _parted(rows: Rows, scores: np.ndarray) -> Scores:
  """Returns the scores of `rows.new` by part."""
  return Scores(*np.split(
      scores, np.cumsum([len(part) for part in rows[1:-1]])))


def figures(scores: Scores, rate: float) -> dict[str, Any]:
  """Returns the area under the ROC curve, and shares of alarms.

  The share of false alarms has its expected value, and the interval that 95 %
  of all splits are within.

  Args:
    scores: Scores of a method.
    rate: False-alarm rate α of the threshold.
  """
  alarms = anomaly.FalseAlarms(len(scores.calibration), rate)
  is_outlier = np.repeat([0, 1], [len(scores.test), len(scores.outliers)])
  false, found = (
      float(np.mean(anomaly.conformal_p_values(scores.calibration, part)
                    <= rate)) for part in scores[1:])
  return {'auroc': float(metrics.roc_auc_score(
      is_outlier, np.concatenate(scores[1:]))),
          'detected': found, 'false_alarms': false,
          'expected': alarms.expected,
          'interval': list(alarms.observed_interval(len(scores.test)))}


def random_splits(scores: Scores, rate: float) -> dict[str, Any]:
  """Returns the share of false alarms over random splits of normal rows.

  Without ties the number of alarms of each split is an independent draw of a
  beta-binomial distribution, so that the interval of their mean is exact.

  Args:
    scores: Scores, of which each split has new calibration and test rows.
    rate: False-alarm rate α.
  """
  count, rows = len(scores.calibration), len(scores.test)
  pool = np.concatenate([scores.calibration, scores.test])
  rng, shares = np.random.default_rng(0), []
  for _ in range(_SPLITS):
    calibration, test = np.split(rng.permutation(pool), [count])
    shares.append(np.mean(
        anomaly.conformal_p_values(calibration, test) <= rate))
  alarms = anomaly.FalseAlarms(count, rate)
  low, high = alarms.observed_interval(rows)
  return {
      'rate': rate, 'splits': _SPLITS, 'calibration_rows': count,
      'test_rows': rows, 'expected': alarms.expected,
      'mean': float(np.mean(shares)),
      'mean_interval': mean_interval(alarms, rows, _SPLITS),
      'interval': [low, high],
      'splits_in_interval': float(np.mean(
          [low <= share <= high for share in shares]))}


def mean_interval(alarms: anomaly.FalseAlarms, rows: int, splits: int,
                  level: float = 0.95) -> list[float]:
  """Returns the central interval of the mean share of independent splits.

  Args:
    alarms: Distribution of the false-alarm rate of one split.
    rows: Test rows of a split.
    splits: Number of splits.
    level: Probability of the interval.
  """
  pmf = stats.betabinom(
      rows, alarms.rank, alarms.num_calibration + 1 - alarms.rank).pmf(
          np.arange(rows + 1))
  # The pmf of the sum of all splits is a convolution.
  total = np.fft.irfft(
      np.fft.rfft(pmf, 2 * splits * rows)**splits, 2 * splits * rows)
  cdf = np.cumsum(total)
  return [float(np.searchsorted(cdf, quantile)) / (splits * rows)
          for quantile in ((1 - level) / 2, (1 + level) / 2)]


def measure(rows: Rows, seed: int, versions: dict[str, str]
            ) -> tuple[dict[str, dict[str, Any]], Scores]:
  """Returns the figures of each method, and the scores by −ELBO.

  Args:
    rows: Rows of the data set.
    seed: Seed of the weights and draws.
    versions: Receives the versions of pyod and its packages.
  """
  found, kept = {}, None
  methods = [tfvae_scores(rows, seed), sklearn_scores(rows, seed)]
  if _PEERS_PYTHON.value:
    methods.append(pyod_scores(rows, seed, versions))
  for method, scores in (pair for pairs in methods for pair in pairs):
    found[method] = figures(scores, rows.rate)
    kept = scores if method == 'elbo' else kept
    print(f'  {method}: ' + ', '.join(
        f'{name} {found[method][name]:.4f}'
        for name in ('auroc', 'detected', 'false_alarms', 'expected')),
          flush=True)
  return found, kept


def main(_):
  """Measures, prints and writes the result."""
  result = processes.result('anomalies', {
      'table_settings': TABLE_SETTINGS, 'image_settings': IMAGE_SETTINGS,
      'peer_versions': {}, 'anomalies': []})
  for name in dict.fromkeys(_DATA_SETS.value):
    entry = {'data': name, 'by_round': []}
    result['anomalies'].append(entry)
    for seed in range(_ROUNDS.value if is_table(name) else 1):
      print(f'{name}, round {seed + 1}', flush=True)
      rows = (table_rows(name, _TABLES.value, seed) if is_table(name)
              else image_rows(name, _DATA_DIR.value))
      entry |= {'rate': rows.rate, 'rows': {
          part: len(x) for part, x in rows._asdict().items()}}
      found, scores = measure(rows, seed, result['peer_versions'])
      entry['by_round'].append(found)
    if name == 'fashion_mnist':
      result['random_splits'] = [
          random_splits(scores, rate) for rate in _SPLIT_RATES]
      print(result['random_splits'])
    processes.write(_OUTPUT.value, result)


if __name__ == '__main__':
  app.run(main)
