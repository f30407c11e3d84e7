"""A VAE of images from a handful of settings."""

from collections.abc import Sequence

import tf_keras

from tfvae.layers import IndependentBernoulli
from tfvae.layers import MultivariateNormalDiag
from tfvae.models.networks import NETWORKS
from tfvae.models.vae import VAE
from tfvae.priors import StandardNormal
from tfvae.regularizers import KLDivergenceRegularizer


def image_vae(
    image_shape: Sequence[int],
    latent_size: int,
    network: str = 'mlp',
    hidden_units: Sequence[int] = (200, 200),
    activation: str = 'tanh',
    kl_weight: float = 1.0,
    seed: int = 0,
) -> VAE:
  """Returns a VAE of binary images with a standard normal prior.

    p(z) = N(0, I),  p(x|z) = Bernoulli(x; sigmoid(DNN_dec(z))),
    q(z|x) = N(z; μ, diag σ²),  (μ, log σ²) = DNN_enc(x).

  Args:
    image_shape: height, width and channels.
    latent_size: dimensions of z, at least 1.
    network: a key of `NETWORKS`.
    hidden_units: widths (filters, for 'conv') from x towards z; their number
      is the depth.
    activation: of the hidden layers.
    kl_weight: β of the training objective.
    seed: of the noise; weights are initialised from Keras's global seed.

  Raises:
    ValueError: for an unknown network, or a size below 1.
  """
  if network not in NETWORKS:
    raise ValueError(f'network must be one of {sorted(NETWORKS)}. Received: '
                     f'network={network!r}')
  make_encoder, make_decoder = NETWORKS[network]
  posterior = MultivariateNormalDiag(
      latent_size,
      activity_regularizer=KLDivergenceRegularizer(
          StandardNormal(latent_size), weight=kl_weight),
      name='posterior')
  likelihood = IndependentBernoulli(image_shape, name='likelihood')
  params_size = posterior.params_size(latent_size)
  encoder = make_encoder(image_shape, params_size, hidden_units, activation)
  decoder = make_decoder(latent_size, image_shape, hidden_units, activation)
  return VAE(
      encoder=tf_keras.Sequential([encoder, posterior], name='encoder'),
      decoder=tf_keras.Sequential([decoder, likelihood], name='decoder'),
      seed=seed)
