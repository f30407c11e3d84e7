"""Distribution of the posteriors that are flows from a normal."""

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

tfd = tfp.distributions

# Half of the fixed draws over which moments are averaged; the others are their
# mirror images about the mean of the base.
_HALF = 64


def fixed_noise(event_size: int) -> np.ndarray:
  """Returns the fixed ε of the draws for moments, `[128, event_size]`."""
  noise = np.random.default_rng(0).standard_normal([_HALF, event_size])
  return np.concatenate([noise, -noise])


class FlowedNormal(tfd.TransformedDistribution):
  """A normal distribution transformed by a bijector.

  Its mean and standard deviation have no closed form. They are estimated from
  128 antithetic draws, always the same ones, so that a prediction at the mean
  is deterministic.
  """

  def _log_prob(self, z, **kwargs):
    # The loop of TFP over the dimensions needs z in the shape of the batch. A
    # draw has it, and must remain the tensor that the bijector has cached.
    batch = self.batch_shape
    z_batch = z.shape[-1 - batch.rank:-1] if z.shape.rank > batch.rank else None
    if z_batch is None or any(
        a == 1 and b != 1 for a, b in zip(z_batch, batch, strict=True)):
      z = tf.broadcast_to(z, tf.concat([
          tf.broadcast_dynamic_shape(
              tf.shape(z)[:-1], self.batch_shape_tensor()),
          tf.shape(z)[-1:]], axis=0))
    return super()._log_prob(z, **kwargs)

  def _fixed_draws(self) -> tf.Tensor:
    """Returns z, `[128, *batch_shape, event_size]`."""
    base = self.distribution
    size = base.event_shape[0]
    noise = fixed_noise(size).reshape(
        2 * _HALF, *[1] * base.batch_shape.rank, size)
    return self.bijector.forward(
        base.loc + base.scale.matvec(tf.constant(noise, base.dtype)))

  def _mean(self):
    return tf.reduce_mean(self._fixed_draws(), axis=0)

  def _variance(self):
    return tf.math.reduce_variance(self._fixed_draws(), axis=0)

  def _stddev(self):
    return tf.sqrt(self._variance())
