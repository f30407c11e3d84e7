"""The variational autoencoder of an encoder and a decoder."""

from collections.abc import Mapping
import types
from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp
import tf_keras

from tfvae import regularizers
from tfvae.graph import GraphicalModel
from tfvae.inference.batches import Shapes
from tfvae.layers.base import conversion
from tfvae.models.checks import keras_objects
from tfvae.models.checks.networks import check_decoder
from tfvae.models.checks.networks import last_layer
from tfvae.models.checks.networks import shape_of_input
from tfvae.models.export import plain_models
from tfvae.models.trainable_model import TrainableModel
from tfvae.priors import Prior

tfd = tfp.distributions


@tf_keras.saving.register_keras_serializable(package='tfvae')
class VAE(TrainableModel):
  """A VAE of two Keras models, with the graph q: z|x, p: z; x|z.

  See `TrainableModel` for how it trains.

  Attributes:
    graph: The `GraphicalModel`; its one latent is 'z'.
    encoder: Network from x to q(z|x).
    decoder: Network from z to p(x|z).
    prior: p(z) of the encoder's `KLDivergenceRegularizer`.
    seed: Seed of the noise in training and evaluation.
  """

  def __init__(self, encoder: tf_keras.Model, decoder: tf_keras.Model,
               seed: int = 0, **kwargs):
    """Initializes the model.

    Args:
      encoder: Keras model whose output is a distribution layer with a
        `KLDivergenceRegularizer`, such as `MultivariateNormalDiag`.
      decoder: Keras model that ends in a likelihood layer, such as
        `IndependentBernoulli`.
      seed: Seed of the noise in training and evaluation.
      **kwargs: Arguments of `tf_keras.Model`.

    Raises:
      ValueError: If the encoder has no `KLDivergenceRegularizer`, or several.
    """
    super().__init__(**kwargs)
    keras_objects.check_is_tf_keras(encoder=encoder, decoder=decoder)
    size = getattr(last_layer(encoder), 'event_size', None)
    check_decoder(decoder, size)
    self.encoder = encoder
    self.decoder = decoder
    regularizer = _kl_regularizer(encoder)
    self.graph = GraphicalModel.parse(
        {'z': int(size or _event_size(regularizer))})
    self._initialize({'z': regularizer}, seed)
    if isinstance(self.prior, Prior) and self.prior.needs_posterior:
      self.prior.bind(self.posterior)

  @property
  def observed_shapes(self) -> Shapes:
    """Shape of one x, or None if the encoder does not know it yet."""
    return {'x': shape_of_input(self.encoder)}

  @property
  def prior(self) -> Any:
    """p(z; θ), a layer of `tfvae.priors` or a `tfd.Distribution`."""
    return self.kl_regularizers['z'].prior

  @property
  def priors(self) -> Mapping[str, Any]:
    """The prior by name."""
    # No dict: Keras would save the prior's weights under this attribute, and
    # files have them below the encoder.
    return types.MappingProxyType({'z': self.prior})

  def posterior(self, inputs: Any) -> tfd.Distribution:
    """Returns q(z|x), batch shape `[b]`."""
    return self.posterior_factor('z', self.inference_values(inputs))

  def prior_distribution(self, inputs: Any = None) -> tfd.Distribution:
    """Returns p(z), batch shape `[]`."""
    del inputs
    return self.kl_regularizers['z'].prior_distribution()

  def posterior_factor(self, name: str, values: Mapping[str, Any],
                       training: bool = False) -> tfd.Distribution:
    """Returns q(z|x) without the tensor and the loss its layer makes of it."""
    with conversion.convert_with(tfd.Distribution.mean), (
        regularizers.suspended()):
      posterior = self.encoder(values['x'], training=training)
    return getattr(posterior, 'tensor_distribution', posterior)

  def prior_factor(self, name: str,
                   values: Mapping[str, Any]) -> tfd.Distribution:
    """Returns p(z), batch shape `[]`."""
    return self.prior_distribution()

  def decode(self, latents: Mapping[str, tf.Tensor], inputs: Any = None,
             training: bool = False) -> tfd.Distribution:
    """Returns p(x|z), batch shape `[b]`; see `LatentVariableModel`."""
    del inputs
    return self.decoder(latents['z'], training=training)

  def sample_prior(self, n: int, seed: tf.Tensor,
                   inputs: Any = None) -> dict[str, tf.Tensor]:
    """Returns n draws of p(z) by name; see `LatentVariableModel`."""
    # A single latent: the seed is not split, as it is for several.
    return self.draw_prior(lambda p: p.sample(n, seed=seed), inputs)

  def posterior_layers(self) -> dict[str, tf_keras.layers.Layer]:
    """Returns the encoder's last layer by name, or nothing if it hides it."""
    layer = last_layer(self.encoder)
    return {} if layer is None else {'z': layer}

  def inference_network(self) -> tf_keras.Model:
    """Returns the encoder, the network that takes x."""
    return self.encoder

  def plain_encoder(self) -> tf_keras.Model:
    """Returns the encoder as a plain model; see `encoder_model`."""
    return plain_models.encoder_of_network(self.encoder)

  def plain_decoder(self) -> tf_keras.Model:
    """Returns the decoder as a plain model; see `decoder_model`."""
    return plain_models.decoder_of_network(self.decoder)

  def get_config(self) -> dict[str, Any]:
    """Returns the encoder, the decoder and the seed as plain data."""
    return {
        'encoder': tf_keras.saving.serialize_keras_object(self.encoder),
        'decoder': tf_keras.saving.serialize_keras_object(self.decoder),
        'seed': self.seed,
        'name': self.name,
    }

  @classmethod
  def from_config(cls, config: dict[str, Any], custom_objects=None) -> 'VAE':
    """Makes the model from the result of `get_config`."""
    del custom_objects
    config = dict(config)
    for part in ('encoder', 'decoder'):
      config[part] = tf_keras.saving.deserialize_keras_object(config[part])
    return cls(**config)


def _kl_regularizer(
    encoder: tf_keras.Model) -> regularizers.KLDivergenceRegularizer:
  found = [layer.activity_regularizer for layer in encoder.submodules
           if isinstance(getattr(layer, 'activity_regularizer', None),
                         regularizers.KLDivergenceRegularizer)]
  if len(found) != 1:
    raise ValueError(
        'VAE needs an encoder with exactly one KLDivergenceRegularizer; give '
        'its distribution layer activity_regularizer=KLDivergenceRegularizer('
        f'prior). Received: encoder={encoder.name!r} with {len(found)} of '
        'them')
  return found[0]


def _event_size(regularizer: regularizers.KLDivergenceRegularizer) -> int:
  """Returns the size of z by its prior, where the encoder does not say it."""
  prior = regularizer.prior
  size = getattr(prior, 'event_size', None)
  if size is None:
    size = regularizer.prior_distribution().event_shape.num_elements()
  if not size:
    raise ValueError(
        'The size of z must be known: end the encoder in a layer of '
        'tfvae.layers, or give its KLDivergenceRegularizer a prior of known '
        f'event shape. Received: prior={prior!r}')
  return size
