"""Posterior layer of a mixture of diagonal normals."""

import math
from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp
import tf_keras

from tfvae.layers.base import conversion
from tfvae.layers.base.noise import standard_normal
from tfvae.layers.base.posterior import Posterior
from tfvae.layers.base.posterior import POSTERIORS
from tfvae.layers.base.soft_bound import bound_log_variance
from tfvae.layers.posteriors.multivariate_normal_diag import NormalDiag
from tfvae.registry import Setting

tfd = tfp.distributions


class NormalDiagMixture(tfd.MixtureSameFamily):
  """Σ_m π_m N(z; μ_m, diag σ_m²), a `tfd.MixtureSameFamily`.

  A draw takes a component at random. Its gradient reaches μ and σ of that
  component, and not π: to train π, use `tfvae.inference.StratifiedSample`.
  """

  @property
  def log_weights(self) -> tf.Tensor:
    """Log π_m, `[*batch_shape, M]`."""
    return tf.nn.log_softmax(self.mixture_distribution.logits_parameter())

  def by_component(self) -> NormalDiag:
    """Returns N(z; μ_m, diag σ_m²), batch shape `[M, *batch_shape]`."""
    rank = self.batch_shape.rank
    order = [rank, *range(rank), rank + 1]
    return NormalDiag(*(tf.transpose(part, order) for part in self._moments()))

  def noise(self) -> NormalDiag:
    """Returns N(0, I) of the noise that `of_noise` takes, batch shape `[]`."""
    zeros = tf.zeros([self.event_shape[0] + 1], self.dtype)
    return NormalDiag(zeros, tf.ones_like(zeros))

  def of_noise(self, noise: tf.Tensor) -> tf.Tensor:
    """Returns draws z = μ_m + σ_m ε of standard normal noise.

    Args:
      noise: Tensor `[*sample_shape, *batch_shape, event_size + 1]`: ε, and one
        more number, which chooses m.
    """
    # The smallest m with Σ_{i ≤ m} π_i > u, u = Φ(ε') ~ U[0, 1].
    uniform = 0.5 * tf.math.erfc(-noise[..., -1:] / math.sqrt(2.0))
    below = tf.cumsum(tf.exp(self.log_weights), axis=-1)[..., :-1]
    index = tf.reduce_sum(tf.cast(uniform >= below, tf.int32), axis=-1)
    is_chosen = tf.one_hot(
        index, self.log_weights.shape[-1], dtype=self.dtype)[..., tf.newaxis]
    loc, scale = (
        tf.reduce_sum(is_chosen * part, axis=-2) for part in self._moments())
    return loc + scale * noise[..., :-1]

  def _call_sample_n(self, sample_shape, seed, **kwargs):
    del kwargs
    seed = tfp.random.sanitize_seed(seed, salt='normal_diag_mixture')
    shape = tf.concat([
        tf.cast(tf.reshape(sample_shape, [-1]), tf.int32),
        tf.shape(self.log_weights)[:-1], [self.event_shape[0] + 1]], axis=0)
    return self.of_noise(standard_normal(shape, seed, self.dtype))

  def _moments(self) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns μ_m and σ_m, `[*batch_shape, M, event_size]` each."""
    components = self.components_distribution
    # TFP's `stddev` loses the static size of a single dimension.
    return components.loc, components.scale.diag_part()

  def _mean(self):
    return self._mean_over_components(self._moments()[0])

  def _variance(self):
    # Var z = Σ_m π_m (σ_m² + (μ_m − μ)²),  μ = Σ_m π_m μ_m
    loc, scale = self._moments()
    return self._mean_over_components(tf.square(scale) + tf.square(
        loc - self._mean()[..., tf.newaxis, :]))

  def _stddev(self):
    return tf.sqrt(self._variance())

  def _mean_over_components(self, values: tf.Tensor) -> tf.Tensor:
    weights = tf.exp(self.log_weights)[..., tf.newaxis]
    return tf.reduce_sum(weights * values, axis=-2)


@POSTERIORS.register('mixture', num_components=Setting(
    'posterior_components', 4, 'components of the posterior mixture',
    at_least=1))
@tf_keras.saving.register_keras_serializable(package='tfvae')
class MultivariateNormalDiagMixture(Posterior):
  """Emits q(z|x) = Σ_m π_m N(z; μ_m, diag σ_m²) from M components.

  For posteriors with several modes. π, μ and log σ² are functions of x, by one
  network; log σ² is bounded by `bound_log_variance`. The KL divergence is the
  Monte Carlo estimate.

  A model trains by draws from each component, so that the gradient with respect
  to π is exact: Morningstar, Vikram, Ham, Gallagher and Dillon, Automatic
  Differentiation Variational Inference with Mixtures, 2021; see
  `tfvae.inference.StratifiedSample`. A step decodes M draws for each example.
  Kviman et al., Cooperation in the Latent Space: The Benefits of Adding Mixture
  Components in Variational Autoencoders, 2023, have an encoder for each
  component.

  Call arguments:
    params: Float tensor `[..., M (2 event_size + 1)]`: logits of π, then μ of
      all components, then their log σ².

  Returns, when called:
    A `tfd.MixtureSameFamily`, batch shape `[...]`, event shape `[event_size]`.
  """

  is_mixture = True

  def __init__(
      self,
      event_size: int | None = None,
      num_components: int = 4,
      convert_to_tensor_fn: str | conversion.Conversion = 'sample',
      activity_regularizer: Any = None,
      **kwargs,
  ):
    """Initializes the layer.

    Args:
      event_size: Dimensions of z, at least 1; None for a template.
      num_components: M, at least 1.
      convert_to_tensor_fn: Conversion to a tensor: 'sample', 'mean', …
      activity_regularizer: Typically a `KLDivergenceRegularizer`.
      **kwargs: Arguments of `tf_keras.layers.Layer`.

    Raises:
      ValueError: If a size is not a positive integer.
    """
    super().__init__(
        event_size, convert_to_tensor_fn, activity_regularizer, **kwargs)
    if not isinstance(num_components, int) or num_components < 1:
      raise ValueError('`num_components` must be an integer of at least 1. '
                       f'Received: num_components={num_components!r}')
    self.num_components = num_components

  @property
  def settings(self) -> dict[str, Any]:
    """Arguments of `params_size` besides the size of an event."""
    return {'num_components': self.num_components}

  def call(self, params: tf.Tensor, training: bool | None = None):
    """Returns the distribution, which Keras also treats as a tensor.

    Raises:
      ValueError: If it would train by a draw of a random component.
    """
    if training and self._conversion_name == 'sample' and (
        not conversion.is_replaced()):
      raise ValueError(
          'A draw of a mixture has no gradient with respect to the weights of '
          'its components: train it by `fit` of a VAE or a GraphVAE, which '
          "draws from each component. Received: training=True, convert_to_"
          f"tensor_fn='sample' of {self.name!r}")
    return super().call(params)

  @classmethod
  def new(cls, params: tf.Tensor, event_size: int,
          num_components: int = 4) -> NormalDiagMixture:
    """Returns the distribution of `params`, `[..., params_size]`."""
    params = tf.convert_to_tensor(params)
    expected = cls.params_size(event_size, num_components)
    if params.shape[-1] != expected:
      raise ValueError(
          f'{cls.__name__} takes params_size(event_size, num_components) = '
          f'{expected} parameters. Received: params.shape={params.shape}, '
          f'event_size={event_size}, num_components={num_components}')
    logits, *parts = tf.split(
        params, [num_components, *[num_components * event_size] * 2], axis=-1)
    shape = tf.concat(
        [tf.shape(params)[:-1], [num_components, event_size]], axis=0)
    loc, log_variance = (tf.reshape(part, shape) for part in parts)
    # σ = exp(½ log σ²)
    return NormalDiagMixture(
        tfd.Categorical(logits=logits),
        NormalDiag(loc, tf.exp(0.5 * bound_log_variance(log_variance))))

  @staticmethod
  def params_size(event_size: int, num_components: int = 4) -> int:
    """Returns the number of parameters of one event: M (2 event_size + 1)."""
    return num_components * (2 * event_size + 1)

  def keras3_moments(self, params: Any, keras: Any) -> dict[str, Any]:
    """Returns μ and σ of the mixture; see the base class."""
    ops, size = keras.ops, self.num_components
    logits, *parts = ops.split(
        params, [size, size * (1 + self.event_size)], axis=-1)
    weights = ops.expand_dims(ops.softmax(logits, axis=-1), -1)
    means, log_variances = (
        ops.reshape(part, [-1, size, self.event_size]) for part in parts)
    loc = ops.sum(weights * means, axis=1)
    # Var z = Σ_m π_m (σ_m² + (μ_m − μ)²)
    variance = ops.sum(weights * (
        ops.exp(bound_log_variance(log_variances, ops))
        + ops.square(means - ops.expand_dims(loc, 1))), axis=1)
    return {'loc': loc, 'scale_diag': ops.sqrt(variance)}

  def get_config(self) -> dict[str, Any]:
    """Returns names and numbers from which `from_config` makes the layer."""
    return super().get_config() | self.settings
