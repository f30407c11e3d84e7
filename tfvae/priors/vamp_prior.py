"""Prior of a variational mixture of posteriors."""

from collections.abc import Callable, Sequence
import types
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp
import tf_keras

from tfvae.layers.base import template
from tfvae.layers.posteriors.multivariate_normal_diag import NormalDiag
from tfvae.priors.mixture import COMPONENTS
from tfvae.priors.mixture import Mixture
from tfvae.priors.prior import Prior
from tfvae.priors.prior import PRIORS

tfd = tfp.distributions

_UNIT = (0.0, 1.0)  # Range of pixels.

# Distance of pseudo-inputs from the ends of the range, as a fraction of it: at
# the ends the sigmoid has no gradient, and its inverse is infinite.
_MARGIN = 0.01


@PRIORS.register('vamp', num_components=COMPONENTS)
@tf_keras.saving.register_keras_serializable(package='tfvae')
class VampPrior(Prior):
  """p(z; θ) = 1/K Σ_k q(z|u_k), with trainable pseudo-inputs θ = (u_1, …, u_K).

  The posterior q is that of the model, and also trained through the prior:
  Tomczak and Welling, VAE with a VampPrior, 2018. The KL divergence is the
  Monte Carlo estimate.

  The encoder belongs to the model, which passes it to `bind` when it is made or
  loaded; it is neither part of this layer nor of its configuration. Before that
  the prior can only be used to build the model.
  """

  needs_posterior = True

  def __init__(
      self,
      event_size: int | None = None,
      num_components: int = 100,
      input_shape: Sequence[int] | None = None,
      input_range: Sequence[float] | None = _UNIT,
      seed: int = 0,
      **kwargs,
  ):
    """Initializes the prior.

    Args:
      event_size: Dimensions of z, at least 1; None for a template.
      num_components: K, at least 1; 500 in the paper.
      input_shape: Shape of one x, as the encoder takes it; only a template may
        leave it out.
      input_range: Lowest and highest value of x, between which a sigmoid keeps
        the pseudo-inputs; None leaves them free.
      seed: Seed of the initial pseudo-inputs, which are standard normals, put
        through the sigmoid where there is a range.
      **kwargs: Arguments of `Prior` and `tf_keras.layers.Layer`.

    Raises:
      ValueError: If a size is missing or not a positive integer, or the range
        is empty.
    """
    super().__init__(event_size, **kwargs)
    self._check_positive(num_components=num_components)
    if input_shape is None and event_size is not None:
      raise template.missing(self, 'input_shape')
    for size in input_shape or ():
      self._check_positive(input_shape=size)
    self.num_components = num_components
    # Keras has an input_shape.
    self.pseudo_input_shape = None if input_shape is None else (
        tuple(input_shape))
    self.input_range = _check_range(input_range)
    self.seed = seed
    if event_size is None:
      return
    self._pseudo_inputs = self.add_weight(
        'pseudo_inputs', [num_components, *input_shape],
        initializer=tf_keras.initializers.RandomNormal(stddev=1.0, seed=seed))
    # In a namespace, which Keras does not track: the encoder holds the layer
    # that holds this one.
    self._bound = types.SimpleNamespace(posterior_fn=None)

  @classmethod
  def data_arguments(
      cls, input_shape: Sequence[int],
      input_range: Sequence[float] | None) -> dict[str, Any]:
    """Returns shape and range of x; see the base class."""
    return {'input_shape': tuple(input_shape), 'input_range': input_range}

  def sized(self, event_size: int, input_shape: Sequence[int],
            input_range: Sequence[float] | None) -> 'VampPrior':
    """Returns a copy of that size; a range other than the default stays."""
    if self.input_range != _UNIT:
      input_range = self.input_range
    return super().sized(event_size, input_shape, input_range)

  @property
  def num_initial_examples(self) -> int:
    """Examples that `initialize_from` needs: K."""
    return self.num_components

  def bind(self, posterior_fn: Callable[[tf.Tensor], tfd.Distribution]):
    """Takes the encoder of the model.

    Args:
      posterior_fn: Function from pseudo-inputs `[K, *input_shape]` to q(z|u),
        batch shape `[K]`, event shape `[event_size]`. It must not call the
        layer that is regularized with this prior, which would call it again.

    Raises:
      ValueError: If `posterior_fn` is not callable.
    """
    if not callable(posterior_fn):
      raise ValueError('`posterior_fn` must be a function from inputs to their '
                       f'posterior. Received: {posterior_fn=}')
    self._bound.posterior_fn = posterior_fn

  def initialize_from(self, x: Any):
    """Sets the pseudo-inputs to data.

    Args:
      x: Array `[n, *input_shape]`, n at least K, of which the first K are used;
        where there is an `input_range`, clipped to its middle 98%.

    Raises:
      ValueError: If the shape is another, or a value is not finite or outside
        the range.
    """
    x = np.asarray(x, self.dtype)
    if x.shape[1:] != self.pseudo_input_shape or len(x) < self.num_components:
      raise ValueError(
          'initialize_from needs at least `num_components` examples of '
          f'`input_shape`. Received: x.shape={x.shape}, num_components='
          f'{self.num_components}, input_shape={self.pseudo_input_shape}')
    low, high = self.input_range or (-np.inf, np.inf)
    if not (np.isfinite(x).all() and x.min() >= low and x.max() <= high):
      raise ValueError(
          'initialize_from needs finite data in `input_range`; set it to the '
          f'range of the data. Received: x from {x.min()} to {x.max()}, '
          f'input_range={self.input_range}')
    x = x[:self.num_components]
    if self.input_range:
      p = np.clip((x - low) / (high - low), _MARGIN, 1 - _MARGIN)
      x = np.log(p) - np.log1p(-p)  # The inverse of the sigmoid.
    self._pseudo_inputs.assign(x)

  def pseudo_inputs(self) -> tf.Tensor:
    """Returns u, `[K, *input_shape]`, in `input_range`."""
    if self.input_range is None:
      return tf.convert_to_tensor(self._pseudo_inputs)
    low, high = self.input_range
    return low + (high - low) * tf.sigmoid(self._pseudo_inputs)

  def distribution(self) -> tfd.MixtureSameFamily:
    """Returns the mixture: batch shape `[]`, event shape `[event_size]`.

    Raises:
      ValueError: If `bind` was not called, or its function returns something
        else than K posteriors of z.
    """
    logits = tf.zeros([self.num_components], self.compute_dtype)
    return Mixture(tfd.Categorical(logits=logits), self._components())

  def _components(self) -> tfd.Distribution:
    """Returns q(z|u_k), batch shape `[K]`."""
    shape = [self.num_components, self.event_size]
    if self._bound.posterior_fn is None:
      if _is_building():  # Only shapes matter, and nothing can be bound yet.
        zeros = tf.zeros(shape, self.compute_dtype)
        return NormalDiag(zeros, tf.ones_like(zeros))
      raise ValueError(
          'This VampPrior has no encoder; call its bind(posterior_fn) after '
          'making or loading the model. Received: posterior_fn=None')
    posterior = self._bound.posterior_fn(self.pseudo_inputs())
    received = posterior.batch_shape + posterior.event_shape
    if (not received.is_compatible_with(shape)
        or posterior.dtype != self.compute_dtype):
      raise ValueError(
          f'The posterior_fn bound to a VampPrior must return {shape[0]} '
          f'distributions of {shape[1]} dimensions in {self.compute_dtype}. '
          f'Received: posterior={posterior}')
    return posterior

  def get_config(self) -> dict[str, Any]:
    """Returns names and numbers from which `from_config` makes the prior."""
    return super().get_config() | {
        'num_components': self.num_components,
        'input_shape': self.pseudo_input_shape and list(
            self.pseudo_input_shape),
        'input_range': self.input_range and list(self.input_range),
        'seed': self.seed,
    }


def _check_range(
    input_range: Sequence[float] | None) -> tuple[float, float] | None:
  if input_range is None:
    return None
  low, high = map(float, input_range)
  if not -np.inf < low < high < np.inf:
    raise ValueError('`input_range` must be the lowest and the highest value '
                     'of x, or None for any values. Received: '
                     f'input_range={input_range!r}')
  return low, high


def _is_building() -> bool:
  """Returns whether Keras traces only shapes, as when it loads a model."""
  graph = tf.compat.v1.get_default_graph()
  return getattr(graph, 'name', '').endswith('_scratch_graph')
