"""A trained run as the subject of measures, and its ELBO on each split."""

import dataclasses
import functools
from typing import Any

import tensorflow as tf

from tfvae import data
from tfvae import evaluation
from tfvae.models import LatentVariableModel
from tfvae.models.networks.acceleration import xla_pays_off
from tfvae.training.config import Config
from tfvae.training.fit.batches import evaluation_batches
from tfvae.training.fit.execution import uses_jit


@dataclasses.dataclass(frozen=True, eq=False)
class Run:
  """A model with the settings and the data of its run.

  Attributes:
    model: Model of the run.
    config: Settings of the run.
    images: Data of the run.
  """

  model: LatentVariableModel
  config: Config
  images: data.ImageData

  @functools.cached_property
  def subject(self) -> evaluation.Subject:
    """Model and data as measures take them."""
    return evaluation.Subject(
        self.model, self._examples('test'), self._examples('train'),
        self.config.evaluation.eval_seed,
        uses_jit(self.config.training, self.model)
        and xla_pays_off(self.model), verbose=True)

  def _examples(self, split: str) -> evaluation.Examples:
    part = getattr(self.images, split)
    return evaluation.Examples(
        functools.partial(self._batches, split), len(part.images), part.labels,
        part.factors, self.images.factor_names,
        functools.partial(self._batches, split, hides=False))

  def _batches(self, split: str, count: int,
               hides: bool = True) -> tf.data.Dataset:
    """Returns batches of the first images of a split; 0 means all.

    Args:
      split: Name of the split.
      count: Number of images.
      hides: Whether values are hidden at random, as in the evaluation.
    """
    images = self.images
    if count:  # Of a slice alone, so that no more are binarized.
      part = getattr(images, split)
      first = {field.name: getattr(part, field.name)
               for field in dataclasses.fields(part)}
      images = dataclasses.replace(images, **{split: data.Split(**{
          name: None if values is None else values[:count]
          for name, values in first.items()})})
    return evaluation_batches(images, split, self.config, hides)

  def elbo_of_split(self, split: str) -> dict[str, Any]:
    """Returns the ELBO, its parts and the trained objective of a split.

    Args:
      split: 'test', 'validation' or 'train'.

    Returns:
      Means over the images in nats with their standard errors. `elbo`,
      `reconstruction` and `kl` use one draw of z for each image. `objective` is
      the value that training minimizes, with the KL schedule at its end; it
      uses other draws, as many as the objective takes.
    """
    subject = self.subject
    batches = evaluation_batches(self.images, split, self.config)
    elbo = subject.elbo if split == 'test' else evaluation.elbo(
        self.model, batches, num_samples=1, seed=subject.seed)
    means = self.model.evaluate(batches, return_dict=True, verbose=0)
    return elbo.to_dict() | {
        'objective': means['loss'], 'examples': len(elbo.elbo.values)}
