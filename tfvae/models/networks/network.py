"""The choices of networks by name."""

from collections.abc import Callable
from typing import NamedTuple

import tf_keras

from tfvae.registry import Registry


class Network(NamedTuple):
  """A pair of networks: from x to features, and from z to parameters of p(x|z).

  Both are plain `tf_keras.Model`s without a distribution. A function that
  returns the pair registers it:

  ```python
  @NETWORKS.register('mlp')
  def mlp_network() -> Network:
    return Network(mlp_features, mlp_decoder)
  ```

  Attributes:
    features: Function (input_shape, hidden_units, activation, dtype=None) ->
      model from x, `[b, *input_shape]`, to features, `[b, n]`, which the
      factors of q(z|x) take.
    decoder: Function (input_size, output_shape, hidden_units, activation,
      dtype=None) -> model from z, `[b, input_size]`, to the parameters of
      p(x|z), `[b, *output_shape]`.
  """

  features: Callable[..., tf_keras.Model]
  decoder: Callable[..., tf_keras.Model]


class _Networks(Registry):
  """Kinds of networks by name; as a mapping it has the pairs themselves."""

  def __getitem__(self, name: str) -> Network:
    return self.make(name)


NETWORKS = _Networks('network')
