"""Networks for any image shape.

Each kind has two: one from x to features, which the factors of q(z|x) take up,
and one from z to the parameters of p(x|z). They are plain `tf_keras.Model`s
without a distribution, and any other such model can stand in their place.
"""

from collections.abc import Callable

import tf_keras

from tfvae.models.networks.conv import conv_decoder
from tfvae.models.networks.conv import conv_features
from tfvae.models.networks.mlp import mlp_decoder
from tfvae.models.networks.mlp import mlp_features
from tfvae.models.networks.resnet import resnet_decoder
from tfvae.models.networks.resnet import resnet_features

__all__ = [
    'NETWORKS',
    'conv_decoder',
    'conv_features',
    'mlp_decoder',
    'mlp_features',
    'resnet_decoder',
    'resnet_features',
]

# By name: the features of x, and the decoder.
NETWORKS: dict[str, tuple[Callable[..., tf_keras.Model],
                          Callable[..., tf_keras.Model]]] = {
    'mlp': (mlp_features, mlp_decoder),
    'conv': (conv_features, conv_decoder),
    'resnet': (resnet_features, resnet_decoder),
}
