"""The base of the priors."""

from collections.abc import Callable
from typing import Any, ClassVar

import tensorflow as tf
import tensorflow_probability as tfp
import tf_keras

from tfvae.registry import Registry

tfd = tfp.distributions

# Classes of priors by name; see `Prior`.
PRIORS = Registry('prior')


class Prior(tf_keras.layers.Layer):
  """p(z; θ), whose parameters θ are weights of the layer.

  The layer is never called: a `KLDivergenceRegularizer` asks it for its
  `distribution`. It makes its weights when it is made itself, so that they
  train, save and are restored with the posterior layer that tracks it.

  A prior of your own registers itself with
  `@tf_keras.saving.register_keras_serializable`, and adds to `get_config`
  whatever its `__init__` takes besides `event_size`.

  Attributes:
    needs_posterior: Whether p(z; θ) is made of q(z|x), which `bind` hands over;
      the only parent of z in q must then be x.
    num_initial_examples: Examples that `initialize_from` needs; 0 for a prior
      that begins without data.
  """

  needs_posterior: ClassVar[bool] = False
  num_initial_examples: int = 0

  def __init__(self, event_size: int, dtype: Any = 'float32', **kwargs):
    """Initialises the prior.

    Args:
      event_size: dimensions of z, at least 1.
      dtype: of z and θ, 'float32' (whatever the policy) or 'float64'.
      **kwargs: of `tf_keras.layers.Layer`.

    Raises:
      ValueError: if `event_size` is not a positive integer, or `dtype` is
        another.
    """
    super().__init__(dtype=dtype, **kwargs)
    self._check_positive(event_size=event_size)
    if self.compute_dtype not in ('float32', 'float64'):
      raise ValueError(
          f'{type(self).__name__} computes in float32 or float64; leave dtype '
          'out to have float32 under any policy. Received: '
          f'dtype={self.compute_dtype}')
    self.event_size = event_size
    self.built = True  # Its weights are made with it, and it is never called.

  def distribution(self) -> tfd.Distribution:
    """Returns p(z; θ) for the present θ.

    Returns:
      A distribution made anew in each call, so that it may be used inside any
      `tf.function`: batch shape `[]`, event shape `[event_size]`.
    """
    raise NotImplementedError(f'{type(self).__name__} has no distribution().')

  def bind(self, posterior_fn: Callable[[tf.Tensor], tfd.Distribution]):
    """Hands over the model's q(z|x); most priors have no use for it.

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

  def _check_positive(self, **sizes: int):
    for name, size in sizes.items():
      if not isinstance(size, int) or size < 1:
        raise ValueError(f'{type(self).__name__} needs a {name} that is an '
                         f'integer of at least 1. Received: {name}={size!r}')
