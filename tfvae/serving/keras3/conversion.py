"""A trained model's encoder and decoder as models of Keras 3."""

import os
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf
import tf_keras

from tfvae.models import LatentVariableModel
from tfvae.models.export.plain_models import decoder_model
from tfvae.models.export.plain_models import encoder_model
from tfvae.serving.keras3.networks import convert_network

# Of what is checked; well above rounding, well below another activation.
_TOLERANCE = 1e-3


class Keras3Models(NamedTuple):
  """A model's two halves for Keras 3; see `to_keras3`.

  Attributes:
    encoder: from x to mean and standard deviations of q(z|x).
    decoder: from z to the mean of p(x|z).
  """

  encoder: keras.Model
  decoder: keras.Model

  def save(self, directory: str) -> None:
    """Writes `encoder.keras` and `decoder.keras` into a directory.

    They load by `keras.models.load_model`, in safe mode, where only Keras is
    installed: this version of it or a newer one, with the backend TensorFlow or
    JAX.

    Args:
      directory: it is made if it is missing.
    """
    os.makedirs(directory, exist_ok=True)
    for name, model in self._asdict().items():
      model.save(os.path.join(directory, f'{name}.keras'))


def to_keras3(model: LatentVariableModel) -> Keras3Models:
  """Returns native Keras 3 models of a model's encoder and decoder.

  They hold copies of the weights, are made of Keras's own layers and
  operations alone, and compute in float32. Inputs and outputs are those of
  `tfvae.models.encoder_model` and `tfvae.models.decoder_model`: 'loc' and
  'scale_diag', with several latents 'z1_loc', …, and the mean of p(x|z).

  A flow's masks are multiplied into its kernels: exact, but training its layers
  further would fill in the connections that they cut.

  Args:
    model: a `GraphVAE` or a `VAE`; its networks may have any layer that is in
      `tf_keras.layers` and in `keras.layers`.

  Raises:
    ValueError: if Keras 3 lacks a layer, or computes something else with it; a
      layer of the user's own, for example, or a Lambda.
  """
  return Keras3Models(*(
      _checked(network, convert_network(network))
      for network in (encoder_model(model), decoder_model(model))))


def _checked(network: tf_keras.Model, converted: keras.Model) -> keras.Model:
  """Compares the two on noise: a layer may mean something else in Keras 3."""
  if any(layer.compute_dtype in ('float16', 'bfloat16')
         for layer in network.submodules
         if isinstance(layer, tf_keras.layers.Layer)):
    return converted  # The original rounds too much to compare with.
  rng = np.random.default_rng(0)
  inputs = tf.nest.map_structure(
      lambda tensor: rng.uniform(
          size=[2, *(32 if n is None else n for n in tensor.shape[1:])]
      ).astype(tensor.dtype.name), network.input)
  with tf.device('CPU'), keras.device('cpu'):  # Without TF32.
    expected, received = (
        tf.nest.flatten(model(inputs, training=False))
        for model in (network, converted))
  for a, b in zip(map(np.asarray, expected),
                  map(keras.ops.convert_to_numpy, received), strict=True):
    if not np.allclose(a, b, _TOLERANCE, _TOLERANCE):
      raise ValueError(
          f'Keras 3 computes something else for the {network.name}: one of its '
          'layers or activations means something else there (hard_sigmoid '
          'does); replace it. Received: a difference of '
          f'{np.max(np.abs(a - b)):.2g}')
  return converted
