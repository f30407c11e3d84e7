"""A network of one's own: a residual multilayer perceptron, in one file.

Importing the file registers it; `--network=skip` and
`image_vae(network='skip')` then work like the built-in ones. Any other layer of
`tf_keras.layers` can take the place of the dense ones.
"""

from collections.abc import Sequence
import math
import os
from typing import Any

import tf_keras

import tfvae
from tfvae.models import Network
from tfvae.models import NETWORKS
from tfvae.models.networks.precision import output_dtype

layers = tf_keras.layers


def skip_features(input_shape: Sequence[int], units: Sequence[int],
                  activation: str, dtype: Any = None) -> tf_keras.Model:
  """Returns a network from x, `[b, *input_shape]`, to features, `[b, n]`."""
  x = layers.Input(input_shape)
  h = _blocks(layers.Flatten(dtype=dtype)(x), units, activation, dtype)
  return tf_keras.Model(x, h, name='skip_features')


def skip_decoder(input_size: int, output_shape: Sequence[int],
                 units: Sequence[int], activation: str,
                 dtype: Any = None) -> tf_keras.Model:
  """Returns a network from z to the parameters of x, `[b, *output_shape]`."""
  z = layers.Input([input_size])
  h = _blocks(z, units[::-1], activation, dtype)
  dtype = output_dtype(dtype)  # Float32 also in mixed precision.
  h = layers.Dense(math.prod(output_shape), dtype=dtype)(h)
  h = layers.Reshape(output_shape, dtype=dtype)(h)
  return tf_keras.Model(z, h, name='skip_decoder')


def _blocks(h: Any, units: Sequence[int], activation: str, dtype: Any) -> Any:
  for width in units:  # h ← W h + f(W h)
    h = layers.Dense(width, dtype=dtype)(h)
    branch = layers.Dense(width, activation, dtype=dtype)(h)
    h = layers.Add(dtype=dtype)([h, branch])
  return h


@NETWORKS.register('skip')
def skip_network() -> Network:
  """Returns the pair of networks."""
  return Network(skip_features, skip_decoder)


def main(workdir: str, **settings: Any) -> dict[str, Any]:
  """Trains, evaluates, reports, saves, exports and converts a model.

  Args:
    workdir: Directory of the run.
    **settings: Settings in place of those below.

  Returns:
    The content of `metrics.json`.
  """
  from tfvae import training  # After the registration.
  config = training.Config(**{
      'dataset': 'digits', 'network': 'skip', 'hidden_units': (64, 64),
      'latents': 'z:8', 'epochs': 20} | settings)
  metrics = training.train_and_evaluate(config, workdir)
  model = tf_keras.models.load_model(os.path.join(workdir, 'model.keras'))
  tfvae.serving.to_keras3(model).save(os.path.join(workdir, 'keras3'))
  return metrics


if __name__ == '__main__':
  print(main('runs/skip')['test']['elbo'], 'nats')
