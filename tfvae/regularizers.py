"""The KL divergence of a posterior from its prior, as a Keras regularizer."""

from collections.abc import Iterator
import contextlib
import threading
from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp
import tf_keras

from tfvae.layers.base import distribution_config
from tfvae.layers.base.conversion import CONVERSIONS

tfd = tfp.distributions


class _Suspended(threading.local):
  """A flag for each thread: `MirroredStrategy` runs each replica in its own."""

  on: bool = False


_SUSPENDED = _Suspended()


@contextlib.contextmanager
def suspended() -> Iterator[None]:
  """Keeps `KLDivergenceRegularizer`s from adding losses inside the block.

  It is for a model that calls `kl` itself, on its own draws.

  Yields:
    Nothing.
  """
  outer, _SUSPENDED.on = _SUSPENDED.on, True
  try:
    yield
  finally:
    _SUSPENDED.on = outer


@tf_keras.saving.register_keras_serializable(package='tfvae')
class KLDivergenceRegularizer(tf_keras.regularizers.Regularizer):
  """Adds β · KL(q(z|x) ‖ p(z)), the mean over the batch, to the loss.

  It is the `activity_regularizer` of a layer that emits a distribution, of
  tfvae or of TFP:

    KL(q ‖ p) = E_q[log q(z|x) − log p(z)], in nats.

  It is exact where TFP has the divergence registered. Elsewhere it is the
  Monte Carlo estimate log q(z|x) − log p(z) at the z that the decoder receives,
  so the layer's `convert_to_tensor_fn` must then be 'sample'. The choice is
  made when the layer is built.

  It is counted once, whereas `tfp.layers.KLDivergenceRegularizer` is counted
  twice: Keras regularizes each of the two outputs of a TFP distribution layer,
  the distribution and its tensor (tensorflow/probability issue 1215).

  With k̄ the mean of the KL over the minibatch, the loss gains

    β k̄                        by default,
    β max(λ, k̄)                with free bits λ, or
    β Σ_d max(λ, k̄_d)          with λ for each dimension of z: Kingma et al.,
                               Improving Variational Inference with Inverse
                               Autoregressive Flow, 2016, equation 15;
    β |k̄ − C|                  with the capacity C: Burgess et al.,
                               Understanding Disentangling in β-VAE, 2018.

  The mean is inside the maximum, as in the references, for exact KLs and
  estimates. For a Monte Carlo estimate k̂ of one draw, E max(λ, k̂) exceeds
  max(λ, E k̂), so a maximum for each example would penalize free nats and pull
  the KL far below λ; |k̂ − C| would penalize its variance. The minibatch is the
  global batch: replicas sum their parts of k̄.

  Example:
  ```python
  MultivariateNormalDiag(2, activity_regularizer=KLDivergenceRegularizer(
      tfd.MultivariateNormalDiag(loc=[0., 0.])))
  ```
  """

  def __init__(
      self,
      prior: Any,
      weight: float | tf.Variable = 1.0,
      use_exact_kl: bool | None = None,
      free_bits: float = 0.0,
      free_bits_per: str = 'latent',
      capacity: float | None = None,
  ):
    """Initializes the regularizer.

    Args:
      prior: Prior p(z): a layer of `tfvae.priors`, or a `tfd.Distribution`
        whose parameters are constants; batch shape `[]`, the posterior's event
        shape.
      weight: Weight β, at least 0: a float, or a scalar variable that is not
        trainable and that a callback moves.
      use_exact_kl: Whether to use the exact divergence (True) or the estimate
        (False); None chooses as described above.
      free_bits: Free bits λ, at least 0, in nats.
      free_bits_per: Either 'latent' or 'dimension'; the latter needs diagonal
        normals on both sides.
      capacity: Capacity C, at least 0, in nats; None for no capacity.

    Raises:
      ValueError: If the prior could not be saved, the weight is negative, not
        finite or trainable, or another value is out of range.
    """
    if isinstance(prior, tfd.Distribution):
      # Raises if it could not be saved.
      distribution_config.distribution_to_config(prior)
    elif not callable(getattr(prior, 'distribution', None)):
      raise ValueError(
          '`prior` must be a layer of tfvae.priors or a tfd.Distribution. '
          f'Received: prior={prior!r}')
    self.prior = prior
    self.weight = _check_weight(weight)
    self.use_exact_kl = use_exact_kl
    _check_controls(free_bits, free_bits_per, capacity)
    self.free_bits, self.free_bits_per = free_bits, free_bits_per
    self.capacity = capacity
    self._is_exact = None  # Set by the first posterior.

  def prior_distribution(self) -> tfd.Distribution:
    """Returns p(z) for the present values of its parameters θ."""
    if isinstance(self.prior, tfd.Distribution):
      return self.prior
    return self.prior.distribution()

  def kl(self, posterior: tfd.Distribution, z: tf.Tensor | None = None,
         prior: tfd.Distribution | None = None) -> tf.Tensor:
    """Returns KL(q(z|x) ‖ p(z)) of each example, unweighted.

    Args:
      posterior: Posterior q(z|x), batch shape `[b]`.
      z: Draw at which a Monte Carlo estimate is taken; by default the tensor
        that the posterior converts to.
      prior: Prior p(z|Pa(z)) where it is conditional; by default
        `prior_distribution()`.

    Returns:
      A tensor `[b]`, in nats; a Monte Carlo estimate has the shape of
      `posterior.log_prob(z)`.

    Raises:
      ValueError: If the event shapes differ, or `use_exact_kl=True` and no
        divergence is registered.
    """
    prior = self.prior_distribution() if prior is None else prior
    _check_shapes(posterior, prior)
    if self._is_exact is None:
      self._is_exact = self._choose(posterior, prior)
    if self._is_exact:
      return tfd.kl_divergence(posterior, prior)
    z = tf.convert_to_tensor(posterior) if z is None else z
    return posterior.log_prob(z) - prior.log_prob(z)

  def penalty(self, kl: tf.Tensor, posterior: tfd.Distribution,
              prior: tfd.Distribution | None = None) -> tf.Tensor:
    """Returns each example's part of the penalty, in nats.

    Their mean over the global batch is what the class minimizes, and so is the
    mean of their gradients, on every strategy and for a batch that does not
    divide.

    Args:
      kl: Divergence of each example, as `kl` returns it.
      posterior: Posterior q(z|x) of the KL.
      prior: Prior p(z|Pa(z)), as `kl` takes it.

    Returns:
      A tensor of the shape of `kl`.
    """
    weight = tf.cast(self.weight, kl.dtype)
    if self.capacity is not None:
      # β |k̄ − C| = β sign(k̄ − C) (k̄ − C)
      excess = kl - self.capacity
      return weight * tf.sign(_global_mean(excess, kl.shape.rank)) * excess
    if not self.free_bits:
      return weight * kl
    if self.free_bits_per == 'latent':
      return weight * self._beyond_free_bits(kl, kl.shape.rank)
    prior = self.prior_distribution() if prior is None else prior
    per_dimension = kl_per_dimension(posterior, prior)
    return weight * tf.reduce_sum(
        self._beyond_free_bits(per_dimension, per_dimension.shape.rank - 1),
        axis=-1)

  def _beyond_free_bits(self, kl: tf.Tensor, batch_rank: int) -> tf.Tensor:
    """Returns parts whose mean is max(λ, k̄), for each dimension there is."""
    return tf.where(
        _global_mean(kl, batch_rank) > self.free_bits, kl, self.free_bits)

  @property
  def compares_batch(self) -> bool:
    """Whether the penalty depends on the mean over the global batch."""
    return bool(self.free_bits) or self.capacity is not None

  def _choose(self, posterior: tfd.Distribution,
              prior: tfd.Distribution) -> bool:
    """Returns whether to use the exact divergence."""
    if self.use_exact_kl is False:
      return False
    try:  # A pair in TFP's registry may need parts of one kind.
      tfd.kl_divergence(posterior, prior)
      return True
    except NotImplementedError as error:
      if self.use_exact_kl:
        raise ValueError(
            'No exact KL divergence is registered with TFP for this pair; set '
            '`use_exact_kl` to None or False. Received: '
            f'posterior={posterior}, prior={prior}') from error
      return False

  def __call__(self, activation: Any) -> tf.Tensor:
    """Returns the summand for Keras, which divides it by the batch size."""
    if _SUSPENDED.on or not isinstance(activation, tfd.Distribution):
      return tf.zeros([])  # A distribution's tensor is already counted.
    if activation.batch_shape.rank not in (None, 1):
      raise ValueError(
          'The posterior must have one batch dimension, the examples; make '
          'others part of the event with tfd.Independent. Received: '
          f'posterior.batch_shape={activation.batch_shape}')
    kl = self.kl(activation)
    if not self._is_exact:
      _check_is_drawn(activation)
    penalty = self.penalty(kl, activation)
    mean = tf.math.divide_no_nan(
        tf.reduce_sum(penalty), tf.cast(tf.size(penalty), penalty.dtype))
    batch_size = tf.shape(tf.convert_to_tensor(activation))[0]
    return mean * tf.cast(batch_size, penalty.dtype)

  def get_config(self) -> dict[str, Any]:
    """Returns the prior and the settings as plain data."""
    is_variable = isinstance(self.weight, tf.Variable)
    return {
        'prior': (
            distribution_config.distribution_to_config(self.prior)
            if isinstance(self.prior, tfd.Distribution)
            else tf_keras.saving.serialize_keras_object(self.prior)),
        'prior_is_layer': not isinstance(self.prior, tfd.Distribution),
        'weight': float(self.weight),
        'weight_is_variable': is_variable,
        'use_exact_kl': self.use_exact_kl,
        'free_bits': self.free_bits,
        'free_bits_per': self.free_bits_per,
        'capacity': self.capacity,
    }

  @classmethod
  def from_config(cls, config: dict[str, Any]) -> 'KLDivergenceRegularizer':
    """Makes the regularizer from what `get_config` returned."""
    config = dict(config)
    make_prior = (tf_keras.saving.deserialize_keras_object
                  if config.pop('prior_is_layer')
                  else distribution_config.distribution_from_config)
    config['prior'] = make_prior(config['prior'])
    if config.pop('weight_is_variable'):
      config['weight'] = tf.Variable(
          config['weight'], trainable=False, name='kl_weight')
    return cls(**config)


