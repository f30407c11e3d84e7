"""A VAE of images from a handful of settings."""

from collections.abc import Mapping, Sequence
from typing import Any

import tf_keras

from tfvae.graph import GraphicalModel
from tfvae.models import choices
from tfvae.models.checks.graph import decoder_input_size
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
    likelihood: str = 'bernoulli',
    likelihood_components: int = 1,
    likelihood_scale: float | None = None,
    prior: str = 'standard_normal',
    prior_components: int = 100,
    posterior: str = 'normal_diag',
    merging: str = 'network',
    kl_weight: float = 1.0,
    kl_controls: Mapping[str, Any] | None = None,
    seed: int = 0,
    dtype: str | None = None,
) -> GraphVAE:
  """Returns a VAE of images: graph, networks, likelihood and prior by name.

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
    likelihood: a key of `LIKELIHOODS`.
    likelihood_components: of the mixture, for 'discretized_logistic'.
    likelihood_scale: σ of 'normal', fixed; None for one that is learned.
    prior: a key of `PRIORS`, for the latents without parents in p.
    prior_components: of the mixture, for 'mixture' and 'vamp'.
    posterior: a key of `POSTERIORS`, for every latent.
    merging: 'network' or 'precision_weighted'; see `GraphVAE`.
    kl_weight: β of the training objective.
    kl_controls: other arguments of `KLDivergenceRegularizer`.
    seed: of the noise; weights are initialised from Keras's global seed.
    dtype: name of the networks' dtype policy, such as 'mixed_bfloat16'; None is
      Keras's global policy. Distributions are float32 under any.

  Raises:
    ValueError: for a name or a size that is none, or a graph with a mistake.
  """
  make_features, make_decoder = choices.get(NETWORKS, 'network', network)
  make_prior = choices.get(choices.PRIORS, 'prior', prior)
  make_posterior = choices.get(choices.POSTERIORS, 'posterior', posterior)
  make_likelihood = choices.get(choices.LIKELIHOODS, 'likelihood', likelihood)
  if not isinstance(graph, GraphicalModel):
    graph = GraphicalModel.parse(
        f'z:{graph}' if isinstance(graph, int) else graph)
  layer = make_likelihood(
      tuple(image_shape), likelihood_components, likelihood_scale)
  decoder = make_decoder(
      decoder_input_size(graph, num_classes),
      layer.params_shape(layer.event_shape, **layer.settings), hidden_units,
      activation, dtype=dtype)
  return GraphVAE(
      graph,
      make_features(image_shape, hidden_units, activation, dtype=dtype),
      tf_keras.Sequential([decoder, layer], name='decoder'),
      priors={name: make_prior(
          size, prior_components, tuple(image_shape),
          None if layer.support == 'counts' else (0.0, 1.0))
              for name, size in graph.latents
              if not graph.parents('generative', name)},
      posteriors={name: make_posterior(size) for name, size in graph.latents},
      merging=merging,
      num_classes=num_classes, factor_units=factor_units,
      activation=activation, kl_weight=kl_weight, kl_controls=kl_controls,
      seed=seed, factor_dtype=dtype)
