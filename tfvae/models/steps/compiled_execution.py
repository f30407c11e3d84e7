"""Several training steps, and the loop over them, in one XLA function."""

from collections.abc import Callable, Iterator
from typing import Any

import tensorflow as tf
import tf_keras

from tfvae import autograph
from tfvae.models.networks.acceleration import xla_pays_off


def compiled_execution(
    model: tf_keras.Model,
    steps: int) -> Callable[[Iterator[Any]], dict[str, tf.Tensor]]:
  """Returns a train function whose loop over the steps XLA compiles.

  An XLA function returns new variables. A step that is compiled alone therefore
  copies the weights and the optimizer's variables, and has a launch of its own;
  in a compiled loop they stay in place.

  The elements of the steps are stacked for the loop. One executable takes any
  number of steps of one batch size; the last step of an epoch, of another size,
  has its own. So the bits of a step do not depend on the others of its
  execution. Each step is compiled alone if elements are not scalars and vectors
  (row numbers) but the rows themselves, and for convolutions on a CPU, which
  XLA compiles far more slowly in a loop.

  Args:
    model: Model of one replica, compiled with `jit_compile`.
    steps: Maximum number of steps of an execution; Keras makes fewer at the end
      of an epoch.

  Returns:
    A `tf.function` that takes an iterator, such as
    `tf_keras.Model.make_train_function` returns.
  """
  def step(element):
    model.train_step(element)
    model._train_counter.assign_add(1)

  def loop(elements, count):
    def body(i, sums):
      element = tf.nest.map_structure(lambda part: part[i], elements)
      return i + 1, sums + model.take_step(element)

    # Metrics and the counter are no state of the loop, which XLA would update
    # by an operation for each variable and step.
    _, sums = tf.while_loop(
        lambda i, _: i < count, body, [0, model.no_sums()])
    model.add_to_metrics(sums)
    model._train_counter.assign_add(tf.cast(count, tf.int64))

  step_fn, loop_fn = (
      _in_replica(model, function) for function in (step, loop))

  def execute(iterator):
    count = tf.cast(model._steps_per_execution, tf.int32)
    if _is_small(iterator.element_spec) and xla_pays_off(model):
      _execute(iterator, count, steps, loop_fn)
    else:
      def body(i):
        step_fn(next(iterator))
        return i + 1

      tf.while_loop(lambda i: i < count, body, [0])
    return model.get_metrics_result()

  return autograph.function(execute, reduce_retracing=True)


def _execute(iterator: Iterator[Any], count: tf.Tensor, most: int,
             loop_fn: Callable[[Any, tf.Tensor], None]):
  """Takes `count` steps; `loop_fn` takes consecutive steps of one size."""
  def body(i, before, arrays, waiting):
    element = next(iterator)

    def begin_again():
      loop_fn(_stacked(arrays), waiting)
      return _arrays(element, most), 0

    arrays, waiting = tf.cond(
        _have_one_shape(before, element), lambda: (arrays, waiting),
        begin_again)
    return i + 1, element, _written(arrays, waiting, element), waiting + 1

  element = next(iterator)
  first = (1, element, _written(_arrays(element, most), 0, element), 1)
  _, _, arrays, waiting = tf.while_loop(
      lambda i, *_: i < count, body, first)
  loop_fn(_stacked(arrays), waiting)


def _in_replica(model: tf_keras.Model,
                function: Callable[..., None]) -> Callable[..., None]:
  """Returns the function, compiled by XLA, for the model's one replica."""
  compiled = autograph.function(
      function, jit_compile=True, reduce_retracing=True)
  return lambda *args: model.distribute_strategy.run(compiled, args=args)


def _is_small(spec: Any) -> bool:
  return all(part.shape.rank in (0, 1) for part in tf.nest.flatten(spec))


def _have_one_shape(one: Any, other: Any) -> tf.Tensor:
  return tf.reduce_all([
      tf.reduce_all(tf.shape(a) == tf.shape(b))
      for a, b in zip(tf.nest.flatten(one), tf.nest.flatten(other),
                      strict=True)])


def _arrays(element: Any, size: int) -> Any:
  return tf.nest.map_structure(
      lambda part: tf.TensorArray(part.dtype, size, element_shape=part.shape),
      element)


def _written(arrays: Any, i: tf.Tensor | int, element: Any) -> Any:
  return tf.nest.map_structure(
      lambda array, part: array.write(i, part), arrays, element)


def _stacked(arrays: Any) -> Any:
  return tf.nest.map_structure(lambda array: array.stack(), arrays)
