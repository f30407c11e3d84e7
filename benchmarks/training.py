"""Times the training of tfvae beside peers and a loop written by hand.

  python -m benchmarks.training --data_dir=DIR --peers_python=VENV/bin/python

All train the same networks on the same MNIST images, binarised anew in every
epoch, by Adam at 1e-3: the perceptron of `configs/mnist.flags` and the
convolutions of `configs/mnist_conv.flags`. Each peer is a process of its own,
and they take turns, so that their ratios hold on a machine that others use too.
Out of the same processes come the images a second of whole epochs after the
first; the CPU time; the peak memory of the training; the time from the start of
the process to the end of the first step (of the first execution, where that has
more steps; of the first epoch, where it is one function); and the −ELBO of the
test images after equal epochs, by one evaluator for all.

JAX, PyTorch and pythae, for the perceptron alone, are in an environment of
their own, which `peers/requirements.txt` describes; without `--peers_python`
they are left out, and the table says so.

With more than one importance sample there are tfvae's `--objective=iwae` and
the loop alone, at batch 20, with fewer images.
"""

import functools
import itertools
import shutil
from typing import Any

from absl import app
from absl import flags

from benchmarks import processes
from benchmarks import tables

_DATA_DIR = flags.DEFINE_string('data_dir', None, 'where TFDS keeps MNIST')
_MODELS = flags.DEFINE_list('models', ['mlp', 'conv'], 'kinds of network')
_BATCH_SIZES = flags.DEFINE_list(
    'batch_sizes', ['100', '1000'], 'for one importance sample')
_IMPORTANCE_SAMPLES = flags.DEFINE_list(
    'importance_samples', ['1', '50'], 'K; 1 is the ELBO')
_PEERS_PYTHON = flags.DEFINE_string(
    'peers_python', None,
    'interpreter of an environment with benchmarks/peers/requirements.txt; '
    'without it the peers of other frameworks are left out')
flags.register_validator(
    'peers_python', lambda path: path is None or shutil.which(path),
    'There is no such program.')
_ROUNDS = flags.DEFINE_integer(
    'rounds', 3, 'processes of every peer', lower_bound=1)
_EPOCHS = flags.DEFINE_integer(
    'epochs', 4, 'of each process; the first is not timed', lower_bound=2)
_IMAGES = flags.DEFINE_integer(
    'images', 57_000, 'to train the perceptron on', upper_bound=57_000)
_CONV_IMAGES = flags.DEFINE_integer(
    'conv_images', 10_000, 'to train convolutions on', upper_bound=57_000)
_OUTPUT = flags.DEFINE_string(
    'output', 'benchmarks/results/training.json', 'the result')

# As in Burda et al. 2016; at K = 50 it is 1000 draws a step.
_IMPORTANCE_BATCH_SIZE = 20
# Of a batch; with more a step by XLA on a CPU takes a minute.
_MOST_XLA_CONVOLUTIONS = 100
_LIMITS = ('hand_xla', 'hand_graph')
_OF_EVERY_BOUND = ('tfvae', *_LIMITS)
_OF_ELBO = ('keras3', 'keras3_graph_50', 'keras3_xla_50', 'tfp', 'tfp_xla_50')
# In their own environment.
_OF_OTHERS = ('jax', 'torch', 'torch_compile', 'pythae')
_PEERS = flags.DEFINE_multi_enum(
    'peers', [], [*_OF_EVERY_BOUND, *_OF_ELBO, *_OF_OTHERS],
    'one of them, and again for each other; by default all')


