"""The base of the priors, and their choices by name."""

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import tensorflow as tf
import tensorflow_probability as tfp
import tf_keras

from tfvae.layers.base import template
from tfvae.registry import Registry

tfd = tfp.distributions

# Classes of priors by name; see `Prior`.
PRIORS = Registry('prior')


class Prior(tf_keras.layers.Layer):
  """p(z; θ), whose parameters θ are weights of the layer.

  The layer is never called: a `KLDivergenceRegularizer` asks it for its
  `distribution`. It makes its weights in its constructor, so that they train,
  save and are restored with the posterior layer that tracks it.

  A prior is a subclass with `distribution`, whose `get_config` adds the
  arguments of its `__init__` besides `event_size`. It is registered with
  `@tf_keras.saving.register_keras_serializable`, and by name with
  `@PRIORS.register`.

  Attributes:
    needs_posterior: Whether p(z; θ) depends on q(z|x), which `bind` provides;
      the only parent of z in q must then be x.
    num_initial_examples: Examples that `initialize_from` needs; 0 for a prior
      that needs none.
    event_size: Dimensions of z; None in a template, which
      `tfvae.models.image_vae` copies for each latent.
  """

  needs_posterior: ClassVar[bool] = False
  num_initial_examples: int = 0

  def __init__(self, event_size: int | None = None, dtype: Any = 'float32',
               **kwargs):
    """Initializes the prior.

    Args:
      event_size: Dimensions of z, at least 1; None for a template, which makes
        no weights.
      dtype: Dtype of z and θ, 'float32' (under any policy) or 'float64'.
      **kwargs: Arguments of `tf_keras.layers.Layer`.

    Raises:
      ValueError: If `event_size` is not a positive integer, or `dtype` is
        another.
    """
    super().__init__(dtype=dtype, **kwargs)
    if event_size is None:
      self.distribution = self._refuse  # Instead of that of the subclass.
    else:
      self._check_positive(event_size=event_size)
    if self.compute_dtype not in ('float32', 'float64'):
      raise ValueError(
          f'{type(self).__name__} computes in float32 or float64; leave dtype '
          'out to have float32 under any policy. Received: '
          f'dtype={self.compute_dtype}')
    self.event_size = event_size
    self.built = True  # Its weights are made with it, and it is never called.

  @classmethod
  def data_arguments(
      cls, input_shape: Sequence[int],
      input_range: Sequence[float] | None) -> dict[str, Any]:
    """Returns the constructor arguments that depend on the data, by name.

    Args:
      input_shape: Shape of one x.
      input_range: Lowest and highest value of x; None if there is none.
    """
    del input_shape, input_range
    return {}

  def sized(self, event_size: int, input_shape: Sequence[int],
            input_range: Sequence[float] | None) -> 'Prior':
    """Returns a copy for z of `event_size` dimensions, and for data.

    Args:
      event_size: Dimensions of z.
      input_shape: Shape of one x.
      input_range: Lowest and highest value of x; None if there is none.

    Raises:
      ValueError: If the prior has another size.
    """
    return template.filled_in(self, {
        'event_size': event_size,
        **self.data_arguments(input_shape, input_range)})

  def distribution(self) -> tfd.Distribution:
    """Returns p(z; θ) for the present θ.

    Returns:
      A new distribution in each call, so that it can be used inside any
      `tf.function`: batch shape `[]`, event shape `[event_size]`.
    """
    raise NotImplementedError(f'{type(self).__name__} has no distribution().')

  def bind(self, posterior_fn: Callable[[tf.Tensor], tfd.Distribution]):
    """Takes the q(z|x) of the model; most priors do not use it.

    Args:
      posterior_fn: Function from inputs `[n, *input_shape]` to q(z|x), batch
        shape `[n]`, event shape `[event_size]`.
    """

  def initialize_from(self, x: Any):
    """Initializes θ from data; most priors need none.

    Args:
      x: Array `[n, *input_shape]`, n at least `num_initial_examples`.
    """

  def get_config(self) -> dict[str, Any]:
    """Returns names and numbers from which `from_config` makes the prior."""
    return super().get_config() | {'event_size': self.event_size}

  def _refuse(self) -> tfd.Distribution:
    raise template.missing(self, 'event_size')

  def _check_positive(self, **sizes: int):
    for name, size in sizes.items():
      if not isinstance(size, int) or size < 1:
        raise ValueError(f'{type(self).__name__} needs a {name} that is an '
                         f'integer of at least 1. Received: {name}={size!r}')
