"""What a report is made of: what its caller gave, and what follows from it."""

from collections.abc import Mapping, Sequence
import dataclasses
import functools
from typing import Any

import numpy as np
import tensorflow as tf

from tfvae.evaluation.latent_measures import ACTIVE_VARIANCE
from tfvae.graph import GraphicalModel
from tfvae.models import LatentVariableModel
from tfvae.report.elbo_parts import elbo_parts
from tfvae.report.elbo_parts import ElboParts
from tfvae.report.explorer import Explorer
from tfvae.report.explorer import explorer
from tfvae.report.latent_map import latent_map
from tfvae.report.latent_map import LatentMap
from tfvae.report.latent_pictures import distinct
from tfvae.report.latent_walk import Base
from tfvae.report.latent_walk import LatentWalk

_MAX_IMAGES = 2000  # Of the map and of the ELBO's parts; more is no clearer.
_FEW_IMAGES = 10  # Of interpolations and bases.


@dataclasses.dataclass(frozen=True, eq=False)
class Content:
  """The arguments of `write_report`, and what is computed of them once."""

  model: LatentVariableModel
  inputs: Any
  labels: np.ndarray | None
  graph: GraphicalModel | None
  history: Sequence[Mapping[str, Any]]
  metrics: Mapping[str, Any]
  title: str
  command: str
  warnings: Sequence[str]
  kl_per_dimension: Mapping[str, np.ndarray]
  active: Mapping[str, np.ndarray]
  rank_histograms: Mapping[str, np.ndarray]
  class_names: Sequence[str]
  seed: int

  @functools.cached_property
  def walk(self) -> LatentWalk:
    """The model's latents."""
    few = tf.nest.map_structure(lambda rows: rows[:_MAX_IMAGES], self.inputs)
    return LatentWalk(self.model, few, self.seed)

  @functools.cached_property
  def parts(self) -> ElboParts:
    """The ELBO's parts on the images of the walk."""
    return elbo_parts(self.model, self.walk.inputs, self.seed)

  @functools.cached_property
  def plane(self) -> LatentMap | None:
    """The map of the top latent, where means and dimensions allow one."""
    return latent_map(self.walk) if min(self.walk.top_means.shape) > 1 else None

  @functools.cached_property
  def shown_labels(self) -> np.ndarray | None:
    """The labels of the walk's images, `[n]`, or None."""
    if self.labels is not None:
      return np.asarray(self.labels)[:len(self.walk.x)]
    return None if self.walk.y is None else self.walk.y.argmax(axis=1)

  @functools.cached_property
  def names(self) -> list[str]:
    """The names of the labels, by number."""
    if self.shown_labels is None:
      return []
    count = int(self.shown_labels.max()) + 1
    return [*self.class_names, *map(str, range(len(self.class_names), count))]

  @functools.cached_property
  def examples(self) -> list[int]:
    """Indices of a few images of labels as different as there are."""
    few = min(_FEW_IMAGES, len(self.walk.x))
    return distinct(self.shown_labels, few)

  def title_of(self, index: int) -> str:
    """Returns what an image is called."""
    if self.shown_labels is None:
      return f'image {index + 1}'
    return f'“{self.names[self.shown_labels[index]]}”, image {index + 1}'

  @functools.cached_property
  def first_image(self) -> Base:
    """Where the traversals set out from."""
    index = self.examples[0]
    return self.walk.base_of_image(index, self.title_of(index))

  @functools.cached_property
  def explorer(self) -> Explorer:
    """The frames of the latent explorer."""
    title = 'the prior’s mean'
    if self.walk.y is not None:
      title += f' of “{self.names[self.walk.y[0].argmax()]}”'
    return explorer(
        self.walk, title, [(i, self.title_of(i)) for i in self.examples])

  @functools.cached_property
  def kl(self) -> Mapping[str, np.ndarray]:
    """By latent, the KL of each dimension, where it is known."""
    return {name: np.asarray(nats, np.float64) for name, nats in (
        self.kl_per_dimension or self.parts.kl_per_dimension).items()}

  def is_active(self, name: str) -> np.ndarray:
    """Returns whether each dimension of a latent is active, `[size]`."""
    if name in self.active:
      return np.asarray(self.active[name], bool)
    return self.walk.means[name].var(axis=0) > ACTIVE_VARIANCE
