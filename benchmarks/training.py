"""Benchmark of training, compared with peers and with a loop by hand.

  python -m benchmarks.training --data_dir=DIR --peers_python=VENV/bin/python

A peer is another program that trains the same networks on the same MNIST
images, with a new binarization in every epoch, with Adam at 1e-3: the
perceptron of `configs/mnist.flags` and the convolutions of
`configs/mnist_conv.flags`. Each peer runs in a separate process, and the
processes take turns, so the ratios are valid on a machine with other users.
Each process measures the images per second of whole epochs after the first; the
CPU time; the peak memory of the training; the time from the start of the
process to the end of the first step (of the first execution or epoch, if that
is one function); and the −ELBO of the test images after equal numbers of
epochs, computed by one evaluator.

JAX, PyTorch and pythae need a separate environment with
`peers/requirements.txt`; without `--peers_python` they are omitted, and the
table names them. JAX and pythae train only the perceptron.

With more than one importance sample only `--objective=iwae` of tfvae and the
loop are measured, with a batch size of 20 and fewer images.

A second part is the whole job of `configs/digits.flags`, 400 epochs of 13
steps, from the start of a process to its end. Peers train as long and compute
the ELBO of the test images; tfvae also validates, writes checkpoints and a
history, selects the best epoch, exports, evaluates and writes its report.

`--quick` takes five minutes: two rounds of the perceptron at batch 100 and of
the whole job, of tfvae, the loop and two peers.
"""

import functools
import itertools
import json
import os
import shutil
import tempfile
import time
from typing import Any

from absl import app
from absl import flags

from benchmarks import processes
from benchmarks import tables
from benchmarks.peers.mnist import DIGITS_IMAGES

_DATA_DIR = flags.DEFINE_string(
    'data_dir', None, 'directory of TensorFlow Datasets with MNIST')
_MODELS = flags.DEFINE_list('models', ['mlp', 'conv'], 'kinds of network')
_BATCH_SIZES = flags.DEFINE_list(
    'batch_sizes', ['100', '1000'], 'batch sizes for one importance sample')
_IMPORTANCE_SAMPLES = flags.DEFINE_list(
    'importance_samples', ['1', '50'], 'values of K; 1 is the ELBO')
_PEERS_PYTHON = flags.DEFINE_string(
    'peers_python', None,
    'interpreter of an environment with benchmarks/peers/requirements.txt; '
    'without it the peers of other frameworks are omitted')
flags.register_validator(
    'peers_python', lambda path: path is None or shutil.which(path),
    'There is no such program.')
_ROUNDS = flags.DEFINE_integer(
    'rounds', 3, 'processes per peer', lower_bound=1)
_EPOCHS = flags.DEFINE_integer(
    'epochs', 4, 'epochs of each process; the first is not timed',
    lower_bound=2)
_IMAGES = flags.DEFINE_integer(
    'images', 57_000, 'training images of the perceptron', upper_bound=57_000)
_CONV_IMAGES = flags.DEFINE_integer(
    'conv_images', 10_000, 'training images of the convolutions',
    upper_bound=57_000)
_QUICK = flags.DEFINE_bool(
    'quick', False, 'few cases: other flags that choose cases have no effect')
_OUTPUT = flags.DEFINE_string(
    'output', None, 'file of the result; by default '
    'benchmarks/results/training.json, and none with --quick')

# The batch size of Burda et al. 2016; with K = 50, a step has 1000 draws.
_IMPORTANCE_BATCH_SIZE = 20
# Largest batch; with more images, an XLA step on a CPU takes a minute.
_MOST_XLA_CONVOLUTIONS = 100
_LIMITS = ('hand_xla', 'hand_graph')
_OF_EVERY_BOUND = ('tfvae', *_LIMITS)
_OF_ELBO = ('keras3', 'keras3_graph_50', 'keras3_xla_50', 'tfp', 'tfp_xla_50')
_OF_WHOLE_JOB = ('tfvae', 'hand_xla', 'keras3', 'jax', 'torch')
_OF_QUICK = ('tfvae', 'hand_xla', 'keras3', 'jax')
# Peers in a separate environment, and those that also train the convolutions.
_OF_OTHERS = ('jax', 'torch', 'torch_compile', 'pythae')
_OF_OTHERS_CONV = ('torch', 'torch_compile')
_PEERS = flags.DEFINE_multi_enum(
    'peers', [], [*_OF_EVERY_BOUND, *_OF_ELBO, *_OF_OTHERS],
    'peer to measure; repeat the flag for more; all by default')


