"""Benchmark of the importance-weighted NLL, compared with single-image loops.

  python -m benchmarks.importance_weighted --full=10000

The model is the one-layer model of Burda et al., 784-200-200-50, tanh. Its
weights are random, which does not affect the time. Three measurements:

- speed: draws per second of `tfvae.evaluation.importance_weighted_nll` and of
  plain loops in the same TensorFlow with the same weights. They take turns
  within one process, so the ratio is valid on a machine with other users;
- with --full=10000, the wall-clock time for the whole test set;
- memory: the peak of a new process for each K.
"""

import json
import pathlib
import re
import statistics
import subprocess
import sys
import time

from absl import app
from absl import flags
import numpy as np
import tensorflow as tf
import tf_keras

from benchmarks import machine
from benchmarks import single_image_loop
from tfvae import data
from tfvae import KLDivergenceRegularizer
from tfvae import layers
from tfvae import priors
from tfvae import VAE
from tfvae.evaluation import importance_weighted_nll

_DATA_DIR = flags.DEFINE_string(
    'data_dir', None, 'directory of TensorFlow Datasets with MNIST, binarized '
    'with seed 0; without it, random binary images of the shape of MNIST')
_NUM_SAMPLES = flags.DEFINE_integer(
    'num_samples', 5000, 'K, a multiple of the 1000 draws of a loop')
_BATCH_SIZE = flags.DEFINE_integer('batch_size', 100, 'batch size of tfvae')
_PLAIN_IMAGES = flags.DEFINE_integer(
    'plain_images', 20, 'images per plain loop and round')
_ROUNDS = flags.DEFINE_integer('rounds', 5, 'number of rounds')
_FULL = flags.DEFINE_integer(
    'full', 0, 'number of images whose total time is measured too; 0 for none')
_MEMORY_SAMPLES = flags.DEFINE_list(
    'memory_samples', ['50', '500', '5000'], 'K of the memory measurements')
_MEMORY_IMAGES = flags.DEFINE_integer(
    'memory_images', 200, 'images per memory measurement')
_OUTPUT = flags.DEFINE_string(
    'output', 'benchmarks/results/importance_weighted.json',
    'file of the result')
_PEAK_MEMORY_OF = flags.DEFINE_integer(
    'peak_memory_of', None, 'only print the peak memory at this K')

flags.register_validator(
    'num_samples', lambda k: k > 0 and k % 1000 == 0,
    'must be a positive multiple of 1000')

_LATENT_SIZE = 50
_TEST_SET_SIZE = 10_000

# tfvae by its argument `jit_compile`.
_TFVAE_FORMS = {'tfvae': False, 'tfvae, XLA': True}


def make_model() -> VAE:
  """Returns the VAE; its networks are callable without the distributions."""
  tf_keras.utils.set_random_seed(0)

  def dense(units, activation=None):
    return tf_keras.layers.Dense(units, activation=activation)

  prior = priors.StandardNormal(_LATENT_SIZE)
  encoder = tf_keras.Sequential([
      tf_keras.layers.InputLayer([28, 28, 1]), tf_keras.layers.Flatten(),
      dense(200, 'tanh'), dense(200, 'tanh'), dense(2 * _LATENT_SIZE),
      layers.MultivariateNormalDiag(
          _LATENT_SIZE, activity_regularizer=KLDivergenceRegularizer(prior))])
  decoder = tf_keras.Sequential([
      tf_keras.layers.InputLayer([_LATENT_SIZE]),
      dense(200, 'tanh'), dense(200, 'tanh'), dense(784),
      layers.IndependentBernoulli((28, 28, 1))])
  return VAE(encoder, decoder)


def binary_images() -> np.ndarray:
  """Returns the binary test set, or as many random images, float32."""
  if _DATA_DIR.value:
    images = data.load_images('mnist', _DATA_DIR.value).test.images
    return data.fixed_binarization(images, seed=0).astype(np.float32)
  return random_images(_TEST_SET_SIZE)


def random_images(n: int) -> np.ndarray:
  """Returns binary images `[n, 28, 28, 1]`, float32, as bright as MNIST."""
  return np.float32(np.random.default_rng(0).random((n, 28, 28, 1)) < 0.13)


