"""Draws of a batch in which each row has its own seed."""

import math

import tensorflow as tf
import tensorflow_probability as tfp

from tfvae.inference import threefry
from tfvae.layers.likelihoods.partly_observed import elements_of
from tfvae.layers.posteriors.multivariate_normal_diag_mixture import (
    NormalDiagMixture,
)

tfd = tfp.distributions

_DRAW_BITS = 24  # Bits of a counter for the draw; the others have the position.


class RowSeededSample:
  """A `Draw` of `tfvae.inference` whose row i depends on seed row i alone.

  A server combines requests into batches, so that with one seed per batch the
  same request would get a different draw each time. Here a row draws the noise
  of its own seed, in any batch and at any position.

  The noise is the same to the last bit. Networks and flows compute their
  outputs for the whole batch. These may differ in the last bit between batch
  sizes, as a matrix product may add in a different order. A discrete draw then
  differs if its noise lies between the two rounded values, which happens for
  about one pixel in ten million.

  The noise of normals, their mixtures, flows and binary pixels is computed for
  all rows together, by a generator whose key is the seed and whose counter has
  the element, the draw and the position of the distribution among those that
  are drawn from. Other distributions are drawn from a row at a time. At most
  2²⁴ draws of 2⁸ distributions have noise of their own.
  """

  def __init__(self, seeds: tf.Tensor, num_draws: int | tf.Tensor | None = None,
               first_draw: int | tf.Tensor = 0):
    """Initializes the draw.

    Args:
      seeds: Seeds, int tensor `[b, 2]`.
      num_draws: Draws for each seed, in a leading dimension; None for draw
        `first_draw` alone, without that dimension.
      first_draw: Number of the first draw. Draw k of a seed depends neither on
        `num_draws` nor on the number of the first one.
    """
    self._seeds = tf.cast(seeds, tf.int32)
    self._num_draws = num_draws
    self._first_draw = first_draw
    self._position = 0

  def draws(self, num_draws: int | tf.Tensor | None,
            first_draw: int | tf.Tensor = 0) -> 'RowSeededSample':
    """Returns other draws of the same seeds; see `__init__`."""
    return RowSeededSample(self._seeds, num_draws, first_draw)

  def __call__(self, distribution: tfd.Distribution) -> tf.Tensor:
    """Returns draws for each seed.

    Args:
      distribution: Distribution of batch shape `[b]`, with row i for seed i, or
        `[]`, for all seeds; or, where its parents are draws, `[num_draws, b]`.
        Of normals, their mixtures and flows, dimensions in front of these, such
        as those of classes, share the noise. Signatures check that there are b
        seeds.

    Returns:
      Tensor `[b, *event_shape]` or `[num_draws, b, *event_shape]`.
    """
    # A Keras layer wraps its distribution to behave like a tensor.
    distribution = getattr(distribution, 'tensor_distribution', distribution)
    position, self._position = self._position, self._position + 1
    return self._draw(distribution, position)

  def _draw(self, distribution: tfd.Distribution, position: int) -> tf.Tensor:
    if isinstance(distribution, tfd.MultivariateNormalLinearOperator):
      # z = μ + L ε, ε ~ N(0, I)
      return distribution.bijector.forward(self._normal(distribution, position))
    if isinstance(distribution, NormalDiagMixture):
      return distribution.of_noise(self._normal(distribution.noise(), position))
    # By the attribute: not all transformed distributions of TFP are instances
    # of `tfd.TransformedDistribution`.
    if hasattr(distribution, 'bijector'):
      # For the whole batch, as a flow may have a context for each row.
      return distribution.bijector.forward(
          self._draw(distribution.distribution, position))
    if isinstance(distribution, tfd.VectorDeterministic):
      return distribution.loc + tf.zeros(
          self._shape(distribution), distribution.dtype)
    elements = elements_of(distribution)
    if isinstance(elements, tfd.Normal):
      return elements.loc + elements.scale * self._normal(
          distribution, position)
    if isinstance(elements, tfd.Bernoulli):
      u = threefry.uniform(tf.concat(self._words(distribution, position), -1))
      return tf.cast(self._of_event(u, distribution)
                     <= elements.probs_parameter(), distribution.dtype)
    return self._row_by_row(distribution, position)

  def _normal(self, distribution: tfd.Distribution,
              position: int) -> tf.Tensor:
    """Returns ε ~ N(0, I), `[num_draws, b, *event_shape]`."""
    noise = tf.concat(
        threefry.normals(self._words(distribution, position)), axis=-1)
    return tf.cast(self._of_event(noise, distribution), distribution.dtype)

  def _words(self, distribution: tfd.Distribution,
             position: int) -> threefry.Words:
    """Returns two words for each pair of elements, `[num_draws, b, pairs]`."""
    pairs = -(-math.prod(distribution.event_shape) // 2)
    draws = tf.reshape(self._numbers(), [-1, 1, 1])
    draws += position << _DRAW_BITS
    key = tf.bitcast(self._seeds[tf.newaxis], tf.uint32)
    return threefry.threefry2x32(
        (key[..., :1], key[..., 1:]),
        (tf.bitcast(tf.range(pairs), tf.uint32), tf.bitcast(draws, tf.uint32)))

  def _of_event(self, values: tf.Tensor,
                distribution: tfd.Distribution) -> tf.Tensor:
    """Returns `[num_draws, b, 2 pairs]` as values of the event's shape."""
    shape = distribution.event_shape
    values = values[..., :math.prod(shape)]
    if self._num_draws is None:
      values = values[0]
    static = [*values.shape[:-1], *shape]
    return tf.ensure_shape(
        tf.reshape(values, self._shape(distribution)), static)

  def _row_by_row(self, distribution: tfd.Distribution,
                  position: int) -> tf.Tensor:
    """Returns draws of a distribution that takes one seed for all rows."""
    fold_in, shape = tf.random.experimental.stateless_fold_in, (
        distribution.event_shape)
    # Dimensions of the batch, of the last ones of `[num_draws, b]`.
    rank = min(distribution.batch_shape.rank, 1 + (self._num_draws is not None))

    def draw(elements):
      number, *where = elements
      seed = fold_in(self._seeds[where[1]], position, alg='philox')
      part = distribution[tuple(
          slice(i, i + 1) for i in where[2 - rank:])] if rank else distribution
      return tf.reshape(
          part.sample(seed=fold_in(seed, number, alg='philox')), shape)

    numbers, rows = self._numbers(), tf.shape(self._seeds)[0]
    count = tf.size(numbers)
    drawn = tf.map_fn(
        draw, (tf.repeat(numbers, rows), tf.repeat(tf.range(count), rows),
               tf.tile(tf.range(rows), [count])),
        fn_output_signature=tf.TensorSpec(shape, distribution.dtype))
    return tf.reshape(drawn, self._shape(distribution))

  def _numbers(self) -> tf.Tensor:
    """Returns the numbers of the draws, int32."""
    return self._first_draw + tf.range(
        1 if self._num_draws is None else self._num_draws)

  def _shape(self, distribution: tfd.Distribution) -> tf.Tensor:
    """Returns `[num_draws, b, *event_shape]`."""
    draws = [] if self._num_draws is None else [self._num_draws]
    return tf.concat(
        [draws, tf.shape(self._seeds)[:1], distribution.event_shape], axis=0)