def cases(mnist: str) -> list[dict[str, Any]]:
  """Returns the cases in the order of the turns.

  Args:
    mnist: Path of the file that peers read.
  """
  chosen = []
  for model, samples in itertools.product(
      _MODELS.value, map(int, _IMPORTANCE_SAMPLES.value)):
    sizes = (map(int, _BATCH_SIZES.value) if samples == 1
             else [_IMPORTANCE_BATCH_SIZE])
    peers = [*_OF_EVERY_BOUND, *(_OF_ELBO if samples == 1 else ())]
    if samples == 1 and _PEERS_PYTHON.value:
      peers += _OF_OTHERS if model == 'mlp' else _OF_OTHERS_CONV
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
    # XLA is too slow here for a training that can be scored.
    images, case = batch_size, case | {'epochs': 2, 'scored': False}
  # Whole batches: XLA would compile another step for a smaller last batch.
  return case | {'images': max(1, images // batch_size) * batch_size}


def measure(case: dict[str, Any], versions: dict[str, Any]) -> dict[str, float]:
  """Runs a peer and returns the measurements of the table.

  Args:
    case: Case of the peer.
    versions: Dictionary by peer, to which the versions of this peer are added.
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
  """Returns medians; `ratio` is relative to the limit in the same round."""
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
      # The faster version of the loop in each round.
      limit = map(max, zip(*limits[_setting(case)], strict=True))
      row |= processes.median_and_range(
          r['images_per_second'] / fastest
          for r, fastest in zip(own, limit, strict=True))
    summary.append(row)
  _add_first_step_ratios(summary)
  return summary


def _add_first_step_ratios(summary: list[dict[str, Any]]):
  """Adds the first step relative to that of other programs, by round."""
  steps = {(_setting(row), row['peer']): [
      own['first_step_seconds'] for own in row['by_round']] for row in summary}
  for row in summary:
    for name, peer in (('keras3', 'keras3'), ('hand', 'hand_xla')):
      base = steps.get((_setting(row), peer))
      if base:
        row |= processes.median_and_range(
            (own['first_step_seconds'] / other
             for own, other in zip(row['by_round'], base, strict=True)),
            f'first_step_to_{name}')


def whole_job(case: dict[str, Any]) -> dict[str, float]:
  """Runs the whole job of a peer, and returns its time and its −ELBO."""
  start = time.monotonic()
  if case['peer'] != 'tfvae':
    record = processes.measurements(processes.peer(case))
    return {'seconds': time.monotonic() - start,
            'negative_bound': record['negative_bound']}
  with tempfile.TemporaryDirectory() as directory:
    workdir = os.path.join(directory, 'run')
    processes.wait([processes.Process(
        [*processes.PROGRAM, '--flagfile=configs/digits.flags',
         f'--workdir={workdir}'])])
    seconds = time.monotonic() - start
    with open(os.path.join(workdir, 'metrics.json'), encoding='utf-8') as file:
      return {'seconds': seconds,
              'negative_bound': -json.load(file)['test']['elbo']}


def whole_job_cases(mnist: str) -> list[dict[str, Any]]:
  """Returns the peers of the whole job, in the order of their turns."""
  return [
      {'peer': peer, 'model': 'digits', 'batch_size': 100, 'epochs': 400,
       'importance_samples': 1, 'images': DIGITS_IMAGES, 'mnist': mnist}
      | ({'python': _PEERS_PYTHON.value} if peer in _OF_OTHERS else {})
      for peer in _PEERS.value or _OF_WHOLE_JOB if peer in _OF_WHOLE_JOB and (
          peer not in _OF_OTHERS or _PEERS_PYTHON.value)]


def summarise_jobs(chosen: list[dict[str, Any]],
                   rows: list[list[dict[str, float]]]) -> list[dict[str, Any]]:
  """Returns medians; `ratio` is the time of tfvae relative to each peer."""
  own = next((rows for case, rows in zip(chosen, rows, strict=True)
              if case['peer'] == 'tfvae'), None)
  summary = []
  for case, found in zip(chosen, rows, strict=True):
    row = {'peer': case['peer']} | processes.medians(found) | {
        'by_round': found}
    if own:
      row |= processes.median_and_range(
          one['seconds'] / other['seconds']
          for one, other in zip(own, found, strict=True))
    summary.append(row)
  return summary


def _make_quick():
  """Sets the flags to few cases."""
  for name, value in {
      'models': ['mlp'], 'batch_sizes': ['100'], 'importance_samples': ['1'],
      'peers': list(_OF_QUICK), 'epochs': 3, 'images': 20_000,
      'rounds': 2}.items():
    setattr(flags.FLAGS, name, value)


def _setting(case: dict[str, Any]) -> tuple[Any, ...]:
  return case['model'], case['batch_size'], case['importance_samples']


def main(_):
  """Measures, prints and writes the result."""
  if _QUICK.value:
    _make_quick()
  result = processes.result('training', {'rounds': _ROUNDS.value})
  result['peer_versions'] = {}
  with processes.mnist(_DATA_DIR.value) as mnist:
    chosen, jobs = cases(mnist), whole_job_cases(mnist)
    rows = processes.turns(_ROUNDS.value, chosen, functools.partial(
        measure, versions=result['peer_versions']))
    job_rows = processes.turns(_ROUNDS.value, jobs, whole_job)
  result['training'] = summarise(chosen, rows)
  result['whole_job'] = summarise_jobs(jobs, job_rows)
  output = _OUTPUT.value or (
      None if _QUICK.value else 'benchmarks/results/training.json')
  if output:
    processes.write(output, result)
  print(tables.training(result), tables.start_up(result), sep='\n')


if __name__ == '__main__':
  app.run(main)