class TimedBatches:
  """Batches that record the time that their consumer takes for each.

  Attributes:
    seconds: Wall-clock time of each batch; the first includes compilation.
    cpu_seconds: CPU time of each batch, of this process on all cores.
  """

  def __init__(self, images: np.ndarray, batch_size: int):
    self._batches = [tf.constant(images[start:start + batch_size])
                     for start in range(0, len(images), batch_size)]
    self.seconds, self.cpu_seconds = [], []

  def cardinality(self) -> int:
    """Returns the number of batches, as a `tf.data.Dataset` does."""
    return len(self._batches)

  def __iter__(self):
    for batch in self._batches:
      start, cpu_start = time.perf_counter(), time.process_time()
      yield batch
      self.seconds.append(time.perf_counter() - start)
      self.cpu_seconds.append(time.process_time() - cpu_start)


def measure_speed(model: VAE, images: np.ndarray) -> dict[str, list[dict]]:
  """Returns a row per round for each form, by name."""
  k, few = _NUM_SAMPLES.value, images[:_PLAIN_IMAGES.value]
  loops = {name: single_image_loop.log_evidence_fn(model, k, *form)
           for name, form in single_image_loop.FORMS.items()}
  for loop in loops.values():
    loop(few[:1], 0)  # Compiles, if the form is compiled.
  rows = {name: [] for name in [*_TFVAE_FORMS, *single_image_loop.FORMS]}
  for index in range(1, 1 + _ROUNDS.value):
    for name, loop in loops.items():
      start, cpu_start = time.perf_counter(), time.process_time()
      nll = -loop(few, index)
      rows[name].append(_row(
          time.perf_counter() - start, time.process_time() - cpu_start, nll, k))
    for name, jit_compile in _TFVAE_FORMS.items():
      batches = TimedBatches(images[:2 * _BATCH_SIZE.value], _BATCH_SIZE.value)
      nll = importance_weighted_nll(
          model, batches, k, seed=index, jit_compile=jit_compile).values
      row = _row(batches.seconds[1], batches.cpu_seconds[1],
                 nll[_BATCH_SIZE.value:], k)
      rows[name].append(row | {
          'nll': float(nll[:len(few)].mean()),  # Of the images of the loops.
          'compile_seconds': batches.seconds[0] - batches.seconds[1]})
    print(f'Round {index} of {_ROUNDS.value} is done.', flush=True)
  return rows


def _row(seconds: float, cpu_seconds: float, nll: np.ndarray, k: int) -> dict:
  draws = len(nll) * k
  return {'microseconds_per_draw': 1e6 * seconds / draws,
          'cpu_microseconds_per_draw': 1e6 * cpu_seconds / draws,
          'nll': float(nll.mean())}


def summarise_speed(rows: dict[str, list[dict]]) -> dict[str, dict]:
  """Returns medians over the rounds; a ratio is computed within each round."""
  ours = rows[next(iter(_TFVAE_FORMS))]
  summary = {}
  for name, form in rows.items():
    medians = {key: statistics.median(row[key] for row in form)
               for key in form[0]}
    ratios = {
        f'{kind}ratio': [row[key] / own[key]
                         for row, own in zip(form, ours, strict=True)]
        for kind, key in (('', 'microseconds_per_draw'),
                          ('cpu_', 'cpu_microseconds_per_draw'))}
    summary[name] = medians | {
        'draws_per_second': 1e6 / medians['microseconds_per_draw'],
        'minutes_extrapolated': medians['microseconds_per_draw'] * (
            _TEST_SET_SIZE * _NUM_SAMPLES.value / 60e6)} | {
                key: statistics.median(values)
                for key, values in ratios.items()} | {
                    'ratio_range': [min(ratios['ratio']), max(ratios['ratio'])]}
  return summary


