"""Networks for images of any size, and for other data."""

from tfvae.models.networks.conv import conv_decoder
from tfvae.models.networks.conv import conv_features
from tfvae.models.networks.conv import conv_network
from tfvae.models.networks.mlp import mlp_decoder
from tfvae.models.networks.mlp import mlp_features
from tfvae.models.networks.mlp import mlp_network
from tfvae.models.networks.network import Network
from tfvae.models.networks.network import NETWORKS
from tfvae.models.networks.resnet import resnet_decoder
from tfvae.models.networks.resnet import resnet_features
from tfvae.models.networks.resnet import resnet_network
from tfvae.registry import public_names

__all__ = public_names(globals())
