"""The variational autoencoder of a graphical model."""

from collections.abc import Mapping, Sequence
import functools
from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp
import tf_keras

from tfvae.graph import GraphicalModel
from tfvae.layers import DistributionLayer
from tfvae.layers import MultivariateNormalDiag
from tfvae.models.checks import batches as batch_checks
from tfvae.models.checks import graph as graph_checks
from tfvae.models.checks import keras_objects
from tfvae.models.checks.graph import decoder_input_size
from tfvae.models.factor import Factor
from tfvae.models.factor import joined
from tfvae.models.factor import product_of_normals
from tfvae.models.inference import Draw
from tfvae.models.inference import Inference
from tfvae.models.latent_variable_model import LatentVariableModel
from tfvae.priors import Prior
from tfvae.priors import StandardNormal
from tfvae.priors import VampPrior
from tfvae.regularizers import KLDivergenceRegularizer

tfd = tfp.distributions


@tf_keras.saving.register_keras_serializable(package='tfvae')
class GraphVAE(LatentVariableModel):
  """A VAE whose factorisation is that of a `GraphicalModel`.

    q(z|x; φ) = Π_j q(z_j|Pa_q(z_j); φ),
    p(x, z; θ) = p(x|Pa_p(x); θ) Π_j p(z_j|Pa_p(z_j); θ),
    ELBO(x) = E_q[log p(x|Pa_p(x)) − Σ_j KL(q(z_j|Pa_q) ‖ p(z_j|Pa_p))],

  with the log-ratio log q(z_j|Pa_q) − log p(z_j|Pa_p) in place of the KL where
  `GraphicalModel.allows_exact_kl` forbids it. Plain, hierarchical, top-down and
  conditional models are all this class; the graph tells them apart. Each q_j
  ends in a layer such as `MultivariateNormalDiag` with a
  `KLDivergenceRegularizer` towards that latent's prior.

  With merging='precision_weighted', q_j of a latent with parents in p is

    q(z_j|Pa_q) ∝ N(z_j; μ̂, diag σ̂²) p(z_j|Pa_p),

  (μ̂, σ̂) of the other parents, in place of a network of them all: Sønderby et
  al., Ladder Variational Autoencoders, 2016.

  Attributes:
    graph: the factorisation.
    features: from x to what the factors of q see of it.
    decoder: from the parents of x, concatenated in the order of their factor,
      to p(x|Pa_p(x)).
    inference_factors: q(z_j|Pa_q(z_j)) by name.
    priors: p(z_j|Pa_p(z_j)) by name: a `Factor`, or a layer of `tfvae.priors`
      where z_j has no parents.
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
    """Initialises the model.

    Args:
      graph: the factorisation.
      features: a Keras model from x to `[b, n]`.
      decoder: a Keras model that ends in a likelihood layer; its input is
        `[b, decoder_input_size(graph, num_classes)]`.
      priors: by name, of latents without parents in p; the standard normal by
        default.
      posteriors: by name, the layer that makes q_j, without a regularizer;
        `MultivariateNormalDiag` by default.
      merging: 'network' or 'precision_weighted'; see above.
      num_classes: length of the one-hot label where `y` is in the graph.
      factor_units: widths of the hidden layers of each factor that has a
        latent among its parents; the others are linear in the features.
      activation: of those layers.
      kl_weight: β of the training objective.
      kl_controls: other arguments of each latent's `KLDivergenceRegularizer`:
        `free_bits`, `free_bits_per`, `capacity`.
      seed: of the noise.
      factor_dtype: name of the dtype policy of the factors' networks; None is
        Keras's global policy.
      **kwargs: of `tf_keras.Model`.

    Raises:
      ValueError: if the graph has `y` and `num_classes` is missing, the decoder
        takes another size, or a prior does not fit its latent.
    """
    super().__init__(**kwargs)
    keras_objects.check_is_tf_keras(features=features, decoder=decoder)
    batch_checks.check_decoder(
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
    self.merging = merging
    self._seen = graph_checks.seen_by_inference(graph, heads, merging)
    sizes = dict(graph.latents) | {
        'x': features.output_shape[-1], 'y': num_classes}
    self.priors = {name: (priors or {}).get(name) or self._prior(name, sizes)
                   for name, _ in graph.latents}
    regularizers = {
        name: KLDivergenceRegularizer(
            self.priors[name], kl_weight,
            use_exact_kl=None if graph.allows_exact_kl(name) else False,
            **self.kl_controls)
        for name, _ in graph.latents}
    for name, head in heads.items():
      head.activity_regularizer = regularizers[name]
    self.inference_factors = {
        name: self._factor(heads[name], self._seen[name], sizes, f'q_{name}')
        for name in graph.inference_order}
    for name, prior in self.priors.items():
      if isinstance(prior, VampPrior):
        prior.bind(functools.partial(self._posterior_of_x, name))
    self._finish(regularizers, seed)

  @property
  def observed_shapes(self) -> batch_checks.Shapes:
    """Shape of one x and, in a conditional model, of one y."""
    shapes = {'x': batch_checks.shape_of_input(self.features)}
    if self.graph.is_conditional:
      shapes['y'] = (self.num_classes,)
    return shapes

  def _prior(self, name, sizes):
    parents = self.graph.parents('generative', name)
    if not parents:
      return StandardNormal(sizes[name], name=f'p_{name}')
    return self._factor(sizes[name], parents, sizes, f'p_{name}')

  def _factor(self, head, parents, sizes, name) -> Factor:
    has_latents = set(parents) & set(self.graph.latent_names)
    return Factor(
        head, sum(sizes[parent] for parent in parents),
        self.factor_units if has_latents else (), self.activation, name=name,
        dtype=self.factor_dtype)

  def _posterior_of_x(self, name: str, x: tf.Tensor) -> tfd.Distribution:
    return self.inference_factors[name].distribution(
        [self.features(x, training=False)])

  def infer(self, inputs: Any, draw: Draw,
            training: bool = False) -> Inference:
    """Draws each latent after its parents; see the base class."""
    latents, posteriors = self.draw_posterior(inputs, draw, training)
    values = self._observed(inputs, self.graph.generative[:-1]) | latents
    priors = {name: self._prior_of(name, values) for name in latents}
    return Inference(latents, posteriors, priors, {
        name: self._regularizers[name].kl(
            posteriors[name], latents[name], priors[name])
        for name in latents})

  def draw_posterior(
      self, inputs: Any, draw: Draw, training: bool = False,
  ) -> tuple[dict[str, tf.Tensor], dict[str, tfd.Distribution]]:
    """Draws each latent after its parents in q; see the base class."""
    values = self._inference_inputs(inputs, self.graph.inference, training)
    posteriors, latents = {}, {}
    for factor in self.graph.inference:
      q = self._posterior_of(factor.variable, values)
      posteriors[factor.variable] = q
      values[factor.variable] = latents[factor.variable] = draw(q)
    return latents, posteriors

  def posterior(self, inputs: Any) -> tfd.JointDistribution:
    """Returns q(z|x) as one distribution with a named part for each latent."""
    values = self._inference_inputs(inputs, self.graph.inference)
    return self._joint(
        self.graph.inference, values,
        lambda factor, known: self._posterior_of(factor.variable, known))

  def prior_distribution(self, inputs: Any = None) -> tfd.JointDistribution:
    """Returns p(z) as one distribution with a named part for each latent."""
    factors = self.graph.generative[:-1]  # Without that of x.
    values = self._observed(inputs, factors)
    by_label = any('y' in factor.parents for factor in factors)

    def distribution(factor, known):
      prior = self._prior_of(factor.variable, known)
      # Where y is a parent p(z) has a batch, and so has every part.
      if by_label and not factor.parents:
        prior = tfd.BatchBroadcast(prior, tf.shape(known['y'])[:1])
      return prior

    return self._joint(factors, values, distribution)

  def _joint(self, factors, values, distribution):
    """Returns Π_j of the factors; a latent's name is that of its part."""
    latents = set(self.graph.latent_names)

    def model():
      known = dict(values)
      for factor in factors:
        part = distribution(factor, known).copy(name=factor.variable)
        if not latents & set(factor.parents):
          part = tfd.JointDistributionCoroutine.Root(part)
        known[factor.variable] = yield part

    return tfd.JointDistributionCoroutine(model)

  def _posterior_of(self, name: str, values: Mapping[str, Any]):
    """Returns q(z_j|Pa_q(z_j)) given the values of the parents."""
    seen = self._seen[name]
    evidence = self.inference_factors[name].distribution(
        [values[parent] for parent in seen])
    if len(seen) == len(self.graph.parents('inference', name)):
      return evidence
    return product_of_normals(evidence, self._prior_of(name, values))

  def _prior_of(self, name: str, values: Mapping[str, Any]):
    parents = self.graph.parents('generative', name)
    if not parents:
      return self.priors[name].distribution()
    return self.priors[name].distribution(
        [values[parent] for parent in parents])

  def decode(self, latents: Mapping[str, tf.Tensor], inputs: Any = None,
             training: bool = False) -> tfd.Distribution:
    """Returns p(x|Pa_p(x)), batch shape `[b]`; see the base class."""
    values = self._observed(inputs, self.graph.generative[-1:]) | dict(latents)
    parents = self.graph.parents('generative', 'x')
    return self.decoder(
        joined([values[parent] for parent in parents]), training=training)

  def draw_prior(self, draw: Draw, inputs: Any = None) -> dict[str, tf.Tensor]:
    """Draws each latent after its parents in p; see the base class."""
    *factors, _ = self.graph.generative  # Without that of x.
    values = self._observed(inputs, factors)
    for factor in factors:
      values[factor.variable] = draw(self._prior_of(factor.variable, values))
    return {factor.variable: values[factor.variable] for factor in factors}

  def sample_prior(self, n: int, seed: tf.Tensor,
                   inputs: Any = None) -> dict[str, tf.Tensor]:
    """Returns draws of p(z) by name, `[n, size]`; see the base class."""
    values = self._observed(inputs, self.graph.generative[:-1])
    given = values['y'].shape[0] if 'y' in values else None
    # In a graph n may be a tensor, and its value unknown.
    if given not in (None, tf.get_static_value(n) or given):
      raise ValueError('y must have a row for each sample. Received: '
                       f"n={n}, inputs['y'].shape={values['y'].shape}")
    seeds = iter(tfp.random.split_seed(seed, n=len(self.graph.latents)))
    # A prior whose latent has parents has a batch, the draws of those.
    return self.draw_prior(
        lambda p: p.sample([] if p.batch_shape.rank else [n], seed=next(seeds)),
        inputs)

  def log_prior(self, latents: Mapping[str, tf.Tensor],
                inputs: Any = None) -> tf.Tensor:
    """Returns log p(z) = Σ_j log p(z_j|Pa_p(z_j)); see the base class."""
    values = self._observed(inputs, self.graph.generative[:-1]) | dict(latents)
    return tf.add_n([self._prior_of(name, values).log_prob(z)
                     for name, z in latents.items()])

  def log_posterior(self, latents: Mapping[str, tf.Tensor],
                    inputs: Any) -> tf.Tensor:
    """Returns log q(z|x) = Σ_j log q(z_j|Pa_q(z_j)); see the base class."""
    values = self._inference_inputs(inputs, self.graph.inference)
    values |= dict(latents)
    return tf.add_n([self._posterior_of(name, values).log_prob(z)
                     for name, z in latents.items()])

  def _inference_inputs(self, inputs: Any, factors,
                        training: bool = False) -> dict[str, Any]:
    """Returns y, and for x its features, float32 as the latents are."""
    values = self._observed(inputs, factors)
    values['x'] = tf.cast(
        self.features(values['x'], training=training), tf.float32)
    return values

  def _observed(self, inputs: Any, factors) -> dict[str, Any]:
    """Returns x and y by name; y must be there where a factor has it."""
    values = dict(inputs) if isinstance(inputs, dict) else {'x': inputs}
    if values.get('y') is None and any('y' in f.parents for f in factors):
      raise ValueError(
          f"The model {self.graph} is conditional; its inputs are {{'x': …, "
          f"'y': one-hot labels}}. Received: inputs of {sorted(values)}")
    batch_checks.check_observed(values, self.observed_shapes)
    return {name: tf.cast(value, tf.float32)
            for name, value in values.items() if value is not None}

  def get_config(self) -> dict[str, Any]:
    """Returns graph, networks and settings as plain data."""
    serialize = tf_keras.saving.serialize_keras_object
    return {
        'graph': self.graph.to_config(), 'features': serialize(self.features),
        'decoder': serialize(self.decoder), 'num_classes': self.num_classes,
        'priors': {name: serialize(prior)
                   for name, prior in self.priors.items()
                   if isinstance(prior, Prior)},
        'posteriors': {name: _serialize_head(factor.head)
                       for name, factor in self.inference_factors.items()},
        'merging': self.merging,
        'factor_units': list(self.factor_units), 'activation': self.activation,
        'kl_weight': self.kl_weight, 'kl_controls': self.kl_controls,
        'seed': self.seed, 'factor_dtype': self.factor_dtype,
        'name': self.name}

  @classmethod
  def from_config(cls, config: dict[str, Any],
                  custom_objects=None) -> 'GraphVAE':
    """Makes the model from what `get_config` returned."""
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
  """Returns the layer as plain data, without the model's regularizer."""
  config = tf_keras.saving.serialize_keras_object(head)
  config['config']['activity_regularizer'] = None
  return config
