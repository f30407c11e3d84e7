"""Networks, and the models made of them."""

from tfvae.models.image_vae import image_vae
from tfvae.models.networks import NETWORKS
from tfvae.models.vae import VAE

__all__ = ['NETWORKS', 'VAE', 'image_vae']
