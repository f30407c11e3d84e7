"""Distribution strategies of a run: devices and machines."""

from collections.abc import Sequence
import functools
import json
import logging
import os
import re
import socket
import time
from typing import Any

import tensorflow as tf

from tfvae import autograph
from tfvae.training.config import TrainingConfig

_LOGGER = logging.getLogger(__name__)

_GONE_SECONDS = 60  # Silence after which the coordinator counts as ended.


def make_strategy(config: TrainingConfig) -> tf.distribute.Strategy:
  """Returns the strategy of a run; call it before any other TensorFlow code.

  Args:
    config: Settings of the training.

  Raises:
    ValueError: If the strategy needs `TF_CONFIG`, and that is missing or
      malformed.
  """
  match config.strategy:
    case 'auto':
      gpus = tf.config.list_logical_devices('GPU')
      return (tf.distribute.MirroredStrategy() if len(gpus) > 1
              else tf.distribute.get_strategy())
    case 'one_device':
      gpus = tf.config.list_logical_devices('GPU')
      return tf.distribute.OneDeviceStrategy('GPU:0' if gpus else 'CPU:0')
    case 'mirrored':
      return tf.distribute.MirroredStrategy()
    case 'multi_worker':
      _check_cluster({'chief', 'worker'}, config)
      return tf.distribute.MultiWorkerMirroredStrategy()
    case 'parameter_server':
      _check_cluster({'chief', 'worker', 'ps'}, config)
      return tf.distribute.ParameterServerStrategy(
          tf.distribute.cluster_resolver.TFConfigClusterResolver())
  return tf.distribute.get_strategy()


def devices_here(config: TrainingConfig) -> list[str | None]:
  """Returns the devices of this machine on which a trained model is used.

  They are those of `strategy='mirrored'`, and all GPUs if there are several and
  the strategy is no other one of a single device. None is the default device.

  Args:
    config: Settings of the training.
  """
  if config.strategy == 'mirrored':
    return list(make_strategy(config).extended.worker_devices)
  gpus = [gpu.name for gpu in tf.config.list_logical_devices('GPU')]
  is_single = config.strategy in ('default', 'one_device')
  return [None] if is_single or len(gpus) < 2 else gpus


def is_chief(strategy: tf.distribute.Strategy) -> bool:
  """Returns whether this process writes the results."""
  resolver = strategy.cluster_resolver
  if resolver is None or not resolver.task_type:
    return True
  if 'chief' in resolver.cluster_spec().jobs:
    return resolver.task_type == 'chief'
  return resolver.task_type == 'worker' and resolver.task_id == 0


def is_asynchronous(strategy: tf.distribute.Strategy) -> bool:
  """Returns whether each worker trains at its own pace."""
  return isinstance(strategy, tf.distribute.ParameterServerStrategy)


def num_workers(strategy: tf.distribute.Strategy) -> int:
  """Returns the number of processes that train in step, this one included."""
  if not isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
    return 1
  jobs = strategy.cluster_resolver.cluster_spec().as_dict()
  return sum(len(tasks) for tasks in jobs.values()) or 1


def sum_over_workers(strategy: tf.distribute.Strategy,
                     values: Sequence[int]) -> list[int]:
  """Returns sums over the processes, each of which must call this.

  Args:
    strategy: Strategy of the training.
    values: Values of this process, which a single process gets back.
  """
  if num_workers(strategy) == 1:
    return list(values)
  here = strategy.num_replicas_in_sync // num_workers(strategy)
  sums = _sum_over_replicas(strategy)(tf.constant(values, tf.int64))
  return [int(total) // here for total in sums.numpy()]


@functools.cache
def _sum_over_replicas(strategy: tf.distribute.Strategy):
  """Returns a compiled function that sums values over the replicas."""
  return autograph.function(lambda values: strategy.reduce(
      tf.distribute.ReduceOp.SUM, strategy.run(tf.identity, [values]),
      axis=None))


def serve_if_server(config: TrainingConfig) -> bool:
  """Serves the coordinator until it ends, if this task is a server.

  Args:
    config: Settings of the training.

  Returns:
    Whether this task is a server, a 'worker' or 'ps' of a parameter server,
    which then has nothing else to do.

  Raises:
    ValueError: See `make_strategy`.
  """
  if config.strategy != 'parameter_server':
    return False
  cluster = _check_cluster({'chief', 'worker', 'ps'}, config)
  resolver = tf.distribute.cluster_resolver.TFConfigClusterResolver()
  if resolver.task_type == 'chief':
    return False
  # With one core TensorFlow uses a single thread, and a step that waits for
  # another thread would never end.
  threads = max(os.cpu_count() or 1, len(cluster['worker']) + 1)
  tf.distribute.Server(
      resolver.cluster_spec(), job_name=resolver.task_type,
      task_index=resolver.task_id, protocol='grpc',
      config=tf.compat.v1.ConfigProto(inter_op_parallelism_threads=threads))
  _LOGGER.info('Serving as %s %d.', resolver.task_type, resolver.task_id)
  _wait_until_gone(cluster['chief'][0])
  return True


def _wait_until_gone(address: str):
  """Returns when nothing has listened at an address for `_GONE_SECONDS`."""
  host, port = address.rsplit(':', 1)
  has_begun, last = False, time.monotonic()
  while not has_begun or time.monotonic() - last < _GONE_SECONDS:
    try:
      with socket.create_connection((host, int(port)), timeout=5):
        has_begun, last = True, time.monotonic()
    except OSError:
      pass
    time.sleep(1)


def _check_cluster(jobs: set[str],
                   config: TrainingConfig) -> dict[str, list[str]]:
  """Returns the cluster of `TF_CONFIG`, by job."""
  text = os.environ.get('TF_CONFIG', '')
  example = json.dumps({'cluster': {job: ['host:port'] for job in sorted(jobs)},
                        'task': {'type': 'worker', 'index': 0}})
  remedy = (f'`strategy={config.strategy!r}` needs the machines and the task '
            'of this one in the environment variable TF_CONFIG, such as '
            f'{example}')
  try:
    parsed = json.loads(text)
    cluster, task = parsed['cluster'], parsed['task']
    addresses = cluster[task['type']]
    is_known = 0 <= int(task['index']) < len(addresses) and all(
        _are_addresses(tasks) for tasks in cluster.values())
  except (ValueError, KeyError, TypeError) as error:
    raise ValueError(f'{remedy}. Received: TF_CONFIG={text!r}') from error
  needed = {'chief', 'worker', 'ps'} if 'ps' in jobs else {'worker'}
  if not is_known or not needed <= set(cluster) or set(cluster) - jobs:
    raise ValueError(f'{remedy}. Received: TF_CONFIG={text!r}')
  return cluster


def _are_addresses(tasks: Any) -> bool:
  """Returns whether the tasks of a job are a list of 'host:port'."""
  return isinstance(tasks, list) and all(
      re.fullmatch(r'\S+:\d+', str(address)) for address in tasks)