def measure_full(model: VAE, images: np.ndarray) -> dict[str, float]:
  """Returns the time for all images, including compilation."""
  batches = TimedBatches(images, _BATCH_SIZE.value)
  start, cpu_start = time.perf_counter(), time.process_time()
  importance_weighted_nll(model, batches, _NUM_SAMPLES.value, verbose=True)
  return {'images': len(images), 'num_samples': _NUM_SAMPLES.value,
          'minutes': (time.perf_counter() - start) / 60,
          'cpu_minutes': (time.process_time() - cpu_start) / 60}


def print_peak_memory(num_samples: int):
  """Prints the peak memory of this process before and after an evaluation."""
  model, images = make_model(), random_images(_MEMORY_IMAGES.value)
  before = machine.peak_mebibytes()
  importance_weighted_nll(
      model, TimedBatches(images, _BATCH_SIZE.value), num_samples)
  print(json.dumps({'num_samples': num_samples, 'before_mebibytes': before,
                    'peak_mebibytes': machine.peak_mebibytes()}))


def measure_memory() -> list[dict[str, float]]:
  """Returns the peak memory of a new process for each K."""
  flagged = [f'--memory_images={_MEMORY_IMAGES.value}',
             f'--batch_size={_BATCH_SIZE.value}']
  return [
      json.loads(subprocess.run(
          [sys.executable, '-m', 'benchmarks.importance_weighted', *flagged,
           f'--peak_memory_of={k}'],
          check=True, stdout=subprocess.PIPE, text=True,
      ).stdout.splitlines()[-1])
      for k in _MEMORY_SAMPLES.value]


def print_tables(result: dict):
  """Prints the result as tables."""
  print(f'\n{"":32}{"µs/draw":>10}{"CPU µs":>8}{"minutes":>9}{"ratio":>7}'
        f'{"range":>12}{"CPU ratio":>11}{"NLL":>8}')
  for name, row in result['speed'].items():
    low, high = row['ratio_range']
    print(f'{name:32}{row["microseconds_per_draw"]:10.1f}'
          f'{row["cpu_microseconds_per_draw"]:8.1f}'
          f'{row["minutes_extrapolated"]:9.1f}{row["ratio"]:7.2f}'
          f'{f"{low:.2f}-{high:.2f}":>12}{row["cpu_ratio"]:11.2f}'
          f'{row["nll"]:8.2f}')
  for row in result['memory']:
    print(f'K = {row["num_samples"]:5}: peak {row["peak_mebibytes"]:.0f} MiB, '
          f'{row["before_mebibytes"]:.0f} MiB before the evaluation')
  if 'full' in result:
    full = result['full']
    print(f'{full["images"]} images at K = {full["num_samples"]}: '
          f'{full["minutes"]:.1f} minutes, '
          f'{full["cpu_minutes"]:.1f} minutes of CPU time')


def _without_paths(arguments: list[str]) -> list[str]:
  """Returns the command line without paths of this machine."""
  return [re.sub('^--?data_dir=.*', '--data_dir=DATA_DIR', argument)
          for argument in arguments if 'output=' not in argument]


def main(_):
  """Measures, prints and writes the result."""
  if _PEAK_MEMORY_OF.value:
    print_peak_memory(_PEAK_MEMORY_OF.value)
    return
  model, images = make_model(), binary_images()
  result = machine.setting() | {
      'command': 'python -m benchmarks.importance_weighted '
                 + ' '.join(_without_paths(sys.argv[1:])),
      'model': '784-200-200-50 tanh, random weights',
      'images': 'mnist' if _DATA_DIR.value else 'random binary, 13 % ones',
      'num_samples': _NUM_SAMPLES.value, 'batch_size': _BATCH_SIZE.value,
      'rounds': _ROUNDS.value}
  result['memory'] = measure_memory()
  rows = measure_speed(model, images)
  result |= {'speed': summarise_speed(rows), 'speed_by_round': rows}
  if _FULL.value:
    result['full'] = measure_full(model, images[:_FULL.value])
  print_tables(result)
  path = pathlib.Path(_OUTPUT.value)
  path.parent.mkdir(parents=True, exist_ok=True)
  path.write_text(json.dumps(result, indent=2) + '\n', encoding='utf-8')


if __name__ == '__main__':
  app.run(main)
