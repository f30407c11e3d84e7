"""Training steps that change nothing if loss or gradient is not finite."""

from collections.abc import Callable, Iterator, Sequence
import contextlib

import tensorflow as tf
import tf_keras

Gradient = tf.Tensor | tf.IndexedSlices | None


class FiniteSteps(tf.Module):
  """Takes the finite steps of a training, and counts the others.

  A step whose loss or gradient has a NaN or an infinity on any replica leaves
  the weights, the optimizer's variables and its iterations unchanged. So
  `optimizer.iterations + skipped` batches have been seen.

  Under `tf_keras.mixed_precision.LossScaleOptimizer` gradients sometimes
  overflow by design: the step is skipped and the loss scale halved, but the
  step counts as one in a row only if the scale has its minimum, 1.

  Attributes:
    skipped: Number of steps skipped since the start, int64 variable.
    in_a_row: Number of steps skipped since the last that was taken, int64
      variable.
    first: Number of the first step of that row, counted from 1, int64 variable.
  """

  def __init__(self):
    """Initializes the counts."""
    super().__init__()
    self.skipped, self.in_a_row, self.first = (
        tf.Variable(0, dtype=tf.int64, trainable=False, name=name)
        for name in ('skipped_steps', 'skipped_in_a_row', 'first_skipped'))

  def take(self, model: tf_keras.Model, loss: tf.Tensor,
           gradients: Sequence[Gradient],
           kept: Sequence[tf.Tensor]) -> tf.Tensor:
    """Applies the gradients to the model, unless the step is to be skipped.

    Args:
      model: Compiled model.
      loss: Loss of this replica, a scalar.
      gradients: Gradients of this replica, by `model.trainable_variables`.
      kept: Values of `model.non_trainable_variables` before the computation of
        the loss, which changes some of them: averages of batch normalization.

    Returns:
      Whether the step was taken: a bool scalar, the same on every replica.
    """
    context = tf.distribute.get_replica_context()
    optimizer = _inner(model.optimizer)
    is_finite = _is_finite(loss, gradients, optimizer.global_clipnorm)
    if context.num_replicas_in_sync > 1:
      is_finite = 0 == context.all_reduce(
          tf.distribute.ReduceOp.SUM, tf.cast(~is_finite, tf.int32))
    gradients = [gradient for gradient, _ in optimizer.aggregate_gradients(
        list(zip(gradients, model.trainable_variables, strict=True)))]
    if optimizer is not model.optimizer:  # It checks only the gradients.
      gradients = [g if g is None else tf.where(is_finite, g, float('nan'))
                   for g in gradients]

    def update(strategy, is_finite, gradients, kept):
      ok = strategy.experimental_local_results(is_finite)[0]
      self._count(ok, model.optimizer)
      _update(strategy, model, ok, gradients, kept)

    context.merge_call(update, args=(is_finite, gradients, list(kept)))
    return is_finite

  def _count(self, ok: tf.Tensor, optimizer: tf_keras.optimizers.Optimizer):
    counts = ~ok
    if _inner(optimizer) is not optimizer:
      counts &= optimizer.loss_scale <= 1
    step = optimizer.iterations + self.skipped + 1
    self.first.assign(
        tf.where(counts & (self.in_a_row == 0), step, self.first))
    self.in_a_row.assign(tf.where(
        ok, tf.zeros_like(step), self.in_a_row + tf.cast(counts, tf.int64)))
    self.skipped.assign_add(tf.cast(~ok, tf.int64))


def _update(strategy: tf.distribute.Strategy, model: tf_keras.Model,
            ok: tf.Tensor, gradients: Sequence[Gradient],
            kept: Sequence[tf.Tensor]):
  """Applies the gradients where ok; called once for all replicas."""
  optimizer, weights = model.optimizer, model.trainable_variables

  def apply_in_replica(gradients):
    optimizer.apply_gradients(zip(gradients, weights, strict=True),
                              skip_gradients_aggregation=True)

  def apply():
    strategy.extended.call_for_each_replica(apply_in_replica, (gradients,))

  # Variables that are restored after a skipped step, and their values.
  changed = list(zip(model.non_trainable_variables, kept, strict=True))
  if _inner(optimizer) is not optimizer:
    changed.append((optimizer.iterations, optimizer.iterations.value()))
    apply()  # It skips the step itself, except for its iteration count.
  elif model.jit_compile:
    # XLA fuses the selection with the update; no branch splits the step.
    with _changed_only_where(ok, (*weights, *optimizer.variables)):
      apply()
  else:
    tf.cond(ok, lambda: (apply(), tf.no_op())[1], tf.no_op)
  for variable, before in changed:
    strategy.extended.update(
        variable, lambda v, old: v.assign(tf.where(ok, v, old)), (before,))


@contextlib.contextmanager
def _changed_only_where(ok: tf.Tensor,
                        variables: Sequence[tf.Variable]) -> Iterator[None]:
  """Makes each assignment to the variables keep their values unless ok.

  An optimizer then computes a weight from moments that are already selected. If
  the selection came after the update, XLA would compute the moments a second
  time for the weight, and copy the earlier ones of every variable.
  """
  def guarded(variable: tf.Variable, name: str) -> Callable[..., tf.Variable]:
    change, assign = getattr(variable, name), variable.assign

    def change_only_where_ok(*args, **kwargs):
      before = variable.read_value()
      change(*args, **kwargs)
      return assign(tf.where(ok, variable.read_value(), before))

    return change_only_where_ok

  guards = [(variable, {
      name: guarded(variable, name) for name in dir(variable)
      if name.startswith(('assign', 'scatter_', 'batch_scatter_'))})
            for variable in variables]
  try:
    for variable, methods in guards:
      vars(variable).update(methods)
    yield
  finally:
    for variable, methods in guards:
      for name in methods:
        del vars(variable)[name]


def _inner(
    optimizer: tf_keras.optimizers.Optimizer) -> tf_keras.optimizers.Optimizer:
  """Returns the optimizer that a `LossScaleOptimizer` wraps, or itself."""
  return getattr(optimizer, 'inner_optimizer', optimizer)


def _is_finite(loss: tf.Tensor, gradients: Sequence[Gradient],
               clipnorm: float | None) -> tf.Tensor:
  """Returns whether the loss and every entry of the gradients are finite."""
  sums = [loss[tf.newaxis]]
  for gradient in gradients:
    values = getattr(gradient, 'values', gradient)  # Of IndexedSlices.
    if values is not None and values.shape.rank > 1:
      # Σ_j g_ij is NaN or infinite if a g_ij is. As a product it takes a third
      # of the time of the fastest reduction of g on a CPU with XLA.
      size = values.shape[-1]
      values = tf.linalg.matvec(
          tf.reshape(values, [-1, size]), tf.ones([size], values.dtype))
    if values is not None:
      sums.append(tf.reshape(tf.cast(values, loss.dtype), [-1]))
  if clipnorm:  # If |g|² overflows, clipping turns finite numbers into NaN.
    sums.append(tf.linalg.global_norm(gradients)[tf.newaxis])
  # A product, too: XLA copies a reduction into the update of each variable,
  # and with many variables takes much longer to compile.
  numbers = tf.concat(sums, axis=0)
  return tf.math.is_finite(
      tf.linalg.matvec(numbers[tf.newaxis], tf.ones_like(numbers))[0])
