"""Checks of the networks that a model is made of."""

from typing import Any

import tensorflow_probability as tfp
import tf_keras


def last_layer(network: Any) -> Any:
  """Returns the layer that a network ends in, or None if it does not say."""
  while isinstance(network, tf_keras.Model):
    if not getattr(network, 'layers', None) or not isinstance(
        network, tf_keras.Sequential) and not getattr(
            network, 'outputs', None):
      return None  # A subclass, whose last layer is unknown.
    network = network.layers[-1]
  return network


def shape_of_input(network: tf_keras.Model) -> tuple[int, ...] | None:
  """Returns the shape of one example of a network's input, if it is known."""
  try:
    shape = network.input_shape
  except AttributeError:  # Never called, and without an Input.
    return None
  if not isinstance(shape, tuple) or None in shape[1:]:
    return None
  return shape[1:]


def check_decoder(decoder: tf_keras.Model, size: int | None,
                  what: str = 'the latents'):
  """Raises unless a decoder takes the latents and ends in a likelihood.

  Args:
    decoder: Network from z to p(x|z).
    size: Size of its input; None if it is unknown.
    what: Name of its input.

  Raises:
    ValueError: If it ends in a layer that makes no distribution, or takes
      another size.
  """
  layer = last_layer(decoder)
  if layer is not None and not isinstance(
      layer, tfp.layers.DistributionLambda):
    raise ValueError(
        'The decoder must end in a likelihood layer, such as '
        'tfvae.layers.IndependentBernoulli(event_shape). Received: '
        f'{decoder.name!r} with the last layer {layer}')
  taken = shape_of_input(decoder)
  if None not in (taken, size) and taken != (size,):
    raise ValueError(
        f'The decoder must take {what}, {size} numbers. Received: '
        f'decoder.input_shape={(None, *taken)}')
