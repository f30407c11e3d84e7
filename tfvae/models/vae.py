"""The variational autoencoder of an encoder and a decoder."""

from collections.abc import Mapping
from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp
import tf_keras

from tfvae import regularizers
from tfvae.layers.base import conversion
from tfvae.models.checks import batches as batch_checks
from tfvae.models.checks import keras_objects
from tfvae.models.inference import Draw
from tfvae.models.inference import Inference
from tfvae.models.latent_variable_model import LatentVariableModel
from tfvae.priors import VampPrior

tfd = tfp.distributions


@tf_keras.saving.register_keras_serializable(package='tfvae')
class VAE(LatentVariableModel):
  """A VAE of two Keras models; see `LatentVariableModel` for how it trains.

  Attributes:
    encoder: from x to q(z|x).
    decoder: from z to p(x|z).
    prior: p(z), as given to the encoder's `KLDivergenceRegularizer`.
    seed: of the noise in training and evaluation.
  """

  def __init__(self, encoder: tf_keras.Model, decoder: tf_keras.Model,
               seed: int = 0, **kwargs):
    """Initialises the model.

    Args:
      encoder: a Keras model whose output is a distribution layer with a
        `KLDivergenceRegularizer`, such as `MultivariateNormalDiag`.
      decoder: a Keras model that ends in a likelihood layer, such as
        `IndependentBernoulli`.
      seed: of the noise in training and evaluation.
      **kwargs: of `tf_keras.Model`.

    Raises:
      ValueError: if the encoder has no `KLDivergenceRegularizer`, or several.
    """
    super().__init__(**kwargs)
    keras_objects.check_is_tf_keras(encoder=encoder, decoder=decoder)
    batch_checks.check_decoder(decoder, _latent_size(encoder))
    self.encoder = encoder
    self.decoder = decoder
    self._finish({'z': _kl_regularizer(encoder)}, seed)
    if isinstance(self.prior, VampPrior):
      self.prior.bind(self._posterior)

  def _posterior(self, inputs: Any,
                 training: bool = False) -> tfd.Distribution:
    """Returns q(z|x) without the tensor and the loss its layer makes of it."""
    inputs = inputs['x'] if isinstance(inputs, dict) else inputs
    batch_checks.check_observed({'x': inputs}, self.observed_shapes)
    with conversion.convert_with(tfd.Distribution.mean), (
        regularizers.suspended()):
      posterior = self.encoder(inputs, training=training)
    return getattr(posterior, 'tensor_distribution', posterior)

  @property
  def observed_shapes(self) -> batch_checks.Shapes:
    """Shape of one x, or None if the encoder does not know it yet."""
    return {'x': batch_checks.shape_of_input(self.encoder)}

  @property
  def prior(self) -> Any:
    """p(z; θ), a layer of `tfvae.priors` or a `tfd.Distribution`."""
    return self._regularizers['z'].prior

  def prior_distribution(self) -> tfd.Distribution:
    """Returns p(z; θ) for the present θ."""
    return self._regularizers['z'].prior_distribution()

  def infer(self, inputs: Any, draw: Draw,
            training: bool = False) -> Inference:
    """Draws z from q(z|x), under the name 'z'; see `LatentVariableModel`."""
    latents, posteriors = self.draw_posterior(inputs, draw, training)
    prior = self.prior_distribution()
    return Inference(latents, posteriors, {'z': prior}, {
        'z': self._regularizers['z'].kl(posteriors['z'], latents['z'], prior)})

  def draw_posterior(
      self, inputs: Any, draw: Draw, training: bool = False,
  ) -> tuple[dict[str, tf.Tensor], dict[str, tfd.Distribution]]:
    """Returns a draw of q(z|x), and q(z|x); see `LatentVariableModel`."""
    posterior = self._posterior(inputs, training)
    return {'z': draw(posterior)}, {'z': posterior}

  def decode(self, latents: Mapping[str, tf.Tensor], inputs: Any = None,
             training: bool = False) -> tfd.Distribution:
    """Returns p(x|z), batch shape `[b]`; see `LatentVariableModel`."""
    del inputs
    return self.decoder(latents['z'], training=training)

  def draw_prior(self, draw: Draw, inputs: Any = None) -> dict[str, tf.Tensor]:
    """Returns a draw of p(z), under the name 'z'; see the base class."""
    del inputs
    return {'z': draw(self.prior_distribution())}

  def sample_prior(self, n: int, seed: tf.Tensor,
                   inputs: Any = None) -> dict[str, tf.Tensor]:
    """Returns draws of p(z) by name, `[n, size]`; see `sample`."""
    return self.draw_prior(lambda p: p.sample(n, seed=seed), inputs)

  def log_prior(self, latents: Mapping[str, tf.Tensor],
                inputs: Any = None) -> tf.Tensor:
    """Returns log p(z); see the base class."""
    del inputs
    return self.prior_distribution().log_prob(latents['z'])

  def log_posterior(self, latents: Mapping[str, tf.Tensor],
                    inputs: Any) -> tf.Tensor:
    """Returns log q(z|x); see the base class."""
    return self._posterior(inputs).log_prob(latents['z'])

  def get_config(self) -> dict[str, Any]:
    """Returns encoder, decoder and seed as plain data."""
    return {
        'encoder': tf_keras.saving.serialize_keras_object(self.encoder),
        'decoder': tf_keras.saving.serialize_keras_object(self.decoder),
        'seed': self.seed,
        'name': self.name,
    }

  @classmethod
  def from_config(cls, config: dict[str, Any], custom_objects=None) -> 'VAE':
    """Makes the model from what `get_config` returned."""
    del custom_objects
    config = dict(config)
    for part in ('encoder', 'decoder'):
      config[part] = tf_keras.saving.deserialize_keras_object(config[part])
    return cls(**config)


def _latent_size(encoder: tf_keras.Model) -> int | None:
  """Returns the dimensions of z, or None where the encoder does not say."""
  return getattr(batch_checks.last_layer(encoder), 'event_size', None)


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
