"""Evaluations of one pass after another with the same iterator."""

from collections.abc import Iterator
from typing import Any

import tf_keras

from tfvae.models.steps.global_batch import is_on_one_device


def evaluate_steps(model: tf_keras.Model, iterator: Iterator[Any],
                   steps: int) -> dict[str, float]:
  """Returns the means of the next steps, as `evaluate` does.

  `tf_keras.Model.evaluate` makes two iterators in each call, which takes longer
  than a pass over a small data set.

  Args:
    model: Compiled model.
    iterator: Iterator of an endless data set, distributed as the model is.
    steps: Steps of a pass.

  Returns:
    Means by the name of the metric.
  """
  function, most = model.make_test_function(), model._steps_per_execution
  at_once = most.numpy().item()
  model._test_counter.assign(0)
  model.reset_metrics()
  done, logs = 0, {}
  try:
    while done < steps:
      count = min(at_once, steps - done)
      most.assign(count)
      logs = function(iterator)
      done += count
  finally:
    most.assign(at_once)
  if not is_on_one_device(model.distribute_strategy):
    logs = model.get_metrics_result()  # Of all workers.
  return {name: value.numpy().item() for name, value in logs.items()}
