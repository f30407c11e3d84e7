"""A VAE of images from settings."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import tf_keras

from tfvae.graph import GraphicalModel
from tfvae.layers import Likelihood
from tfvae.layers import LIKELIHOODS
from tfvae.layers import MissingInputs
from tfvae.layers import POSTERIORS
from tfvae.layers.base.posterior import Posterior
from tfvae.models.checks.graph import decoder_input_size
from tfvae.models.graph_vae import GraphVAE
from tfvae.models.networks import Network
from tfvae.models.networks import NETWORKS
from tfvae.priors import Prior
from tfvae.priors import PRIORS


def image_vae(
    graph: GraphicalModel | str | int,
    image_shape: Sequence[int],
    network: str | Network | tuple[Callable, Callable] = 'mlp',
    hidden_units: Sequence[int] = (200, 200),
    factor_units: Sequence[int] = (100, 100),
    activation: str = 'tanh',
    num_classes: int | None = None,
    likelihood: str | Likelihood = 'bernoulli',
    likelihood_components: int = 1,
    likelihood_scale: float | None = None,
    prior: str | Prior = 'standard_normal',
    prior_components: int = 100,
    posterior: str | Posterior = 'normal_diag',
    merging: str = 'network',
    kl_weight: float = 1.0,
    kl_controls: Mapping[str, Any] | None = None,
    seed: int = 0,
    dtype: str | None = None,
    settings: Mapping[str, Any] | None = None,
    moments: tuple[Any, Any] | None = None,
    missing: Any = None,
) -> GraphVAE:
  """Returns a VAE of images.

  Networks, likelihood, prior and posterior are names or objects. An object is a
  template, which the model copies: leave the sizes out to get them from the
  data.

  ```python
  model = tfvae.models.image_vae(
      'z:50', (28, 28, 1),
      network=tfvae.models.networks.resnet_network(blocks=2),
      hidden_units=(32, 64), activation='relu',
      likelihood=tfvae.layers.DiscretizedLogistic(num_components=5),
      posterior=tfvae.layers.InverseAutoregressiveFlow(base='normal_tril'),
      prior=tfvae.priors.GaussianMixture(num_components=20))
  ```

  Args:
    graph: Factorization; latents such as 'z:50' or a size stand for the plain
      VAE.
    image_shape: Shape of one x: height, width and channels of an image, or any
      other shape.
    network: Name in `NETWORKS`, or a pair of functions such as `Network`.
    hidden_units: Widths (filters, for convolutions) from x toward z; their
      number is the depth.
    factor_units: Widths of the hidden layers between latents.
    activation: Activation of the hidden layers.
    num_classes: Length of the one-hot label where `y` is in the graph.
    likelihood: Name in `tfvae.layers.LIKELIHOODS`, or a layer.
    likelihood_components: Components of 'discretized_logistic'.
    likelihood_scale: Fixed σ of 'normal'; None for one that is learned.
    prior: Name in `tfvae.priors.PRIORS`, or a layer, for the latents without
      parents in p.
    prior_components: Components of 'mixture' and 'vamp'.
    posterior: Name in `tfvae.layers.POSTERIORS`, or a layer, for every latent.
    merging: 'network' or 'precision_weighted'; see `GraphVAE`.
    kl_weight: β of the training objective.
    kl_controls: Further arguments of `KLDivergenceRegularizer`.
    seed: Seed of the noise; weights are initialized from Keras's global seed.
    dtype: Name of the dtype policy of the networks, such as 'mixed_bfloat16';
      None is Keras's global policy. Distributions are float32 under any.
    settings: Settings of the named choices by name, such as
      `likelihood_components`; they take precedence over the arguments of that
      name. Others are ignored.
    moments: Mean and standard deviation of each element of x, arrays of its
      shape, for data in other units than pixels: the features network
      standardizes x, and a likelihood of real numbers predicts in these units.
    missing: Whether a NaN in x is a missing value: log p(x|z) has the factors
      of the observed elements, and the encoder sees zeros and mask inputs (see
      `MissingInputs`). True for all elements; or booleans of the event shape,
      true for those that have a mask input, which are those that are missing
      somewhere in the training data. None and False take complete data only.

  Raises:
    ValueError: If a name is unknown, a size is wrong, or the graph has a
      mistake.
  """
  settings = {'likelihood_components': likelihood_components,
              'likelihood_scale': likelihood_scale,
              'prior_components': prior_components} | dict(settings or {})
  image_shape = tuple(image_shape)
  graph = _parsed(graph)
  make_features, make_decoder = (
      NETWORKS.make(network, settings=settings) if isinstance(network, str)
      else network)
  mask_inputs = _mask_inputs(missing, image_shape)
  head = _likelihood(likelihood, image_shape, settings, mask_inputs is not None)
  decoder = make_decoder(
      decoder_input_size(graph, num_classes),
      head.params_shape(head.event_shape, **head.settings), hidden_units,
      activation, dtype=dtype)
  if moments is not None:
    head = head.in_units(*moments)
  first = _input_layers(head, image_shape, moments, mask_inputs)
  input_shape = (None, *image_shape)
  for layer in first:
    input_shape = layer.compute_output_shape(input_shape)
  features = make_features(
      tuple(input_shape[1:]), hidden_units, activation, dtype=dtype)
  if first:
    features = tf_keras.Sequential(
        [tf_keras.layers.Input(image_shape), *first, features], name='features')
  in_pixels = not head.kind_of_data().is_count and all(
      isinstance(layer, MissingInputs) for layer in first)
  data = image_shape, (0.0, 1.0) if in_pixels else None
  return GraphVAE(
      graph, features, tf_keras.Sequential([decoder, head], name='decoder'),
      priors={name: _prior(prior, size, data, settings)
              for name, size in graph.latents
              if not graph.parents('generative', name)},
      posteriors={name: _posterior(posterior, size, settings)
                  for name, size in graph.latents},
      merging=merging, num_classes=num_classes, factor_units=factor_units,
      activation=activation, kl_weight=kl_weight, kl_controls=kl_controls,
      seed=seed, factor_dtype=dtype)


def _mask_inputs(missing: Any, shape: tuple[int, ...]) -> np.ndarray | None:
  """Returns booleans of the event shape, or None for complete data."""
  if missing is None or missing is False:
    return None
  mask_inputs = np.ones(shape, bool) if missing is True else np.asarray(missing)
  if mask_inputs.shape != shape or mask_inputs.dtype != bool:
    raise ValueError(
        '`missing` must be True, or booleans of the event shape, true where '
        f'values may be missing. Received: missing of {mask_inputs.dtype} '
        f'{mask_inputs.shape} for the event shape {shape}')
  return mask_inputs


def _input_layers(head: Likelihood, shape: tuple[int, ...],
                  moments: tuple[Any, Any] | None,
                  mask_inputs: np.ndarray | None
                  ) -> list[tf_keras.layers.Layer]:
  """Returns the layers through which the features network sees x."""
  first = head.input_layer(mask_inputs)
  if first is not None:
    return [first]
  standardization = _standardization(shape, moments)
  found = [] if standardization is None else [standardization]
  return found if mask_inputs is None else [
      *found, MissingInputs(mask_inputs, name='missing_inputs')]


def _standardization(shape: tuple[int, ...], moments: tuple[Any, Any] | None
                     ) -> tf_keras.layers.Layer | None:
  """Returns a layer from x to (x − mean) / standard deviation, or None."""
  if moments is None:
    return None
  mean, scale = (np.asarray(part, np.float32) for part in moments)
  return tf_keras.layers.Normalization(
      axis=tuple(range(1, len(shape) + 1)), mean=mean,
      variance=np.square(scale), dtype='float32', name='standardization')


def _parsed(graph: GraphicalModel | str | int) -> GraphicalModel:
  if isinstance(graph, GraphicalModel):
    return graph
  return GraphicalModel.parse(f'z:{graph}' if isinstance(graph, int) else graph)


def _likelihood(likelihood: str | Likelihood, image_shape: tuple[int, ...],
                settings: Mapping[str, Any], missing: bool) -> Likelihood:
  # A likelihood of your own need not know missing values.
  extra = {'allow_missing': True} if missing else {}
  if isinstance(likelihood, Likelihood):
    if missing and not likelihood.allow_missing:
      likelihood = type(likelihood).from_config(
          likelihood.get_config() | extra)
    return likelihood.sized(image_shape, name='likelihood')
  return LIKELIHOODS.make(
      likelihood, image_shape, name='likelihood', settings=settings, **extra)


def _prior(prior: str | Prior, size: int,
           data: tuple[tuple[int, ...], tuple[float, float] | None],
           settings: Mapping[str, Any]) -> Prior:
  if isinstance(prior, Prior):
    return prior.sized(size, *data)
  return PRIORS.make(prior, size, settings=settings,
                     **PRIORS.get(prior, Prior).data_arguments(*data))


def _posterior(posterior: str | Posterior, size: int,
               settings: Mapping[str, Any]) -> Posterior:
  if isinstance(posterior, Posterior):
    return posterior.sized(size)
  return POSTERIORS.make(posterior, size, settings=settings)
