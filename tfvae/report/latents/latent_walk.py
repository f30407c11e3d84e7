"""The latents of a model for the report: posterior means and decodings."""

from collections.abc import Iterator, Mapping
import dataclasses
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae import autograph
from tfvae.inference import observed
from tfvae.layers.columns.independent_columns import columns_of
from tfvae.layers.columns.independent_columns import log_prob_by_column
from tfvae.models import LatentVariableModel
from tfvae.report.drawing.display import Display

tfd = tfp.distributions

_BATCH = 250  # Images inferred or decoded at a time.
_PRIOR_DRAWS = 20_000  # For properties of a prior without a closed form.


@dataclasses.dataclass(frozen=True, eq=False)
class Base:
  """A starting point in the latent space.

  Attributes:
    title: Description.
    roots: Value `[size]` of each latent without latent parents in p.
    y: One-hot label, `[classes]`, of a conditional model.
    image: Image at that point, `[h, w, c]` in [0, 1].
  """

  title: str
  roots: Mapping[str, np.ndarray]
  y: np.ndarray | None
  image: np.ndarray


class LatentWalk:
  """Posterior means of a data set, and decodings at values of the top latent.

  The top latent is the first without latent parents in p. Latents below it are
  at the means of their priors given their parents.

  Attributes:
    model: Trained model.
    given: Examples x, `[n, ...]`, or a dictionary of 'x' and one-hot 'y'.
    inputs: The same with the most probable class for each missing label.
    x: Pictures of x, in [0, 1] with 1 or 3 channels; see `Display`.
    top: Name of the top latent.
    means: Posterior means E[z|x] by name, `[n, size]`.
    prior: Distribution p(z) of the top latent.
    columns: Columns of x, if it is the row of a table.
    order: Dimensions of the top latent in descending order of Var_x(E[z_d|x]),
      the statistic of Burda et al. (2016).
  """

  def __init__(self, model: LatentVariableModel, inputs: Any, seed: int = 0):
    """Infers the latents."""
    x = np.asarray(observed(inputs)['x'])
    self.model, self.given, self.seed = model, inputs, seed
    if model.graph.infers_label:
      inputs = tf.nest.map_structure(
          lambda *parts: np.concatenate(parts),
          *(model.completed(rows) for rows in batches(inputs)))
    self.inputs = inputs
    self.columns = columns_of(model.likelihood_layer())
    self._to_show = Display(x)
    self.x = self._to_show(x)
    inferred = [model.infer(rows, tfd.Distribution.mean)
                for rows in batches(inputs)]
    self.means = {
        name: np.concatenate([part.latents[name] for part in inferred])
        for name in inferred[0].latents}
    self._priors = inferred[0].priors
    self._roots = _roots(model.graph)
    # Compiled, since constructing p(z_j|…) of a hierarchy is slow.
    self._decode, self._decode_rows = (
        autograph.function(function, reduce_retracing=True)
        for function in (self._mean_of_x, self._values_of_row))
    self.top = self._roots[0]
    self.prior = self._priors[self.top]
    self.order = np.argsort(-self.means[self.top].var(axis=0), kind='stable')

  @property
  def is_image(self) -> bool:
    """Whether x is an image, whose pictures are not profiles."""
    return self._to_show.is_image

  def pictures(self, x: np.ndarray) -> np.ndarray:
    """Returns pictures of x, `[n, h, w, c]`, on the scale of the data."""
    return self._to_show(x)

  @property
  def top_means(self) -> np.ndarray:
    """E[z|x] of the top latent, `[n, size]`."""
    return self.means[self.top]

  def decode(self, latents: Mapping[str, np.ndarray],
             y: np.ndarray | None = None) -> np.ndarray:
    """Returns E[x|z] to show, `[n, h, w, c]`.

    Args:
      latents: Values by name, `[n, size]`; latents that are left out are at the
        means of their priors given their parents.
      y: One-hot labels `[n, classes]` of a conditional model.
    """
    return self._to_show(self._decoded(self._decode, latents, y))

  def _decoded(self, function, latents, y):
    rows = dict(latents) | ({} if y is None else {'y': y})
    rows = {name: tf.constant(row, tf.float32) for name, row in rows.items()}
    return np.concatenate([function(part) for part in batches(rows)])

  def decode_from(self, base: Base, z: np.ndarray) -> np.ndarray:
    """Returns E[x|z] with the top latent at z, `[n, size]`, others at base."""
    return self.decode(*self._around(base, z))

  def typical_rows(self, latents: Mapping[str, np.ndarray],
                   y: np.ndarray | None = None) -> np.ndarray:
    """Returns the mean of each number and the most probable codes, `[n, d]`.

    Only for tables; the arguments are those of `decode`.
    """
    return self._decoded(self._decode_rows, latents, y)[:, 0]

  def rows_from(self, base: Base, z: np.ndarray) -> np.ndarray:
    """Returns what p(x|z) says of each column of a table, `[n, 2, d]`.

    They are the mean of a number or the most probable code, and the probability
    of the code; NaN for a number. Only for tables.

    Args:
      base: Values of the other latents, and the label.
      z: Values of the top latent, `[n, size]`.
    """
    return self._decoded(self._decode_rows, *self._around(base, z))

  def _around(self, base, z):
    copies = lambda row: np.repeat(row[np.newaxis], len(z), axis=0)
    roots = {name: copies(value) for name, value in base.roots.items()}
    return roots | {self.top: z}, None if base.y is None else copies(base.y)

  def sample(self, n: int, inputs: Any = None) -> np.ndarray:
    """Returns E[x|z], z ~ p(z), to show, `[n, h, w, c]`."""
    return self._to_show(
        self.model.sample(n, self.seed, mean=True, inputs=inputs).numpy())

  def base_of_image(self, index: int, title: str) -> Base:
    """Returns the posterior mean of an image."""
    return Base(title, {name: self.means[name][index] for name in self._roots},
                None if self.y is None else self.y[index], self.x[index])

  def base_of_prior(self, title: str) -> Base:
    """Returns the prior's mean, with the label of the first image."""
    y = None if self.y is None else self.y[0]
    roots = {name: self._prior_mean(name) for name in self._roots}
    labels = None if y is None else y[np.newaxis]
    image = self.decode(
        {name: mean[np.newaxis] for name, mean in roots.items()}, labels)[0]
    return Base(title, roots, y, image)

  @property
  def y(self) -> np.ndarray | None:
    """One-hot labels of a conditional model, `[n, classes]`."""
    labels = observed(self.inputs).get('y')
    return None if labels is None else np.asarray(labels)

  @property
  def has_normal_prior(self) -> bool:
    """Whether p(z) of the top latent is a normal with diagonal covariance."""
    return is_normal(self.prior) and not self.prior.batch_shape.rank

  def prior_draws(self, name: str | None = None,
                  y: np.ndarray | None = None) -> np.ndarray:
    """Returns draws of a latent's prior, `[n, size]`; of the top by default.

    Args:
      name: Name of the latent.
      y: Label of the draws, `[classes]`; by default those of the data in turn.
    """
    labels = None
    if self.y is not None:
      labels = {'y': np.resize(self.y if y is None else y[np.newaxis], [
          _PRIOR_DRAWS, self.y.shape[1]])}
    draws = self.model.sample_prior(
        _PRIOR_DRAWS, tf.constant([self.seed, 1]), labels)
    return draws[name or self.top].numpy()

  def _prior_mean(self, name):
    prior = self._priors[name]
    if is_normal(prior) and not prior.batch_shape.rank:
      return prior.mean().numpy()
    return self.prior_draws(name, None if self.y is None else self.y[0]).mean(0)

  def _mean_of_x(self, rows):
    return self._likelihood(rows).mean()

  def _values_of_row(self, rows):
    likelihood = self._likelihood(rows)
    values = likelihood.mean()
    has_codes = tf.constant([bool(column.categories)
                             for column in self.columns])
    probability = tf.exp(log_prob_by_column(likelihood, values))
    return tf.stack([values, tf.where(has_codes, probability, np.nan)], axis=1)

  def _likelihood(self, rows):
    inputs = {'y': rows['y']} if 'y' in rows else None
    known = {name: row for name, row in rows.items() if name != 'y'}
    for name in self.model.graph.generative_order[:-1]:
      if name not in known and name != 'y':
        given, _ = self.model.prior_distribution(inputs).sample_distributions(
            seed=[self.seed, 0], **known)
        known[name] = getattr(given, name).mean()
    return self.model.decode(known, inputs)


def is_normal(distribution: tfd.Distribution) -> bool:
  """Returns whether a distribution is a normal of diagonal covariance."""
  return isinstance(distribution, tfd.MultivariateNormalDiag)


def batches(rows: Any) -> Iterator[Any]:
  """Yields the rows of arrays in batches."""
  n = len(tf.nest.flatten(rows)[0])
  for start in range(0, n, _BATCH):
    yield tf.nest.map_structure(
        lambda part, start=start: part[start:start + _BATCH], rows)


def _roots(graph):
  return [name for name in graph.generative_order[:-1]
          if name != 'y' and not set(graph.parents('generative', name)) - {'y'}]
