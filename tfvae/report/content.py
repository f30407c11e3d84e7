"""The content of a report: the arguments, and figures computed from them."""

from collections.abc import Mapping, Sequence
import dataclasses
import functools
from typing import Any

import numpy as np
import tensorflow as tf

from tfvae import evaluation
from tfvae.graph import GraphicalModel
from tfvae.inference import observed
from tfvae.models import LatentVariableModel
from tfvae.report.arguments import label_numbers
from tfvae.report.arguments import UNLABELED
from tfvae.report.latents.coloring import Coloring
from tfvae.report.latents.coloring import column_coloring
from tfvae.report.latents.coloring import default_column
from tfvae.report.latents.explorer import Explorer
from tfvae.report.latents.explorer import explorer
from tfvae.report.latents.inpainting import Inpainting
from tfvae.report.latents.inpainting import inpaintings
from tfvae.report.latents.latent_map import latent_map
from tfvae.report.latents.latent_map import LatentMap
from tfvae.report.latents.latent_pictures import distinct
from tfvae.report.latents.latent_walk import Base
from tfvae.report.latents.latent_walk import LatentWalk
from tfvae.report.sections.elbo_parts import ElboFigures
from tfvae.report.sections.elbo_parts import estimated_figures
from tfvae.report.sections.elbo_parts import figures_of_metrics

_MAX_IMAGES = 2000  # For the map and the estimates.
_FEW_IMAGES = 10  # For interpolations and as starting points.


