"""Networks, and the models made of them."""

from tfvae.models.build import image_vae
from tfvae.models.checks.graph import decoder_input_size
from tfvae.models.export.plain_models import decoder_model
from tfvae.models.export.plain_models import encoder_model
from tfvae.models.factor import Factor
from tfvae.models.graph_vae import GraphVAE
from tfvae.models.inference import Inference
from tfvae.models.latent_variable_model import LatentVariableModel
from tfvae.models.networks import Network
from tfvae.models.networks import NETWORKS
from tfvae.models.vae import VAE

__all__ = [
    'Factor',
    'GraphVAE',
    'Inference',
    'LatentVariableModel',
    'NETWORKS',
    'Network',
    'VAE',
    'decoder_input_size',
    'decoder_model',
    'encoder_model',
    'image_vae',
]