def kl_per_dimension(posterior: tfd.Distribution,
                     prior: tfd.Distribution) -> tf.Tensor:
  """Returns the KL of two diagonal normals for each dimension.

    k_d = ½ (σ_q² + (μ_q − μ_p)²) / σ_p² − ½ + log σ_p / σ_q.

  Args:
    posterior: Diagonal normal, batch shape `[*b]`.
    prior: Diagonal normal, whose batch shape broadcasts with it.

  Returns:
    A tensor `[*b, size]`, in nats.

  Raises:
    ValueError: If one of them is not a diagonal normal.
  """
  for side in (posterior, prior):
    side = getattr(side, 'tensor_distribution', side)
    if not isinstance(side, tfd.MultivariateNormalDiag):
      raise ValueError(
          "A KL per dimension needs diagonal normals; use "
          f"`free_bits_per='latent'`. Received: posterior={posterior}, "
          f'prior={prior}')
  ratio = posterior.stddev() / prior.stddev()
  distance = (posterior.mean() - prior.mean()) / prior.stddev()
  return 0.5 * (ratio**2 + distance**2 - 1) - tf.math.log(ratio)


def _check_is_drawn(activation: tfd.Distribution):
  """Raises if a Monte Carlo KL would be taken at a tensor that is no draw."""
  convert = getattr(activation, '_convert_to_tensor_fn', None)
  name = getattr(convert, 'conversion_name', getattr(convert, '__name__', ''))
  if name in CONVERSIONS and name != 'sample':
    raise ValueError(
        'The KL divergence of this posterior from its prior is estimated at '
        'the tensor that the layer emits, which must be a draw: use '
        "`convert_to_tensor_fn='sample'`, a prior with a closed form, or "
        'tfvae.VAE, which draws by itself. Received: '
        f'convert_to_tensor_fn={name!r}, posterior={activation}')