@dataclasses.dataclass(frozen=True, eq=False)
class Content:
  """The arguments of `write_report`, and figures computed once from them."""

  model: LatentVariableModel
  inputs: Any
  labels: Any
  graph: GraphicalModel | None
  history: Sequence[Mapping[str, Any]]
  metrics: Mapping[str, Any]
  title: str
  command: str
  warnings: Sequence[str] | None
  kl_per_dimension: Mapping[str, np.ndarray]
  active: Mapping[str, np.ndarray]
  rank_histograms: Mapping[str, np.ndarray]
  class_names: Sequence[str]
  seed: int
  data: Mapping[str, Any] | None = None
  first_batch: Sequence[np.ndarray] = ()
  batch_caption: str = ''
  known: Any = None

  @functools.cached_property
  def walk(self) -> LatentWalk:
    """The latents of the model at the images."""
    few = tf.nest.map_structure(lambda rows: rows[:_MAX_IMAGES], self.inputs)
    return LatentWalk(self.model, few, self.seed)

  @functools.cached_property
  def blocks(self) -> Mapping[str, Any]:
    """The metrics, with the given rank histograms in place of theirs."""
    if not self.rank_histograms:
      return self.metrics
    return {**self.metrics, 'calibration': {
        **self.metrics.get('calibration', {}),
        'rank_histograms': self.rank_histograms}}

  @property
  def shown_warnings(self) -> Sequence[str]:
    """The warnings that were given; by default those of the measures."""
    if self.warnings is not None:
      return self.warnings
    return [sentence
            for name, measure in evaluation.measures_of(self.metrics).items()
            for sentence in measure.warnings(self.metrics[name])]

  @property
  def has_elbo(self) -> bool:
    """Whether the metrics have the ELBO, so that no other is shown."""
    return self.metrics.get('test', {}).get('elbo') is not None

  @functools.cached_property
  def elbo(self) -> ElboFigures | None:
    """The parts of the metrics' ELBO if they have one, else estimates.

    None if the metrics have the ELBO without its parts.
    """
    if self.has_elbo:
      return figures_of_metrics(self.metrics['test'], list(self.walk.means))
    return estimated_figures(self.model, tf.nest.map_structure(
        np.float32, self.walk.given), self.seed)

  @property
  def num_images(self) -> int:
    """The number of images that estimates are means over."""
    return len(self.walk.x)

  @property
  def noun(self) -> str:
    """The name of one x: 'image', 'row' of a table, or 'example'."""
    if self.walk.columns:
      return 'row'
    return 'image' if np.ndim(observed(self.inputs)['x']) == 4 else 'example'

  @functools.cached_property
  def _own_inputs(self) -> Any:
    return tf.nest.map_structure(np.float32, self.walk.inputs)

  @functools.cached_property
  def _own_latents(self) -> Mapping[str, evaluation.Latent]:
    """Measures of the latents on the images of the walk."""
    return evaluation.measure_latents(
        self.model, self._own_inputs, seed=self.seed, compiles=False)

  @functools.cached_property
  def plane(self) -> LatentMap | None:
    """The map of the top latent; None for one image or one dimension."""
    return latent_map(self.walk) if min(self.walk.top_means.shape) > 1 else None

  @functools.cached_property
  def _labels(self) -> tuple[np.ndarray | None, list[str]]:
    labels, y = self.labels, observed(self.walk.given).get('y')
    if labels is None and y is None:
      return None, []
    if labels is None:
      y = np.nan_to_num(np.asarray(y))
      names = label_numbers(
          np.arange(y.shape[1]), y.shape[1], self.class_names)[1]
      return np.where(y.any(axis=1), y.argmax(axis=1), UNLABELED), names
    numbers, names = label_numbers(
        labels, len(tf.nest.flatten(self.inputs)[0]), self.class_names)
    return numbers[:len(self.walk.x)], names

  @property
  def shown_labels(self) -> np.ndarray | None:
    """The labels of the walk's images, `[n]`, −1 for unlabeled; or None."""
    return self._labels[0]

  @property
  def names(self) -> list[str]:
    """The names of the labels, from 0."""
    return self._labels[1]

  @functools.cached_property
  def colorings(self) -> list[Coloring]:
    """Colors of the map to choose from: of the labels, and of each column.

    The first are those that the map has at first.
    """
    x = np.asarray(observed(self.walk.inputs)['x'])
    made = [column_coloring(column, codes) for column, codes in zip(
        self.walk.columns, x.T, strict=True)] if self.walk.columns else []
    if self.shown_labels is not None:
      return [Coloring('label', self.shown_labels, self.names), *made]
    if made:
      made.insert(0, made.pop(default_column(self.walk.columns)))
    return made

  @functools.cached_property
  def examples(self) -> list[int]:
    """Indices of up to 10 images, with as many different labels as possible."""
    few = min(_FEW_IMAGES, len(self.walk.x))
    return distinct(self.shown_labels, few)

  @functools.cached_property
  def inpaintings(self) -> Mapping[str, Inpainting]:
    """Imputations of hidden pixels by mask; none unless a model can see NaN."""
    if not self.walk.is_image or not self.model.allow_missing:
      return {}
    return inpaintings(
        self.walk, self.inputs if self.known is None else self.known,
        self.examples)

  def title_of(self, index: int) -> str:
    """Returns the caption of an image."""
    if self.shown_labels is None:
      return f'{self.noun} {index + 1}'
    if self.shown_labels[index] == UNLABELED:
      return f'unlabeled, {self.noun} {index + 1}'
    return f'“{self.names[self.shown_labels[index]]}”, {self.noun} {index + 1}'

  @functools.cached_property
  def first_image(self) -> Base:
    """The starting point of the traversals."""
    index = self.examples[0]
    return self.walk.base_of_image(index, self.title_of(index))

  @functools.cached_property
  def explorer(self) -> Explorer:
    """The frames of the latent explorer."""
    title = 'the prior’s mean'
    if self.walk.y is not None and self.names:
      title += f' of “{self.names[self.walk.y[0].argmax()]}”'
    return explorer(
        self.walk, title, [(i, self.title_of(i)) for i in self.examples])

  @functools.cached_property
  def kl(self) -> Mapping[str, np.ndarray]:
    """The KL of each dimension in nats, for the latents that have one."""
    given = self.kl_per_dimension or self._of_latents('kl_per_dimension') or {
        name: latent.kl_per_dimension
        for name, latent in self._own_latents.items()
        if latent.kl_per_dimension is not None}
    return {name: np.asarray(nats, np.float64) for name, nats in given.items()}

  @property
  def estimates_kl(self) -> bool:
    """Whether `kl` is estimated from the images of the walk."""
    return not (self.kl_per_dimension or self._of_latents('kl_per_dimension'))

  @functools.cached_property
  def is_active(self) -> Mapping[str, np.ndarray]:
    """Whether each dimension is active by latent, `[size]`.

    It is the only count of active dimensions on the page: what was given, else
    what the metrics say, else an estimate. Where the metrics have nothing but
    the number of active units, these are the dimensions that vary most.
    """
    variances = self._of_latents('variances')
    if set(variances) == set(self.walk.means):
      active = {name: evaluation.is_active(variance)
                for name, variance in variances.items()}
    else:
      active = self._estimated_active(
          self.metrics.get('test', {}).get('active_units'))
    return active | {
        name: np.asarray(flags, bool) for name, flags in self.active.items()}

  def _estimated_active(self, count: int | None) -> dict[str, np.ndarray]:
    latents = self._own_latents
    if count is None:
      return {name: latent.active for name, latent in latents.items()}
    ranked = np.sort(np.concatenate(
        [latent.variances for latent in latents.values()]))[::-1]
    least = ranked[count - 1] if count else np.inf
    return {name: latent.variances >= least for name, latent in latents.items()}

  def _of_latents(self, key: str) -> dict[str, np.ndarray]:
    """Returns a measure of the metrics' latent space by latent, `[size]`."""
    latents = self.metrics.get('latent_space', {}).get('latents', {})
    # A null becomes a NaN.
    measures = {name: np.asarray(latent[key], np.float64)
                for name, latent in latents.items() if latent.get(key)}
    return {name: values for name, values in measures.items()
            if name in self.walk.means
            and values.shape == self.walk.means[name].shape[1:]}
