"""Several steps in one call of a `tf.function`, traced once."""

from collections.abc import Callable, Iterator
from typing import Any

import tensorflow as tf
import tf_keras

from tfvae import autograph


def execution(model: tf_keras.Model, step: Callable[[Any], Any],
              counter: tf.Variable, jit_compile: bool
              ) -> Callable[[Iterator[Any]], dict[str, tf.Tensor]]:
  """Returns a function of `steps_per_execution` steps of a model of one device.

  The loop of Keras returns the logs of its last step. AutoGraph traces such a
  body twice: first to find out what these logs are, which do not exist before
  the loop. This loop has no result, and reads the metrics after it.

  Args:
    model: Model whose metrics the steps update.
    step: Function of an element, `train_step` or `test_step`.
    counter: Variable of the model that counts these steps.
    jit_compile: Whether XLA compiles a step.

  Returns:
    A `tf.function` that takes an iterator and returns the logs, such as
    `tf_keras.Model.make_test_function` returns.
  """
  def counted_step(element):
    step(element)
    counter.assign_add(1)

  if jit_compile:
    counted_step = autograph.function(
        counted_step, jit_compile=True, reduce_retracing=True)

  def execute(iterator):
    def body(i):
      model.distribute_strategy.run(counted_step, args=(next(iterator),))
      return i + 1

    count = model._steps_per_execution
    tf.while_loop(lambda i: i < count, body, [tf.zeros([], count.dtype)])
    return model.get_metrics_result()

  return autograph.function(execute, reduce_retracing=True)
