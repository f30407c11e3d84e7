"""The parts of a model's ELBO, from its metrics or from an estimate."""

from collections.abc import Mapping, Sequence
import dataclasses
from typing import Any

import numpy as np
import tensorflow as tf

from tfvae.inference import LatentVariableModel
from tfvae.inference import observed
from tfvae.layers import SeededSample
from tfvae.report.latents.latent_walk import batches


@dataclasses.dataclass(frozen=True, eq=False)
class ElboFigures:
  """ELBO = E_q[log p(x|z)] − Σ_j KL_j, in nats per image.

  Attributes:
    num_images: Number of images that the figures are means over; None if it is
      unknown.
    elbo: ELBO.
    reconstruction: E_q[log p(x|z)].
    kl: KL_j by name.
  """

  num_images: int | None
  elbo: float
  reconstruction: float
  kl: Mapping[str, float]


def figures_of_metrics(test: Mapping[str, Any],
                       names: Sequence[str]) -> ElboFigures | None:
  """Returns the figures of a test set if its metrics have all parts.

  Args:
    test: Block 'test' of `metrics.json`.
    names: Names of the latents. Where there are several and `kl_by_latent` is
      missing, as in metrics of earlier versions, their KLs are one part.
  """
  by_latent = test.get('kl_by_latent', {', '.join(names): test.get('kl')})
  kl = {name: nats for name, nats in by_latent.items()
        if not name.endswith('_standard_error')}
  figures = [test.get('elbo'), test.get('reconstruction'), *kl.values()]
  if any(figure is None for figure in figures):
    return None
  return ElboFigures(
      test.get('examples'), test['elbo'], test['reconstruction'], kl)


def estimated_figures(model: LatentVariableModel, inputs: Any,
                      seed: int = 0) -> ElboFigures:
  """Returns estimates from one draw of z for each image.

  Args:
    model: Trained model.
    inputs: Images x, float32, or a dictionary of 'x' and 'y'.
    seed: Seed of the draws.
  """
  parts = []
  # A few batches, which take less time without a traced function.
  for index, rows in enumerate(batches(inputs)):
    inference = model.infer_classes(
        rows, SeededSample(tf.constant([seed, index])))
    parts.append(inference.elbo_parts(model.log_likelihood(
        inference.latents, tf.constant(observed(rows)['x']), rows)))
  joined = tf.nest.map_structure(
      lambda *values: np.concatenate(values).astype(np.float64), *parts)
  return ElboFigures(
      len(joined.reconstruction), float(np.mean(joined.elbo)),
      float(np.mean(joined.reconstruction)),
      {name: float(np.mean(kl)) for name, kl in joined.kl_by_latent.items()})
