"""Networks, and the models made of them."""

from tfvae.inference import Inference
from tfvae.inference import LatentVariableModel
from tfvae.models.build import image_vae
from tfvae.models.checks.graph import decoder_input_size
from tfvae.models.export.plain_models import decoder_model
from tfvae.models.export.plain_models import encoder_model
from tfvae.models.factor import Factor
from tfvae.models.graph_vae import GraphVAE
from tfvae.models.networks import Network
from tfvae.models.networks import NETWORKS
from tfvae.models.trainable_model import TrainableModel
from tfvae.models.vae import VAE
from tfvae.registry import public_names

__all__ = public_names(globals())