def _global_mean(nats: tf.Tensor, batch_rank: int) -> tf.Tensor:
  """Returns the mean over the examples of all replicas, without a gradient.

  Args:
    nats: Tensor `[*batch, *rest]`.
    batch_rank: Number of leading dimensions that are averaged.

  Returns:
    A tensor `[*rest]`.
  """
  axes = list(range(batch_rank))
  total = tf.reduce_sum(tf.stop_gradient(nats), axis=axes)
  count = tf.cast(
      tf.reduce_prod(tf.shape(nats)[:batch_rank]), nats.dtype)
  context = tf.distribute.get_replica_context()  # None while a layer is built.
  if context is not None and context.num_replicas_in_sync > 1:
    total, count = context.all_reduce(
        tf.distribute.ReduceOp.SUM, [total, count])
  return tf.math.divide_no_nan(total, count)


def _check_controls(free_bits: float, free_bits_per: str,
                    capacity: float | None):
  if not 0 <= free_bits < float('inf'):
    raise ValueError('`free_bits` must be finite and at least 0. Received: '
                     f'free_bits={free_bits}')
  if free_bits_per not in ('latent', 'dimension'):
    raise ValueError("`free_bits_per` must be 'latent' or 'dimension'. "
                     f'Received: free_bits_per={free_bits_per!r}')
  if capacity is not None and not 0 <= capacity < float('inf'):
    raise ValueError('`capacity` must be finite and at least 0. Received: '
                     f'capacity={capacity}')
  if capacity is not None and free_bits:
    raise ValueError('Use `free_bits` or a `capacity`, not both. Received: '
                     f'free_bits={free_bits}, capacity={capacity}')


def _check_weight(weight: float | tf.Variable) -> float | tf.Variable:
  if isinstance(weight, tf.Variable):
    if weight.trainable or weight.shape.rank:
      raise ValueError('A KL weight variable must be a scalar made with '
                       f'trainable=False. Received: weight={weight!r}')
    return weight
  if not 0 <= weight < float('inf'):
    raise ValueError('The KL weight must be finite and at least 0. Received: '
                     f'weight={weight}')
  return float(weight)


def _check_shapes(posterior: tfd.Distribution, prior: tfd.Distribution):
  if not posterior.event_shape.is_compatible_with(prior.event_shape):
    raise ValueError(
        'Posterior and prior must have one event shape. Received: '
        f'posterior.event_shape={posterior.event_shape}, '
        f'prior.event_shape={prior.event_shape}')