def cases(mnist: str) -> list[dict[str, Any]]:
  """Returns what is measured, in turns.

  Args:
    mnist: the file that peers read.
  """
  chosen = []
  for model, samples in itertools.product(
      _MODELS.value, map(int, _IMPORTANCE_SAMPLES.value)):
    sizes = (map(int, _BATCH_SIZES.value) if samples == 1
             else [_IMPORTANCE_BATCH_SIZE])
    peers = [*_OF_EVERY_BOUND, *(_OF_ELBO if samples == 1 else ())]
    if model == 'mlp' and samples == 1 and _PEERS_PYTHON.value:
      peers += _OF_OTHERS
    for batch_size, peer in itertools.product(sizes, peers):
      takes_minutes = peer == 'hand_xla' and model == 'conv' and (
          samples > 1 or batch_size > _MOST_XLA_CONVOLUTIONS)
      if peer in (_PEERS.value or peers) and not takes_minutes:
        chosen.append({'mnist': mnist} | _case(
            peer, model, batch_size, samples))
  return chosen


def _case(peer: str, model: str, batch_size: int,
          samples: int) -> dict[str, Any]:
  images = _IMAGES.value if model == 'mlp' else _CONV_IMAGES.value
  if samples > 1:
    images //= 10
  case = {'peer': peer, 'model': model, 'batch_size': batch_size,
          'importance_samples': samples, 'epochs': _EPOCHS.value,
          'data_dir': _DATA_DIR.value}
  if peer in _OF_OTHERS:
    case['python'] = _PEERS_PYTHON.value
  if peer == 'hand_xla' and model == 'conv':
    # A hundred times as slow as a graph: too short to be scored.
    images, case = batch_size, case | {'epochs': 2, 'scored': False}
  # Whole batches: XLA compiles another step for the rest of an epoch.
  return case | {'images': max(1, images // batch_size) * batch_size}


def measure(case: dict[str, Any], versions: dict[str, Any]) -> dict[str, float]:
  """Runs a peer, and returns what of its measurements is shown.

  Args:
    case: of the peer.
    versions: by peer; it gets those of this one.
  """
  record = processes.measurements(processes.peer(case))
  versions[case['peer']] = record['versions']
  epochs = record['epochs']
  speeds = record.get('images_per_second') or [
      epoch['images'] / epoch['seconds'] for epoch in epochs]
  return {
      'images_per_second': processes.after_first(speeds),
      'cpu_microseconds_per_image': processes.after_first(
          [1e6 * epoch['cpu_seconds'] / epoch['images'] for epoch in epochs]),
      **{name: record[name] for name in (
          'first_step_seconds', 'peak_mebibytes', 'negative_bound', 'kl')
         if name in record}}


def summarise(chosen: list[dict[str, Any]],
              rows: list[list[dict[str, float]]]) -> list[dict[str, Any]]:
  """Returns medians; `ratio` is to the limit's speed in the same round."""
  limits, summary = {}, []
  for case, own in zip(chosen, rows, strict=True):
    if case['peer'] in _LIMITS:
      limits.setdefault(_setting(case), []).append(
          [row['images_per_second'] for row in own])
  for case, own in zip(chosen, rows, strict=True):
    row = {name: value for name, value in case.items()
           if name not in processes.NOT_SHOWN}
    row |= processes.medians(own) | {'by_round': own}
    if _setting(case) in limits:
      # The faster of the loop's forms, round by round.
      limit = map(max, zip(*limits[_setting(case)], strict=True))
      row |= processes.median_and_range(
          r['images_per_second'] / fastest
          for r, fastest in zip(own, limit, strict=True))
    summary.append(row)
  return summary


def _setting(case: dict[str, Any]) -> tuple[Any, ...]:
  return case['model'], case['batch_size'], case['importance_samples']


def main(_):
  """Measures, prints and writes the result."""
  result = processes.result('training', {'rounds': _ROUNDS.value})
  result['peer_versions'] = {}
  with processes.mnist(_DATA_DIR.value) as mnist:
    chosen = cases(mnist)
    rows = processes.turns(_ROUNDS.value, chosen, functools.partial(
        measure, versions=result['peer_versions']))
  result['training'] = summarise(chosen, rows)
  processes.write(_OUTPUT.value, result)
  print(tables.training(result))


if __name__ == '__main__':
  app.run(main)
