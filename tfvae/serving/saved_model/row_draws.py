"""Draws of a batch in which each row has its own seed."""

from collections.abc import Callable

import tensorflow as tf
import tensorflow_probability as tfp

tfd = tfp.distributions


class RowSeededSample:
  """A `Draw` of `tfvae.models` whose row i depends on seed row i alone.

  A server combines requests into batches, so that with one seed per batch the
  same request would get a different draw each time. Here a row draws the noise
  of its own seed, in any batch and at any position.

  The noise is the same to the last bit. Networks and flows compute their
  outputs for the whole batch. These may differ in the last bit between batch
  sizes, as a matrix product may add in a different order. A discrete draw then
  differs if its noise lies between the two rounded values, which happens for
  about one pixel in ten million.

  Successive distributions get seeds that are folded with their position, as in
  `layers.SeededSample`.
  """

  def __init__(self, seeds: tf.Tensor):
    """Initializes the draw.

    Args:
      seeds: Seeds, int tensor `[b, 2]`.
    """
    self._seeds = tf.cast(seeds, tf.int32)
    self._position = 0

  def __call__(self, distribution: tfd.Distribution) -> tf.Tensor:
    """Returns a draw for each seed.

    Args:
      distribution: Distribution of batch shape `[b]`, with row i for seed i, or
        `[]`, for all seeds. Signatures check that there are b seeds.

    Returns:
      Tensor `[b, *event_shape]`.
    """
    # A Keras layer wraps its distribution to behave like a tensor.
    distribution = getattr(distribution, 'tensor_distribution', distribution)
    position, self._position = self._position, self._position + 1
    return self._draw(distribution, position)

  def _draw(self, distribution: tfd.Distribution, position: int) -> tf.Tensor:
    def for_each_seed(draw_row):
      return self._map(draw_row, position, distribution)

    if isinstance(distribution, tfd.MultivariateNormalLinearOperator):
      noise = for_each_seed(lambda seed, i: tf.random.stateless_normal(
          distribution.event_shape, seed, dtype=distribution.dtype,
          alg='philox'))
      return distribution.bijector.forward(noise)  # z = μ + L ε, ε ~ N(0, I)
    # By the attribute: not all transformed distributions of TFP are instances
    # of `tfd.TransformedDistribution`.
    if hasattr(distribution, 'bijector'):
      # For the whole batch, as a flow may have a context for each row.
      return distribution.bijector.forward(
          self._draw(distribution.distribution, position))
    if distribution.batch_shape.rank:
      return for_each_seed(
          lambda seed, i: distribution[i:i + 1].sample(seed=seed)[0])
    return for_each_seed(lambda seed, i: distribution.sample(seed=seed))

  def _map(self, draw_row: Callable[[tf.Tensor, tf.Tensor], tf.Tensor],
           position: int, distribution: tfd.Distribution) -> tf.Tensor:
    """Returns `draw_row(seed, i)` for each row i, stacked."""
    def draw(elements):
      seed, i = elements
      return draw_row(tf.random.experimental.stateless_fold_in(
          seed, position, alg='philox'), i)

    return tf.map_fn(
        draw, (self._seeds, tf.range(tf.shape(self._seeds)[0])),
        fn_output_signature=tf.TensorSpec(
            distribution.event_shape, distribution.dtype))
