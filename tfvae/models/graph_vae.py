"""The variational autoencoder of a graphical model."""

from collections.abc import Mapping, Sequence
import functools
from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp
import tf_keras

from tfvae.graph import GraphicalModel
from tfvae.inference.batches import Shapes
from tfvae.layers import DistributionLayer
from tfvae.layers import MultivariateNormalDiag
from tfvae.layers.posteriors.one_hot_categorical import OneHotCategorical
from tfvae.models.checks import graph as graph_checks
from tfvae.models.checks import keras_objects
from tfvae.models.checks.graph import decoder_input_size
from tfvae.models.checks.networks import check_decoder
from tfvae.models.checks.networks import shape_of_input
from tfvae.models.export import plain_models
from tfvae.models.factor import Factor
from tfvae.models.factor import joined
from tfvae.models.factor import product_of_normals
from tfvae.models.trainable_model import TrainableModel
from tfvae.priors import Prior
from tfvae.priors import StandardNormal
from tfvae.priors.label_prior import LabelPrior
from tfvae.regularizers import KLDivergenceRegularizer

tfd = tfp.distributions


@tf_keras.saving.register_keras_serializable(package='tfvae')
class GraphVAE(TrainableModel):
  """A VAE that factorizes as a `GraphicalModel`.

    q(z|x; φ) = Π_j q(z_j|Pa_q(z_j); φ)
    p(x, z; θ) = p(x|Pa_p(x); θ) Π_j p(z_j|Pa_p(z_j); θ)

  Plain, hierarchical, top-down and conditional models are instances of this
  class that differ in their graph. Each q_j ends in a layer such as
  `MultivariateNormalDiag`, with a `KLDivergenceRegularizer` from the latent's
  prior. See `LatentVariableModel` for the ELBO and `TrainableModel` for how it
  trains.

  With merging='precision_weighted', q_j of a latent with parents in p is

    q(z_j|Pa_q) ∝ N(z_j; μ̂, diag σ̂²) p(z_j|Pa_p)

  with (μ̂, σ̂) from a network of the other parents, in place of a network of all
  of them: Sønderby et al., Ladder Variational Autoencoders, 2016.

  In a graph that infers the label, q(y|Pa_q(y)) is a `OneHotCategorical` whose
  logits are a network of its parents, and so is p(y|Pa_p(y)), or a `LabelPrior`
  where y has no parents. Rows of y may then be missing; see
  `LatentVariableModel.infer_classes`.

  Attributes:
    graph: Factorization of q and p.
    num_classes: Length of the one-hot label y; None where the graph has no y.
    features: Network from x to the features that the factors of q see.
    decoder: Network from the parents of x, concatenated in the order of their
      factor, to p(x|Pa_p(x)).
    inference_factors: Factors q(z_j|Pa_q(z_j)) by name, that of an inferred y
      among them.
    priors: Priors p(z_j|Pa_p(z_j)) by name: a `Factor`, or a layer of
      `tfvae.priors` where z_j has no parents; that of an inferred y among them.
  """

  def __init__(
      self,
      graph: GraphicalModel,
      features: tf_keras.Model,
      decoder: tf_keras.Model,
      priors: Mapping[str, Prior] | None = None,
      posteriors: Mapping[str, DistributionLayer] | None = None,
      merging: str = 'network',
      num_classes: int | None = None,
      factor_units: Sequence[int] = (100, 100),
      activation: str = 'tanh',
      kl_weight: float = 1.0,
      kl_controls: Mapping[str, Any] | None = None,
      seed: int = 0,
      factor_dtype: str | None = None,
      **kwargs,
  ):
    """Initializes the model.

    Args:
      graph: Factorization of q and p.
      features: Keras model from x to `[b, n]`.
      decoder: Keras model that ends in a likelihood layer; its input is
        `[b, decoder_input_size(graph, num_classes)]`.
      priors: Priors of latents without parents in p, by name; the standard
        normal by default.
      posteriors: Posterior layers by name, without a regularizer;
        `MultivariateNormalDiag` by default.
      merging: 'network' or 'precision_weighted'; see above.
      num_classes: Length of the one-hot label, where `y` is in the graph.
      factor_units: Widths of the hidden layers of each factor that has a latent
        or an inferred label among its parents; the other factors are linear in
        the features.
      activation: Activation of those layers.
      kl_weight: β of the training objective.
      kl_controls: Other arguments of each latent's `KLDivergenceRegularizer`:
        `free_bits`, `free_bits_per`, `capacity`.
      seed: Seed of the noise in training and evaluation.
      factor_dtype: Name of the dtype policy of the factors' networks; None is
        Keras's global policy.
      **kwargs: Arguments of `tf_keras.Model`.

    Raises:
      ValueError: If the graph has `y` and `num_classes` is missing, the decoder
        takes another size, or a prior or posterior does not fit its latent.
    """
    super().__init__(**kwargs)
    keras_objects.check_is_tf_keras(features=features, decoder=decoder)
    check_decoder(
        decoder, decoder_input_size(graph, num_classes),
        f"the parents of 'x' in {graph}")
    self.graph, self.features, self.decoder = graph, features, decoder
    self.num_classes = num_classes
    self.factor_units, self.activation = tuple(factor_units), activation
    self.factor_dtype = (
        factor_dtype or tf_keras.mixed_precision.global_policy().name)
    self.kl_weight, self.kl_controls = kl_weight, dict(kl_controls or {})
    heads = {name: MultivariateNormalDiag(size)
             for name, size in graph.latents} | dict(posteriors or {})
    graph_checks.check_posteriors(graph, heads)
    graph_checks.check_priors(graph, priors or {})
    graph_checks.check_free_bits(graph, heads, self.kl_controls)
    label = ['y'] if graph.infers_label else []
    self.merging = merging
    self._seen = graph_checks.seen_by_inference(graph, heads, merging)
    sizes = dict(graph.latents) | {
        'x': features.output_shape[-1], 'y': num_classes}
    self.priors = {name: (priors or {}).get(name) or self._prior(name, sizes)
                   for name in (*graph.latent_names, *label)}
    regularizers = {
        name: KLDivergenceRegularizer(
            self.priors[name], kl_weight,
            use_exact_kl=None if graph.allows_exact_kl(name) else False,
            **self.kl_controls)
        for name, _ in graph.latents} | {
            name: KLDivergenceRegularizer(self.priors[name], kl_weight)
            for name in label}
    for name, head in heads.items():
      head.activity_regularizer = regularizers[name]
    heads |= {name: OneHotCategorical(num_classes) for name in label}
    self.inference_factors = {
        name: self._factor(heads[name], self._seen[name], sizes, f'q_{name}')
        for name in graph.inference_order}
    for name, prior in self.priors.items():
      if isinstance(prior, Prior) and prior.needs_posterior:
        prior.bind(functools.partial(self._posterior_of_x, name))
    self._initialize(regularizers, seed)

  @property
  def observed_shapes(self) -> Shapes:
    """Shape of one x and, in a conditional model, of one y."""
    shapes = {'x': shape_of_input(self.features)}
    if self.graph.is_conditional:
      shapes['y'] = (self.num_classes,)
    return shapes

  def _prior(self, name, sizes):
    parents, is_label = self.graph.parents('generative', name), name == 'y'
    if not parents:
      kind = LabelPrior if is_label else StandardNormal
      return kind(sizes[name], name=f'p_{name}')
    head = OneHotCategorical(sizes[name]) if is_label else sizes[name]
    return self._factor(head, parents, sizes, f'p_{name}')

  def _factor(self, head, parents, sizes, name) -> Factor:
    inferred = {*self.graph.latent_names, *'y' * self.graph.infers_label}
    return Factor(
        head, sum(sizes[parent] for parent in parents),
        self.factor_units if inferred & set(parents) else (), self.activation,
        name=name, dtype=self.factor_dtype)

  def _posterior_of_x(self, name: str, x: tf.Tensor) -> tfd.Distribution:
    return self.inference_factors[name].distribution(
        [self.features(x, training=False)])

  def inference_values(self, inputs: Any,
                       training: bool = False) -> dict[str, Any]:
    """Returns y and, for x, its features, all float32."""
    values = super().inference_values(inputs)
    values['x'] = tf.cast(
        self.features(values['x'], training=training), tf.float32)
    return values

  def observed_values(self, inputs: Any,
                      factors: Sequence[Any] = ()) -> dict[str, Any]:
    """Returns x and y by name, float32; see `LatentVariableModel`."""
    return {name: tf.cast(value, tf.float32) for name, value
            in super().observed_values(inputs, factors).items()}

  def posterior_factor(self, name: str, values: Mapping[str, Any],
                       training: bool = False) -> tfd.Distribution:
    """Returns q(z_j|Pa_q(z_j)); see `LatentVariableModel`."""
    del training  # Dense layers compute the same in training.
    seen = self._seen[name]
    evidence = self.inference_factors[name].distribution(
        [values[parent] for parent in seen])
    if self.posterior_has_prior(name):
      return product_of_normals(evidence, self.prior_factor(name, values))
    return evidence

  def posterior_has_prior(self, name: str) -> bool:
    """Returns whether q_j is merged with p_j; see `PathInference`."""
    return len(self._seen[name]) < len(self.graph.parents('inference', name))

  def prior_factor(self, name: str,
                   values: Mapping[str, Any]) -> tfd.Distribution:
    """Returns p(z_j|Pa_p(z_j)); see `LatentVariableModel`."""
    parents = self.graph.parents('generative', name)
    if not parents:
      return self.priors[name].distribution()
    return self.priors[name].distribution(
        [values[parent] for parent in parents])

  def decode(self, latents: Mapping[str, tf.Tensor], inputs: Any = None,
             training: bool = False) -> tfd.Distribution:
    """Returns p(x|Pa_p(x)), batch shape `[b]`; see `LatentVariableModel`."""
    values = self.observed_values(
        inputs, self.graph.generative[-1:]) | dict(latents)
    parents = self.graph.parents('generative', 'x')
    if 'y' in parents and 'y' not in values:
      raise ValueError(
          f'p(x|{",".join(parents)}) needs the label: pass it among the inputs '
          'or the latents. Received: inputs and latents of '
          f'{sorted(values)}')
    return self.decoder(
        joined([values[parent] for parent in parents]), training=training)

  def posterior_layers(self) -> dict[str, tf_keras.layers.Layer]:
    """Returns the posterior layer of each latent, by name."""
    return {name: self.inference_factors[name].head
            for name in self.graph.latent_names}

  def inference_network(self) -> tf_keras.Model:
    """Returns the features, the network that takes x."""
    return self.features

  def plain_encoder(self) -> tf_keras.Model:
    """Returns the encoder as a plain model; see `encoder_model`."""
    return plain_models.encoder_of_graph(
        self.graph, self.num_classes, self.features, self.inference_factors,
        self.priors, self._seen)

  def plain_decoder(self) -> tf_keras.Model:
    """Returns the decoder as a plain model; see `decoder_model`."""
    return plain_models.decoder_of_graph(
        self.graph, self.num_classes, self.decoder)

  def get_config(self) -> dict[str, Any]:
    """Returns the graph, the networks and the settings as plain data."""
    serialize = tf_keras.saving.serialize_keras_object
    return {
        'graph': self.graph.to_config(), 'features': serialize(self.features),
        'decoder': serialize(self.decoder), 'num_classes': self.num_classes,
        'priors': {name: serialize(prior)
                   for name, prior in self.priors.items()
                   if isinstance(prior, Prior) and name != 'y'},
        'posteriors': {name: _serialize_head(head)
                       for name, head in self.posterior_layers().items()},
        'merging': self.merging,
        'factor_units': list(self.factor_units), 'activation': self.activation,
        'kl_weight': self.kl_weight, 'kl_controls': self.kl_controls,
        'seed': self.seed, 'factor_dtype': self.factor_dtype,
        'name': self.name}

  @classmethod
  def from_config(cls, config: dict[str, Any],
                  custom_objects=None) -> 'GraphVAE':
    """Makes the model from the result of `get_config`."""
    del custom_objects
    config = dict(config)
    config['graph'] = GraphicalModel.from_config(config['graph'])
    for part in ('features', 'decoder'):
      config[part] = tf_keras.saving.deserialize_keras_object(config[part])
    for parts in ('priors', 'posteriors'):
      config[parts] = {
          name: tf_keras.saving.deserialize_keras_object(part)
          for name, part in config[parts].items()}
    return cls(**config)


def _serialize_head(head: DistributionLayer) -> dict[str, Any]:
  """Returns a layer as plain data, without the model's regularizer."""
  config = tf_keras.saving.serialize_keras_object(head)
  config['config']['activity_regularizer'] = None
  return config
