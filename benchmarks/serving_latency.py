"""Benchmark of a served model in the C++ loader, compared with Python calls.

  python -m benchmarks.serving_latency

The models have the image shape of MNIST and random weights, which do not affect
the time: 784-200-200-50, and the network of `configs/mnist_conv.flags`. The
benchmark calls `encode` and `reconstruct`, from a NumPy array to NumPy arrays,

- in the C++ loader of a server, without the network and the queue of a server;
- in Python: on the SavedModel, on the model in a `tf.function` and eagerly, and
  with `predict`, which has no `encode`.

All variants take turns within one run, so the ratios are valid on a machine
with other users. A ratio is computed from medians within a round; the result is
the median ratio over the rounds.
"""

from collections.abc import Callable
import functools
import json
import pathlib
import statistics
import tempfile
import time

from absl import app
from absl import flags
from absl import logging
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp
import tf_keras

from benchmarks import machine
from tests.serving.cpp_loader import CppLoader
from tfvae import models
from tfvae import serving

_BATCH_SIZES = flags.DEFINE_list(
    'batch_sizes', ['1', '32', '256'], 'numbers of rows')
_ROUNDS = flags.DEFINE_integer('rounds', 20, 'number of rounds')
_CALLS = flags.DEFINE_integer('calls', 25, 'calls per variant and round')
_OUTPUT = flags.DEFINE_string(
    'output', 'benchmarks/results/serving_latency.json', 'file of the result')

_NETWORKS = {
    'mlp': {'hidden_units': (200, 200)},
    'conv': {'network': 'conv', 'hidden_units': (32, 64),
             'activation': 'relu'}}

_CPP = 'C++ loader'
# Function from a number of calls to the seconds of each call.
Timer = Callable[[int], list[float]]


def timer(function: Callable[[], object]) -> Timer:
  """Returns a function that times calls of another function."""
  def time_calls(calls):
    seconds = []
    for _ in range(calls):
      start = time.perf_counter()
      function()
      seconds.append(time.perf_counter() - start)
    return seconds
  return time_calls


def functions(model: models.GraphVAE,
              path: str) -> dict[tuple[str, str], Callable[..., dict]]:
  """Returns the functions to call in Python, by signature and variant."""
  served = tf.saved_model.load(path).signatures
  images = tf.TensorSpec([None, 28, 28, 1])

  def encode(x):
    q = model.infer(x, tfp.distributions.Distribution.mean).posteriors['z']
    return {'loc': q.mean(), 'scale_diag': q.stddev()}

  def reconstruct(x):
    return {'mean': model(x).mean()}

  forms = {}
  for function in (encode, reconstruct):
    name = function.__name__
    forms |= {(name, 'SavedModel in Python'): served[name],
              (name, 'tf.function'): tf.function(
                  function, input_signature=[images]),
              (name, 'eager'): function}
  return forms


def timers(model: models.GraphVAE, path: str, loader: CppLoader
           ) -> dict[tuple[int, str, str], Timer]:
  """Returns timers by batch size, signature and variant, after a first call."""
  rng, forms = np.random.default_rng(0), {}
  in_python = functions(model, path)

  def call(function, x):
    outputs = function(x=tf.constant(x))
    return {name: value.numpy() for name, value in outputs.items()}

  for size in map(int, _BATCH_SIZES.value):
    x = np.float32(rng.random((size, 28, 28, 1)) < 0.13)
    for name in ('encode', 'reconstruct'):
      forms[size, name, _CPP] = functools.partial(
          loader.seconds, path, name, {'x': x})
    for key, function in in_python.items():
      forms[size, *key] = timer(functools.partial(call, function, x))
    forms[size, 'reconstruct', 'predict'] = timer(
        functools.partial(model.predict, x, batch_size=size, verbose=0))
  for form in forms.values():
    form(2)  # Compiles, if the variant is compiled.
  return forms


def measure(directory: str) -> dict[tuple, list[list[float]]]:
  """Returns seconds by network, batch size, signature, variant and round."""
  forms = {}
  with CppLoader() as loader:
    for network, settings in _NETWORKS.items():
      tf_keras.utils.set_random_seed(0)
      model = models.image_vae('z:50', (28, 28, 1), **settings)
      path = serving.export_saved_model(model, f'{directory}/{network}')
      forms |= {(network, *key): form
                for key, form in timers(model, path, loader).items()}
    seconds = {key: [] for key in forms}
    for index in range(_ROUNDS.value):
      for key, form in forms.items():
        seconds[key].append(form(_CALLS.value))
      print(f'Round {index + 1} of {_ROUNDS.value} is done.', flush=True)
  return seconds


def summarise(seconds: dict[tuple, list[list[float]]]) -> list[dict]:
  """Returns a row for each model, batch size, signature and variant."""
  rows = []
  for (*what, form), rounds in seconds.items():
    ours = seconds[*what, _CPP]
    ratios = [statistics.median(own) / statistics.median(cpp)
              for own, cpp in zip(rounds, ours, strict=True)]
    median, p99 = 1e6 * np.percentile(rounds, [50, 99])
    rows.append(dict(zip(
        ('network', 'batch_size', 'signature'), what, strict=True)) | {
            'form': form, 'median_microseconds': median,
            'p99_microseconds': p99, 'ratio': statistics.median(ratios),
            'ratio_range': [min(ratios), max(ratios)]})
  return sorted(rows, key=lambda row: (
      row['network'], row['signature'], row['batch_size'], row['ratio']))


def print_table(rows: list[dict]):
  """Prints the result as a table."""
  print(f'\n{"":46}{"median µs":>10}{"p99 µs":>9}{"ratio":>8}{"range":>16}')
  for row in rows:
    low, high = row['ratio_range']
    print(f'{row["network"]:5}{row["signature"]:12}{row["batch_size"]:5}  '
          f'{row["form"]:22}{row["median_microseconds"]:10.0f}'
          f'{row["p99_microseconds"]:9.0f}{row["ratio"]:8.2f}'
          f'{f"{low:.2f}-{high:.2f}":>16}')


def main(_):
  """Measures, prints and writes the result."""
  logging.set_verbosity(logging.WARNING)  # Hides the log lines of each export.
  result = machine.setting() | {
      'command': 'python -m benchmarks.serving_latency',
      'models': _NETWORKS, 'rounds': _ROUNDS.value, 'calls': _CALLS.value}
  with tempfile.TemporaryDirectory() as directory:
    result['latency'] = summarise(measure(directory))
  print_table(result['latency'])
  path = pathlib.Path(_OUTPUT.value)
  path.parent.mkdir(parents=True, exist_ok=True)
  path.write_text(json.dumps(result, indent=2) + '\n', encoding='utf-8')


if __name__ == '__main__':
  app.run(main)
