"""Encoder and decoder of a trained model as models of Keras 3."""

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

# Tolerance of the check: well above rounding, well below another activation.
_TOLERANCE = 1e-3


class Keras3Models(NamedTuple):
  """Encoder and decoder of a model for Keras 3; see `to_keras3`.

  Attributes:
    encoder: Model from x to mean and standard deviations of q(z|x).
    decoder: Model from z to the mean of p(x|z).
  """

  encoder: keras.Model
  decoder: keras.Model

  def save(self, directory: str) -> None:
    """Writes `encoder.keras` and `decoder.keras` into a directory.

    They load with `keras.models.load_model`, in safe mode, where only Keras is
    installed: this version or a newer one, with the backend TensorFlow or JAX.

    Args:
      directory: Directory for the files; created if it does not exist.
    """
    os.makedirs(directory, exist_ok=True)
    for name, model in self._asdict().items():
      model.save(os.path.join(directory, f'{name}.keras'))


def to_keras3(model: LatentVariableModel) -> Keras3Models:
  """Returns native Keras 3 models of a model's encoder and decoder.

  They have copies of the weights, consist only of layers and operations of
  Keras itself, and compute in float32. Inputs and outputs are those of
  `tfvae.models.encoder_model` and `tfvae.models.decoder_model`: 'loc' and
  'scale_diag', with several latents 'z1_loc', …, and the mean of p(x|z).

  The masks of a flow are multiplied into its kernels. This is exact, but
  further training of its layers would change the masked weights.

  Args:
    model: A `GraphVAE` or a `VAE`; its networks may have any layer that is in
      both `tf_keras.layers` and `keras.layers`.

  Raises:
    ValueError: If Keras 3 lacks a layer, such as a custom layer or a Lambda, or
      computes something else with it; or a custom likelihood or posterior has
      no `keras3_mean` or `keras3_moments`.
  """
  return Keras3Models(*(
      _checked(network, convert_network(network))
      for network in (encoder_model(model), decoder_model(model))))


def _checked(network: tf_keras.Model, converted: keras.Model) -> keras.Model:
  """Returns the converted model after comparing the outputs of both on noise.

  A layer may compute something else in Keras 3.
  """
  if any(layer.compute_dtype in ('float16', 'bfloat16')
         for layer in network.submodules
         if isinstance(layer, tf_keras.layers.Layer)):
    return converted  # The original rounds too coarsely for the comparison.
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
          'layers or activations, such as hard_sigmoid, has another definition '
          'there; replace it. Received: a difference of '
          f'{np.max(np.abs(a - b)):.2g}')
  return converted
