"""Checks, before a run trains, of what its evaluations need."""

from collections.abc import Callable
import logging

import numpy as np

from tfvae import data
from tfvae.evaluation.factors import disentanglement as disentanglement_lib
from tfvae.evaluation.factors import representation as representation_lib
from tfvae.training.config import Config

_LOGGER = logging.getLogger(__name__)

# Training images that the probes are fitted to, at most: with more, the
# accuracy changes by less than its own noise on the test set.
PROBE_IMAGES = 10_000


def why_not(name: str, config: Config, images: data.ImageData) -> str | None:
  """Returns why an evaluation cannot be computed, or None if it can.

  Args:
    name: Name of the evaluation, one of `config.EVALUATIONS`.
    config: Settings of the run.
    images: Data of the run.
  """
  check = _CHECKS.get(name)
  return check(config, images) if check else None


def warn(config: Config, images: data.ImageData):
  """Logs which of the chosen evaluations cannot be computed, and why."""
  for name in config.evaluation.chosen():
    reason = why_not(name, config, images)
    if reason:
      _LOGGER.warning('%s will not be computed: %s.', name, reason)


def _latent_space(config: Config, images: data.ImageData) -> str | None:
  if len(images.test.images) < 2:
    return ('it compares the posteriors of test images, and needs at least two '
            'of them')
  generative = config.model.graph().generative
  conditions_prior = any('y' in factor.parents for factor in generative
                         if factor.variable != 'x')
  if conditions_prior and np.min(
      np.unique(images.test.labels, return_counts=True)[1]) < 2:
    return ('y conditions the prior, so it needs two test images of each '
            'class, and one class has a single one')
  return None


def _representation(config: Config, images: data.ImageData) -> str | None:
  if images.test.labels is None or images.train.labels is None:
    return 'the data set has no labels'
  if _inference_sees_label(config):
    return ('q has the parent y, so the latents are inferred from the label '
            'that the classifiers would predict')
  if np.min(images.test.labels) < 0:
    return ('the test set has unlabeled images, whose label is −1; name '
            'labeled ones by --test_split')
  return representation_lib.why_not(images.train.labels[:PROBE_IMAGES])


def _gaps(config: Config, images: data.ImageData) -> str | None:
  del images
  if config.model.posterior.startswith('iaf'):
    return ('an inverse autoregressive flow has no parameters to optimize for '
            'each image')
  return None


def _calibration(config: Config, images: data.ImageData) -> str | None:
  del images
  generative = config.model.graph().generative
  if _inference_sees_label(config) and not any(
      'y' in factor.parents for factor in generative):
    return ('y is a parent in q and nowhere in p, so simulated images have no '
            'label to infer from')
  return None


def _disentanglement(config: Config, images: data.ImageData) -> str | None:
  if images.test.factors is None:
    return 'the data set has no factors'
  size = sum(size for _, size in config.model.graph().latents)
  if size < 2:
    return 'the scores compare latent dimensions, and the model has only one'
  return disentanglement_lib.why_not(images.test.factors)


def _inference_sees_label(config: Config) -> bool:
  return any('y' in factor.parents for factor in config.model.graph().inference)


_CHECKS: dict[str, Callable[[Config, data.ImageData], str | None]] = {
    'latent_space': _latent_space, 'representation': _representation,
    'gaps': _gaps, 'calibration': _calibration,
    'disentanglement': _disentanglement}
