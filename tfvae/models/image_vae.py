"""A VAE of images from a handful of settings."""

from collections.abc import Sequence

import tf_keras

from tfvae.graph import GraphicalModel
from tfvae.layers import IndependentBernoulli
from tfvae.models.graph_vae import decoder_input_size
from tfvae.models.graph_vae import GraphVAE
from tfvae.models.networks import NETWORKS


def image_vae(
    graph: GraphicalModel | str | int,
    image_shape: Sequence[int],
    network: str = 'mlp',
    hidden_units: Sequence[int] = (200, 200),
    factor_units: Sequence[int] = (100, 100),
    activation: str = 'tanh',
    num_classes: int | None = None,
    kl_weight: float = 1.0,
    seed: int = 0,
) -> GraphVAE:
  """Returns a VAE of binary images.

    p(x|Pa(x)) = Bernoulli(x; sigmoid(DNN_dec(Pa(x)))),

  and normal densities for the latents, as the graph has them.

  Args:
    graph: the factorisation; latents such as 'z:50' or a size stand for the
      plain VAE.
    image_shape: height, width and channels.
    network: a key of `NETWORKS`.
    hidden_units: widths (filters, for 'conv') from x towards z; their number
      is the depth.
    factor_units: widths of the hidden layers between latents.
    activation: of the hidden layers.
    num_classes: length of the one-hot label where `y` is in the graph.
    kl_weight: β of the training objective.
    seed: of the noise; weights are initialised from Keras's global seed.

  Raises:
    ValueError: for an unknown network, a size below 1, or a graph with a
      mistake.
  """
  if network not in NETWORKS:
    raise ValueError(f'network must be one of {sorted(NETWORKS)}. Received: '
                     f'network={network!r}')
  if not isinstance(graph, GraphicalModel):
    graph = GraphicalModel.parse(
        f'z:{graph}' if isinstance(graph, int) else graph)
  make_features, make_decoder = NETWORKS[network]
  decoder = make_decoder(decoder_input_size(graph, num_classes), image_shape,
                         hidden_units, activation)
  return GraphVAE(
      graph,
      make_features(image_shape, hidden_units, activation),
      tf_keras.Sequential(
          [decoder, IndependentBernoulli(image_shape, name='likelihood')],
          name='decoder'),
      num_classes=num_classes, factor_units=factor_units,
      activation=activation, kl_weight=kl_weight, seed=seed)
