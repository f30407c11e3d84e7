"""The probability interface of a latent variable model."""

from collections.abc import Mapping, Sequence
import dataclasses
from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp

from tfvae import losses
from tfvae.graph import Factor
from tfvae.graph import GraphicalModel
from tfvae.inference import batches
from tfvae.inference import labels
from tfvae.inference.inference import Draw
from tfvae.inference.inference import Inference
from tfvae.inference.joint import joint_distribution
from tfvae.inference.label_inference import LabelInference
from tfvae.inference.path_inference import PathInference
from tfvae.inference.strata import check_trains
from tfvae.inference.strata import StratifiedSample
from tfvae.regularizers import kl_per_dimension
from tfvae.regularizers import KLDivergenceRegularizer

tfd = tfp.distributions


class LatentVariableModel(LabelInference, PathInference):
  """A model p(x, z; θ) with an amortized posterior q(z|x; φ).

    q(z|x; φ) = Π_j q(z_j|Pa_q(z_j); φ)
    p(x, z; θ) = p(x|Pa_p(x); θ) Π_j p(z_j|Pa_p(z_j); θ)
    ELBO(x) = E_q[log p(x|Pa_p(x))] − Σ_j E_q[KL(q(z_j|Pa_q) ‖ p(z_j|Pa_p))]

  in nats, with the log-ratio log q(z_j|Pa_q) − log p(z_j|Pa_p) at the draw in
  place of the KL where `GraphicalModel.allows_exact_kl` is false. Kingma and
  Welling, Auto-Encoding Variational Bayes, 2014.

  Where the graph infers the label, y is one more variable of q and p. With ELBO
  as above for a given y, plus log p(y|Pa_p(y)), that of a missing y is

    ELBO(x) = Σ_c q(c|Pa_q(y)) [ELBO(x, c) − log q(c|Pa_q(y))],

  summed exactly over the classes c; Kingma et al., Semi-supervised Learning
  with Deep Generative Models, 2014.

  In all methods `inputs` is a batch of x, or a dictionary of 'x' and, for a
  conditional model, the one-hot label 'y'; latents are dictionaries of tensors
  `[*sample_shape, b, size]` by name. This class neither trains nor saves.

  A subclass sets `graph` and defines `observed_shapes`, `kl_regularizers`,
  `posterior_factor`, `prior_factor` and `decode`.

  Attributes:
    graph: Factorizations of q and p, a `GraphicalModel`.
    num_classes: Length of the one-hot label y; None where the graph has no y.
  """

  graph: GraphicalModel
  num_classes: int | None = None

  @property
  def observed_shapes(self) -> batches.Shapes:
    """Shape of one x and of one y, by name; None where it is unknown."""
    raise NotImplementedError

  @property
  def kl_regularizers(self) -> Mapping[str, KLDivergenceRegularizer]:
    """Regularizer of each latent, by name."""
    raise NotImplementedError

  def posterior_factor(self, name: str, values: Mapping[str, Any],
                       training: bool = False) -> tfd.Distribution:
    """Returns q(z_j|Pa_q(z_j)).

    Args:
      name: Name of the latent.
      values: Values by name, of its parents at least; for x what
        `inference_values` makes of it.
      training: Whether networks run in training mode.
    """
    raise NotImplementedError

  def prior_factor(self, name: str,
                   values: Mapping[str, Any]) -> tfd.Distribution:
    """Returns p(z_j|Pa_p(z_j)); batch shape `[]` without parents.

    Args:
      name: Name of the latent.
      values: Values by name, of its parents at least.
    """
    raise NotImplementedError

  def decode(self, latents: Mapping[str, tf.Tensor], inputs: Any = None,
             training: bool = False) -> tfd.Distribution:
    """Returns p(x|Pa_p(x)), batch shape `[b]`.

    Args:
      latents: Tensors `[b, size]` by name.
      inputs: Inputs of `infer`; needed where y is a parent of x.
      training: Whether networks run in training mode.
    """
    raise NotImplementedError

  def infer(self, inputs: Any, draw: Draw,
            training: bool = False) -> Inference:
    """Draws the latents from q(z|x), each after its parents in q.

    A missing label is that of `completed`; `infer_classes` sums over it.

    Args:
      inputs: Batch of x, or a dictionary of 'x' and 'y'.
      draw: Function from a posterior to a draw, such as `layers.SeededSample`.
      training: Whether networks run in training mode.

    Returns:
      Draws, posteriors, priors and KL divergences by name.

    Raises:
      ValueError: If a mixture posterior would train by another draw than a
        `StratifiedSample`.
    """
    inputs = self.completed(inputs)
    latents, posteriors = self._draw_latents(
        self.inference_values(inputs, training), draw, training)
    return self._inference_at(inputs, latents, posteriors, draw)

  def _inference_at(self, inputs, latents, posteriors, draw):
    """Returns the inference of latents by a draw, given any y."""
    values = self.observed_values(inputs, self._prior_factors) | latents
    inference = self._inference(values, posteriors)
    return inference if not isinstance(draw, StratifiedSample) else (
        dataclasses.replace(inference, strata=draw.strata))

  def _inference(self, values: Mapping[str, Any],
                 posteriors: Mapping[str, tfd.Distribution],
                 classes: labels.ClassSum | None = None) -> Inference:
    """Returns an inference at the values of latents and y."""
    latents = {name: values[name] for name in posteriors}
    priors = {name: self.prior_factor(name, values) for name in latents}
    kl = {name: self.kl_regularizers[name].kl(
        posteriors[name], latents[name], priors[name]) for name in latents}
    if not self.graph.infers_label:
      return Inference(latents, posteriors, priors, kl)
    log_label = self.prior_factor('y', values).log_prob(values['y'])
    kl['y'] = -log_label if classes is None else (
        classes.log_weights - log_label)
    return Inference(
        latents if classes is None else latents | {'y': classes.y},
        posteriors, priors, kl, log_label, classes)

  def draw_posterior(
      self, inputs: Any, draw: Draw, training: bool = False,
  ) -> tuple[dict[str, tf.Tensor], dict[str, tfd.Distribution]]:
    """Draws the latents as `infer` does, without priors and divergences.

    Args:
      inputs: Inputs of `infer`.
      draw: Function from a posterior to a draw.
      training: Whether networks run in training mode.

    Returns:
      Draws by name, and the posteriors they are from.
    """
    values = self.inference_values(self.completed(inputs), training)
    return self._draw_latents(values, draw, training)

  def _draw_latents(self, values, draw, training):
    """Returns draws and posteriors of the latents, given x and any y."""
    values, posteriors, latents = dict(values), {}, {}
    for factor in self._latent_factors(self.graph.inference):
      name = factor.variable
      q = self.posterior_factor(name, values, training)
      if training:
        check_trains(q, draw)
      posteriors[name] = q
      values[name] = latents[name] = draw(q)
    return latents, posteriors

  def posterior(self, inputs: Any) -> tfd.Distribution:
    """Returns q(z|x) as one distribution with a part for each latent.

    A missing label is that of `completed`.
    """
    return joint_distribution(
        self._latent_factors(self.graph.inference),
        self.inference_values(self.completed(inputs)), self.posterior_factor)

  def prior_distribution(self, inputs: Any = None) -> tfd.Distribution:
    """Returns p(z) as one distribution with a part for each latent.

    Where the graph infers the label and it is not given, y is one more part.
    """
    values = self.observed_values(inputs, self._prior_factors)
    factors = (self._latent_factors(self._prior_factors) if 'y' in values
               else self._prior_factors)
    by_label = 'y' in values and any('y' in f.parents for f in factors)

    def density(name, known):
      prior = self.prior_factor(name, known)
      # Where y is a parent p(z) has a batch, and so has each part.
      if by_label and not self.graph.parents('generative', name):
        prior = tfd.BatchBroadcast(prior, tf.shape(known['y'])[:1])
      return prior

    return joint_distribution(factors, values, density)

  def draw_prior(self, draw: Draw, inputs: Any = None) -> dict[str, tf.Tensor]:
    """Draws the latents from p(z), each after its parents in p.

    Where the graph infers the label, y is among them: as given, and a draw from
    p(y|Pa_p(y)) where it is missing.

    Args:
      draw: Function from a prior to a draw: the prior's batch shape is `[]`
        without parents, else that of their draws.
      inputs: Inputs of `infer`; needed where y is a parent of a latent in p.

    Returns:
      Draws by name.
    """
    values = self.observed_values(inputs, self._prior_factors)
    latents = {}
    for factor in self._prior_factors:
      name = factor.variable
      drawn = draw(self.prior_factor(name, values))
      if name == 'y' and 'y' in values:
        drawn = tf.where(
            labels.is_label(values['y'])[:, tf.newaxis], values['y'], drawn)
      values[name] = latents[name] = drawn
    return latents

  def sample_prior(self, n: int, seed: tf.Tensor,
                   inputs: Any = None) -> dict[str, tf.Tensor]:
    """Returns n draws of p(z) by name, `[n, size]`; see `draw_prior`.

    Args:
      n: Number of draws.
      seed: Stateless seed, int tensor `[2]`.
      inputs: Inputs of `infer`, n rows; needed where y is a parent in p.

    Raises:
      ValueError: If y has another number of rows than n.
    """
    values = self.observed_values(inputs, self._prior_factors)
    rows = values['y'].shape[0] if 'y' in values else None
    # In a graph n may be a tensor whose value is unknown.
    if rows not in (None, tf.get_static_value(n) or rows):
      raise ValueError('y must have a row for each sample. Received: '
                       f"n={n}, inputs['y'].shape={values['y'].shape}")
    seeds = iter(tfp.random.split_seed(seed, n=len(self._prior_factors)))
    # The prior of a latent with parents has a batch, that of their draws.
    return self.draw_prior(
        lambda p: p.sample([] if p.batch_shape.rank else [n], seed=next(seeds)),
        inputs)

  def sample(self, n: int, seed: int | None = None, mean: bool = False,
             inputs: Any = None) -> tf.Tensor:
    """Draws from the model: z ~ p(z), then x ~ p(x|z).

    Args:
      n: Number of samples, at least 1.
      seed: Integer that makes the draws reproducible.
      mean: Whether to return E[x|z] in place of a draw of x; pictures of it
        are clearer.
      inputs: For a conditional model, a dictionary of the one-hot labels 'y',
        `[n, classes]`. Where the graph infers the label, it is drawn from p(y)
        unless it is given.

    Returns:
      A tensor `[n, *event_shape]`.

    Raises:
      ValueError: If `n` is not a positive integer, or the labels are not n
        one-hot rows.
    """
    batches.check_sample(n, inputs, self.observed_shapes)
    seed = tfp.random.sanitize_seed(None if seed is None else [seed, 0])
    z_seed, x_seed = tfp.random.split_seed(seed, n=2)
    likelihood = self.decode(self.sample_prior(n, z_seed, inputs), inputs)
    return likelihood.mean() if mean else likelihood.sample(seed=x_seed)

  def log_prior(self, latents: Mapping[str, tf.Tensor],
                inputs: Any = None) -> tf.Tensor:
    """Returns log p(z) = Σ_j log p(z_j|Pa_p(z_j)), `[*sample_shape, b]`.

    Args:
      latents: Tensors `[*sample_shape, b, size]` by name.
      inputs: Inputs of `infer`; needed where y is a parent of a latent in p.
    """
    values = self.observed_values(inputs, self._prior_factors) | dict(latents)
    return tf.add_n([self.prior_factor(name, values).log_prob(z)
                     for name, z in latents.items() if name != 'y'])

  def log_posterior(self, latents: Mapping[str, tf.Tensor],
                    inputs: Any) -> tf.Tensor:
    """Returns log q(z|x) = Σ_j log q(z_j|Pa_q(z_j)), `[*sample_shape, b]`.

    Args:
      latents: Tensors `[*sample_shape, b, size]` by name, of any values.
      inputs: Inputs of `infer`.
    """
    values = self.inference_values(inputs) | dict(latents)
    return tf.add_n([self.posterior_factor(name, values).log_prob(z)
                     for name, z in latents.items() if name != 'y'])

  def log_likelihood(self, latents: Mapping[str, tf.Tensor], target: tf.Tensor,
                     inputs: Any = None, training: bool = False) -> tf.Tensor:
    """Returns log p(x|z), `[*sample_shape, b]`.

    Args:
      latents: Tensors `[*sample_shape, b, size]` by name.
      target: x that p(x|z) explains, `[b, *event_shape]`.
      inputs: Inputs of `infer`.
      training: Whether networks run in training mode.
    """
    return self._of_draws(
        losses.log_likelihood, latents, target, inputs, training)

  def log_likelihood_of_elements(
      self, latents: Mapping[str, tf.Tensor], target: tf.Tensor,
      inputs: Any = None, training: bool = False) -> tf.Tensor:
    """Returns log p(x_d|z), the summands of `log_likelihood`.

    Args:
      latents: Tensors `[*sample_shape, b, size]` by name.
      target: x that p(x|z) explains, `[b, *event_shape]`.
      inputs: Inputs of `infer`.
      training: Whether networks run in training mode.

    Returns:
      A tensor in nats, `[*sample_shape, b, *event_shape]`; 0 where a value is
      missing.
    """
    return self._of_draws(
        losses.log_likelihood_of_elements, latents, target, inputs, training)

  def _of_draws(self, log_prob, latents, target, inputs, training):
    """Returns `log_prob(target, p(x|z))` at draws of any sample shape."""
    latents = self.parents_of_x(latents)
    shape = tf.shape(next(iter(latents.values())))[:-1]
    if next(iter(latents.values())).shape.rank > 2:
      copies = tf.reduce_prod(shape[:-1])
      latents = {name: tf.reshape(z, [-1, z.shape[-1]])
                 for name, z in latents.items()}
      inputs, target = tf.nest.map_structure(
          lambda rows: _repeat(rows, copies), (inputs, target))
    likelihood = self.decode(latents, inputs, training)
    nats = log_prob(target, likelihood)
    return tf.reshape(nats, tf.concat([shape, tf.shape(nats)[1:]], axis=0))

  def kl_penalty(self, inference: Inference) -> tf.Tensor:
    """Returns Σ_j penalty(KL_j) of the regularizers, `[*sample_shape, b]`.

    It is the KL as the model trains on it: weighted, with free bits or a
    capacity, in nats. That of an inferred label is weighted only.

    Args:
      inference: Result of `infer` or `infer_classes`.
    """
    return tf.add_n([
        self.kl_regularizers[name].penalty(
            inference.over_classes(kl), inference.posteriors.get(name),
            inference.priors.get(name))
        for name, kl in inference.kl.items()])

  def kl_per_dimension(self, inference: Inference) -> dict[str, tf.Tensor]:
    """Returns the summands of KL_j by dimension, where KL_j has them.

    Args:
      inference: Result of `infer`.

    Returns:
      Tensors `[*sample_shape, b, size]` in nats, by name, of the latents whose
      KL is exact and whose posterior and prior are diagonal normals.
    """
    return {
        name: kl_per_dimension(q, inference.priors[name])
        for name, q in inference.posteriors.items()
        if self.graph.allows_exact_kl(name) and all(
            isinstance(side, tfd.MultivariateNormalDiag)
            for side in (q, inference.priors[name]))}

  def observed_values(self, inputs: Any,
                      factors: Sequence[Factor] = ()) -> dict[str, Any]:
    """Returns x and y by name, with checked shapes.

    Args:
      inputs: Inputs of `infer`.
      factors: Factors that are evaluated; y must be given where it is a parent
        of one of them.

    Raises:
      ValueError: If y is missing, or a shape is not that of the model.
    """
    values = batches.observed(inputs)
    if 'y' in values and self.graph.infers_label:
      values['y'] = labels.without_nan(values['y'])
    if 'y' not in values and not self.graph.infers_label and any(
        'y' in f.parents for f in factors):
      raise ValueError(
          f"The model {self.graph} is conditional; its inputs are {{'x': …, "
          f"'y': one-hot labels}}. Received: inputs of {sorted(values)}")
    batches.check_observed(values, self.observed_shapes)
    return values

  def inference_values(self, inputs: Any,
                       training: bool = False) -> dict[str, Any]:
    """Returns x and y by name as `posterior_factor` takes them.

    Where the graph infers the label, missing rows of y are zeros.

    Args:
      inputs: Inputs of `infer`.
      training: Whether networks run in training mode.
    """
    del training
    values = self.observed_values(inputs, self.graph.inference)
    if self.graph.infers_label and 'y' not in values:
      values['y'] = tf.zeros([tf.shape(values['x'])[0], self.num_classes])
    return values

  def _latent_factors(self, factors: Sequence[Factor]) -> list[Factor]:
    return [factor for factor in factors if factor.variable != 'y']

  @property
  def _prior_factors(self) -> tuple[Factor, ...]:
    return self.graph.generative[:-1]  # Without that of x.


def _repeat(rows: tf.Tensor | None, copies: tf.Tensor) -> tf.Tensor | None:
  """Returns `copies` copies of the rows, one after the other."""
  if rows is None:
    return None
  return tf.tile(rows, tf.concat(
      [[copies], tf.ones([tf.rank(rows) - 1], tf.int32)], axis=0))
