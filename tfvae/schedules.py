"""Schedules of the learning rate and of the KL weight.

They complement `tf_keras.optimizers.schedules`, whose `PolynomialDecay(0.,
steps, 1.)` is the linear KL warm-up.
"""

import itertools
from typing import Any

import tensorflow as tf
import tf_keras

Schedule = tf_keras.optimizers.schedules.LearningRateSchedule

_STAGES = 8  # Burda et al. make 3^i passes at the i-th rate, i < 8.


@tf_keras.saving.register_keras_serializable(package='tfvae')
class BurdaStaircase(Schedule):
  """The learning rate of Burda, Grosse and Salakhutdinov.

    η_i = η 10^(−i/7) for 3^i of 3280 = Σ_i 3^i shares of the steps, i = 0 … 7.

  In the paper each share is a pass over the data: Importance Weighted
  Autoencoders, 2016, section 5.
  """

  def __init__(self, initial_learning_rate: float, num_steps: int):
    """Initializes the schedule.

    Args:
      initial_learning_rate: Initial rate η.
      num_steps: Steps of all 3280 shares; the last rate stays after them.
    """
    super().__init__()
    self.initial_learning_rate = initial_learning_rate
    self.num_steps = num_steps

  def __call__(self, step: Any) -> tf.Tensor:
    """Returns the learning rate at a step, counted from 0."""
    shares = list(itertools.accumulate(3**i for i in range(_STAGES)))
    # First step of stages 1 … 7, as exact integers.
    starts = [-(-self.num_steps * share // shares[-1]) for share in shares[:-1]]
    rates = [self.initial_learning_rate * 10**(-i / 7) for i in range(_STAGES)]
    stage = tf.reduce_sum(tf.cast(
        tf.cast(step, tf.int64) >= tf.constant(starts, tf.int64), tf.int32))
    return tf.gather(tf.constant(rates, tf.float32), stage)

  def get_config(self) -> dict[str, Any]:
    """Returns the arguments by name."""
    return {'initial_learning_rate': self.initial_learning_rate,
            'num_steps': self.num_steps}


@tf_keras.saving.register_keras_serializable(package='tfvae')
class WarmUp(Schedule):
  """A linear rise of the learning rate, then another schedule.

  With w steps, and η the first rate of the schedule that follows,

    η_t = η (t + 1) / w for t < w,  η_t = schedule(t − w) for t ≥ w.
  """

  def __init__(self, learning_rate: float | Schedule, num_steps: int):
    """Initializes the schedule.

    Args:
      learning_rate: Learning rate or schedule that follows.
      num_steps: Number of steps w, at least 1.
    """
    super().__init__()
    self.learning_rate = learning_rate
    self.num_steps = num_steps

  def __call__(self, step: Any) -> tf.Tensor:
    """Returns the learning rate at a step, counted from 0."""
    step = tf.cast(step, tf.int64)
    rate = self.learning_rate
    if isinstance(rate, Schedule):
      rate = rate(tf.maximum(step - self.num_steps, 0))
    done = tf.cast(tf.minimum(step + 1, self.num_steps), tf.float32)
    return tf.cast(rate, tf.float32) * (done / self.num_steps)

  def get_config(self) -> dict[str, Any]:
    """Returns the arguments by name."""
    return {'learning_rate': tf_keras.saving.serialize_keras_object(
        self.learning_rate), 'num_steps': self.num_steps}

  @classmethod
  def from_config(cls, config: dict[str, Any]) -> 'WarmUp':
    """Makes the schedule from the result of `get_config`."""
    return cls(**config | {
        'learning_rate': tf_keras.saving.deserialize_keras_object(
            config['learning_rate'])})


@tf_keras.saving.register_keras_serializable(package='tfvae')
class CyclicalWarmUp(Schedule):
  """A KL schedule that rises from 0 to 1 in each of several cycles.

  Each cycle rises linearly over its first fraction R and stays at 1 for the
  rest; Fu et al., Cyclical Annealing Schedule, 2019:

    β(t) = min(1, τ / R),  τ = (t · cycles mod steps) / steps, while t < steps.
  """

  def __init__(self, steps: int, cycles: int = 4, rising: float = 0.5):
    """Initializes the schedule.

    Args:
      steps: Steps of all cycles; the value is 1 after them.
      cycles: Number of cycles.
      rising: Fraction R of a cycle that rises, above 0 and at most 1.

    Raises:
      ValueError: If a number is out of range.
    """
    whole = isinstance(steps, int) and isinstance(cycles, int)
    if not whole or steps < 1 or cycles < 1 or not 0 < rising <= 1:
      raise ValueError(
          '`steps` and `cycles` must be integers of at least 1, and `rising` '
          f'above 0 and at most 1. Received: steps={steps}, cycles={cycles}, '
          f'rising={rising}')
    self.steps, self.cycles, self.rising = steps, cycles, rising

  def __call__(self, step: tf.Tensor) -> tf.Tensor:
    """Returns the factor of the KL's weight at a step, in [0, 1]."""
    step = tf.cast(step, tf.int64)
    # In integers, so that cycles begin at exact steps.
    position = tf.math.floormod(step * self.cycles, self.steps)
    # min(1, τ / R)
    factor = tf.minimum(
        tf.cast(position, tf.float32) / (self.steps * self.rising), 1.0)
    return tf.where(step < self.steps, factor, 1.0)

  def get_config(self) -> dict[str, Any]:
    """Returns the arguments by name."""
    return {'steps': self.steps, 'cycles': self.cycles, 'rising': self.rising}
