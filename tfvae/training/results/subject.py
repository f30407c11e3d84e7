"""The subject of an evaluation, and its ELBO on each split."""

from collections.abc import Mapping
import dataclasses
import functools
from typing import Any

import tensorflow as tf

from tfvae import data
from tfvae import evaluation
from tfvae.models import LatentVariableModel
from tfvae.training.config import Config
from tfvae.training.fit.batches import evaluation_batches
from tfvae.training.fit.execution import uses_jit


@dataclasses.dataclass(frozen=True)
class Subject:
  """The subject of an evaluation: a trained model and the data of its run."""

  model: LatentVariableModel
  config: Config
  images: data.ImageData

  @property
  def jit_compile(self) -> bool:
    """Whether XLA pays off: on a CPU its convolutions are slow."""
    return uses_jit(self.config) and self.config.model.network == 'mlp'

  def test_batches(self, examples: int = 0) -> tf.data.Dataset:
    """Returns the first `examples` test images in batches; 0 means all."""
    batches = evaluation_batches(self.images, 'test', self.config)
    if not 0 < examples < len(self.images.test.images):
      return batches
    return batches.unbatch().take(examples).batch(
        self.config.evaluation.eval_batch_size)

  def elbo(self, split: str) -> evaluation.Elbo:
    """Returns the ELBO of each image of a split, with one draw of z."""
    return evaluation.elbo(
        self.model, evaluation_batches(self.images, split, self.config),
        num_samples=1, seed=self.config.evaluation.eval_seed)

  @functools.cached_property
  def test_elbo(self) -> evaluation.Elbo:
    """The ELBO of each test image, with one draw of z."""
    return self.elbo('test')

  @functools.cached_property
  def latent_space(self) -> evaluation.LatentSpace:
    """The latent space of the test images, of `latent_space` and MIG."""
    return evaluation.latent_space(
        self.model, self.test_batches(), seed=self.config.evaluation.eval_seed,
        verbose=True)

  @functools.cached_property
  def log_evidence(self) -> evaluation.Estimate:
    """The estimate of log p(x) by annealing, for `annealed` and `gaps`."""
    config = self.config.evaluation
    return evaluation.annealed_importance_sampling(
        self.model, self.test_batches(config.eval_costly_examples),
        config.eval_ais_steps, config.eval_ais_chains, seed=config.eval_seed,
        jit_compile=self.jit_compile, verbose=True)


def elbo_of_split(subject: Subject, split: str) -> dict[str, Any]:
  """Returns the ELBO, its parts and the trained objective of a split.

  Args:
    subject: Model and data.
    split: 'test', 'validation' or 'train'.

  Returns:
    Means over the images in nats with their standard errors. `elbo`,
    `reconstruction` and `kl` are from one draw of z for each image.
    `objective` is the value that training minimizes, from as many draws as the
    objective takes, with the KL schedule at its end.
  """
  elbo = subject.test_elbo if split == 'test' else subject.elbo(split)
  block = with_errors({
      'elbo': elbo.elbo, 'reconstruction': elbo.reconstruction,
      'kl': elbo.kl})
  if len(elbo.kl_by_latent) > 1:
    block['kl_by_latent'] = with_errors(elbo.kl_by_latent)
  means = subject.model.evaluate(
      evaluation_batches(subject.images, split, subject.config),
      return_dict=True, verbose=0)
  return block | {
      'objective': means['loss'], 'examples': len(elbo.elbo.values)}


def with_errors(
    estimates: Mapping[str, evaluation.Estimate]) -> dict[str, float]:
  """Returns the mean of each estimate, and its standard error."""
  result = {}
  for name, estimate in estimates.items():
    result |= {name: estimate.mean,
               f'{name}_standard_error': estimate.standard_error}
  return result
