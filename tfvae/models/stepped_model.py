"""Training and evaluation steps of an objective, in Keras."""

import types
from typing import Any

import tensorflow as tf
import tf_keras

from tfvae import autograph
from tfvae import objectives
from tfvae.inference import num_observed
from tfvae.inference import sample_weights
from tfvae.inference import unpack_batch
from tfvae.layers.base.noise import part_of_batch
from tfvae.models.checked_model import CheckedModel
from tfvae.models.steps import global_batch
from tfvae.models.steps.finite_steps import FiniteSteps

# Metric of models whose x may have missing entries.
_PER_ENTRY = 'elbo_per_entry'

# Streams of stateless seeds, so that an evaluation between two training steps
# does not change their noise.
_TRAINING, _EVALUATION = 0, 1


class SteppedModel(CheckedModel):
  """A model whose training and evaluation steps compute an objective.

  Each replica's loss is weighted by its share of the global batch, so the
  objective is the same under every strategy and for a batch that does not
  divide. Sample weights multiply the objectives of the examples. The noise of a
  step is a function of the seed and the step. Steps
  whose loss or gradient is not finite are skipped and counted.

  A subclass calls `_initialize_steps` before it is compiled, and its `compile`
  sets the attributes that follow there.
  """

  def _initialize_steps(self, seed: int):
    """Initializes the state of the steps.

    Args:
      seed: Seed of the noise in training and evaluation.
    """
    self.seed = seed
    # In a namespace, which Keras does not track: metrics are no weights.
    self._trackers = types.SimpleNamespace(**{
        name: _Mean(name=name)
        for name in ('loss', 'elbo', 'reconstruction', 'kl',
                     *(_PER_ENTRY,) * self.allow_missing)})
    self._compiled_of_metrics = types.SimpleNamespace()
    # Counts are no weights either, but checkpoints hold them.
    self._steps = types.SimpleNamespace(finite=FiniteSteps())
    self._track_trackable(self._steps.finite, 'finite_steps')
    self._compile_in_replica(False)
    self._objective, self._kl_schedule = objectives.ELBO(), None
    self._final_kl_factor = 1.0
    self._batch_fn = None

  @property
  def finite_steps(self) -> FiniteSteps:
    """Counts of the training steps that were skipped."""
    return self._steps.finite

  @property
  def skipped_steps(self) -> tf.Variable:
    """Number of training steps skipped as NaN or infinite, int64."""
    return self.finite_steps.skipped

  @property
  def metrics(self) -> list[tf_keras.metrics.Metric]:
    """Means that Keras resets at the start of an epoch."""
    return list(vars(self._trackers).values())

  def reset_metrics(self):
    """Resets the means, by one operation for all of them."""
    self._of_metrics('reset', super().reset_metrics)()

  def get_metrics_result(self) -> dict[str, tf.Tensor]:
    """Returns the means so far, by one operation for all of them."""
    return self._of_metrics('result', super().get_metrics_result)()

  def _of_metrics(self, name: str, function: Any) -> Any:
    """Returns a function of the metrics, compiled on one device."""
    if not tf.executing_eagerly() or tf.config.functions_run_eagerly() or (
        not global_batch.is_on_one_device(self.distribute_strategy)):
      return function
    compiled = vars(self._compiled_of_metrics)
    if name not in compiled:
      compiled[name] = autograph.function(function)
    return compiled[name]

  def train_step(self, data: Any) -> dict[str, tf.Tensor]:
    """Takes one gradient step; see `tf_keras.Model.train_step`.

    If the loss or the gradient is not finite, nothing changes except
    `skipped_steps`.
    """
    self.add_to_metrics(self.take_step(data))
    return {tracker.name: tracker.result() for tracker in self.metrics}

  def take_step(self, data: Any) -> tf.Tensor:
    """Takes one gradient step, without an update of the metrics.

    Args:
      data: Batch as `train_step` takes it.

    Returns:
      Sums for `add_to_metrics`, zeros for a skipped step.
    """
    iterations = self.optimizer.iterations
    kept = [tf.identity(v) for v in self.non_trainable_variables]
    kl_factor = (1.0 if self._kl_schedule is None else tf.cast(
        self._kl_schedule(iterations), tf.float32))
    share = global_batch.share(data) if self._batch_fn is None else 1.0
    gradients, values = self._loss_and_gradients_fn(
        data, global_batch.replica_id(), iterations.read_value(), kl_factor,
        share)
    is_taken = self.finite_steps.take(self, values['loss'], gradients, kept)
    return self._sums(values, is_taken)

  def test_step(self, data: Any) -> dict[str, tf.Tensor]:
    """Estimates the ELBO of one batch; see `tf_keras.Model.test_step`."""
    # The count of examples in this pass numbers its batches without state.
    step = self._trackers.elbo.num_examples()
    values = self._evaluation_values(data, global_batch.replica_id(), step)
    self._trackers.elbo.add_examples(tf.size(values['elbo']))
    self.add_to_metrics(self._sums(values))
    return {tracker.name: tracker.result() for tracker in self.metrics}

  def add_to_metrics(self, sums: tf.Tensor):
    """Adds to the metrics what `take_step` returned, or the sum of several.

    Args:
      sums: Σ_i w_i value_i of each metric, and Σ_i w_i, `[2, metrics]`.
    """
    for tracker, total, count in zip(
        self.metrics, *map(tf.unstack, tf.unstack(sums)), strict=True):
      tracker.add(total, count)

  def no_sums(self) -> tf.Tensor:
    """Returns the sums of no step, zeros `[2, metrics]`."""
    return tf.zeros([2, len(self.metrics)])

  def _values(self, batch, seed, kl_factor, training=False):
    """Returns what to minimize, and the values to report.

    Args:
      batch: Rows as `fit` takes them.
      seed: Seed of the noise.
      kl_factor: Value of the KL schedule.
      training: Whether networks run in training mode.

    Returns:
      A scalar to minimize; and the 'loss', a scalar, and the parts of the ELBO,
      `[b]`, with the 'weights', `[b]`, if there are any.
    """
    inputs, target = unpack_batch(batch)
    self._clear_losses()  # Those of a call from outside have no part in it.
    values = dict(self._objective(
        self, inputs, target, seed, kl_factor, training))
    nats = values.pop('objective')
    if self.allow_missing:
      values['entries'] = num_observed(target)
    count = tf.cast(tf.size(nats), nats.dtype)
    others = [tf.cast(part, nats.dtype) for part in self.losses]
    weights = sample_weights(batch)
    if weights is None:
      values['loss'] = tf.add_n(
          [tf.math.divide_no_nan(tf.reduce_sum(nats), count), *others])
      return values['loss'], values
    self._check_weighted()
    values['weights'] = weights = tf.cast(weights, nats.dtype)
    total = tf.reduce_sum(weights * nats)
    values['loss'], minimized = (
        tf.add_n([tf.math.divide_no_nan(total, size), *others])
        for size in (tf.reduce_sum(weights), count))
    return minimized, values

  def _check_weighted(self):
    """Raises unless the objective is a sum over examples."""
    if self._objective.compares_examples or self._compares_batch():
      raise ValueError(
          'Sample weights need an objective that is a sum over examples. Leave '
          'them out, or use `objective=None`, the ELBO, without free bits and '
          f'capacities. Received: {type(self._objective).__name__} with '
          'sample_weight')

  def _compile_in_replica(self, jit_compile: bool):
    """Sets what each replica computes in a step, compiled by XLA or not."""
    self._loss_and_gradients_fn = self._loss_and_gradients
    if jit_compile:
      self._loss_and_gradients_fn = autograph.function(
          self._loss_and_gradients, jit_compile=True, reduce_retracing=True)

  def _evaluation_values(self, data, replica_id, step):
    batch = self._part(data, replica_id, step)
    with part_of_batch(batch.start, batch.size):
      return self._values(
          batch.inputs, self._seed(batch.step, _EVALUATION),
          self._final_kl_factor)[1]

  def _loss_and_gradients(self, data, replica_id, step, kl_factor, share):
    batch = self._part(data, replica_id, step)
    if batch.size is not None:
      share = global_batch.num_rows(batch.inputs) / tf.cast(
          batch.size, tf.float32)
    with part_of_batch(batch.start, batch.size), tf.GradientTape() as tape:
      minimized, values = self._values(
          batch.inputs, self._seed(batch.step, _TRAINING), kl_factor,
          training=True)
      loss = share * minimized
    pairs = self.optimizer.compute_gradients(
        loss, self.trainable_variables, tape)
    return [gradient for gradient, _ in pairs], values

  def _part(self, data, replica_id, step) -> global_batch.GlobalBatch:
    """Returns the replica's batch; plain data are a batch of their own."""
    if self._batch_fn is not None:
      return self._batch_fn(data, replica_id)
    return global_batch.own_batch(data, replica_id, step)

  def _seed(self, step: tf.Tensor, stream: int) -> tf.Tensor:
    """Returns a stateless seed, another for each step and stream."""
    return tf.stack([self.seed, 2 * tf.cast(step, tf.int32) + stream])

  def _sums(self, values: dict[str, tf.Tensor],
            is_taken: tf.Tensor | bool = True) -> tf.Tensor:
    """Returns Σ_i w_i value_i of each metric, and Σ_i w_i, `[2, metrics]`."""
    parts = [name for name in vars(self._trackers) if name in values]
    parts.remove('loss')  # A mean of the batch already.
    rows = tf.cast(tf.stack([values[name] for name in parts]), tf.float32)
    count = tf.cast(tf.shape(rows)[1], tf.float32)
    if 'weights' in values:
      weights = tf.cast(values['weights'], tf.float32)
      rows, count = weights * rows, tf.reduce_sum(weights)
    totals = dict(zip(parts, tf.unstack(tf.reduce_sum(rows, axis=1)),
                      strict=True))
    totals['loss'] = count * tf.cast(values['loss'], tf.float32)
    counts = dict.fromkeys(totals, count)
    if 'entries' in values:
      # Σ_i w_i ELBO_i / Σ_i w_i n_i, with n_i observed entries.
      entries = values['entries']
      totals[_PER_ENTRY] = totals['elbo']
      counts[_PER_ENTRY] = tf.reduce_sum(
          weights * entries if 'weights' in values else entries)
    sums = tf.stack([
        [of_names[name] for name in vars(self._trackers)]
        for of_names in (totals, counts)])
    return tf.where(is_taken, sums, tf.zeros_like(sums))


class _Mean(tf_keras.metrics.Mean):
  """A mean that is NaN, not 0, of nothing: where no step was finite.

  It also has a count of examples, whatever their weights.
  """

  def __init__(self, name: str):
    super().__init__(name=name)
    # In a namespace, which Keras does not track: files have no such count.
    self._counts = types.SimpleNamespace(examples=tf.Variable(
        0., trainable=False,
        synchronization=tf.VariableSynchronization.ON_READ,
        aggregation=tf.VariableAggregation.SUM))

  def add(self, total: tf.Tensor, count: tf.Tensor):
    self.total.assign_add(total)
    self.count.assign_add(count)

  def num_examples(self) -> tf.Tensor:
    return self._counts.examples.read_value()

  def add_examples(self, count):
    self._counts.examples.assign_add(tf.cast(count, tf.float32))

  def reset_state(self):
    self._counts.examples.assign(0.)
    super().reset_state()

  def result(self):
    return self.total / self.count
