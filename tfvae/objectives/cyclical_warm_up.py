"""The KL schedule that rises again and again."""

from typing import Any

import tensorflow as tf
import tf_keras


@tf_keras.saving.register_keras_serializable(package='tfvae')
class CyclicalWarmUp(tf_keras.optimizers.schedules.LearningRateSchedule):
  """A KL schedule that rises from 0 to 1 again and again.

  Each of the cycles rises linearly over its first part R and stays at 1 for
  the rest; Fu et al., Cyclical Annealing Schedule, 2019:

    β(t) = min(1, τ / R),  τ = (t · cycles mod steps) / steps, while t < steps.
  """

  def __init__(self, steps: int, cycles: int = 4, rising: float = 0.5):
    """Initialises the schedule.

    Args:
      steps: of all cycles together; 1 from there on.
      cycles: their number.
      rising: R, the part of a cycle that rises, above 0 and at most 1.

    Raises:
      ValueError: if a number is out of range.
    """
    whole = isinstance(steps, int) and isinstance(cycles, int)
    if not whole or steps < 1 or cycles < 1 or not 0 < rising <= 1:
      raise ValueError(
          'CyclicalWarmUp needs whole steps and cycles of at least 1, and a '
          f'rising part above 0 and at most 1. Received: steps={steps}, '
          f'cycles={cycles}, rising={rising}')
    self.steps, self.cycles, self.rising = steps, cycles, rising

  def __call__(self, step: tf.Tensor) -> tf.Tensor:
    """Returns the factor of the KL's weight at a step, in [0, 1]."""
    step = tf.cast(step, tf.int64)
    # In integers, so that a cycle that begins at a step begins there exactly.
    position = tf.math.floormod(step * self.cycles, self.steps)
    # min(1, τ / R)
    factor = tf.minimum(
        tf.cast(position, tf.float32) / (self.steps * self.rising), 1.0)
    return tf.where(step < self.steps, factor, 1.0)

  def get_config(self) -> dict[str, Any]:
    """Returns the settings as plain data."""
    return {'steps': self.steps, 'cycles': self.cycles, 'rising': self.rising}
