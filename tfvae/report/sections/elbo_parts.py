"""The parts of a model's ELBO: those of its metrics, or estimates."""

from collections.abc import Mapping, Sequence
import dataclasses
from typing import Any

import numpy as np
import tensorflow as tf

from tfvae.inference import observed
from tfvae.layers import SeededSample
from tfvae.models import LatentVariableModel
from tfvae.report.latents.latent_walk import batches


@dataclasses.dataclass(frozen=True, eq=False)
class ElboParts:
  """The parts of ELBO = E_q[log p(x|z)] − Σ_j KL_j, in nats per image.

  Attributes:
    num_images: Images that the parts are means over.
    reconstruction: E_q[log p(x|z)].
    kl: KL_j by name.
    kl_per_dimension: Summands of KL_j by name, `[size]`, of the latents whose
      posterior and prior are normals with diagonal covariance, and whose KL is
      exact.
  """

  num_images: int
  reconstruction: float
  kl: Mapping[str, float]
  kl_per_dimension: Mapping[str, np.ndarray]


def parts_of_metrics(test: Mapping[str, Any],
                     names: Sequence[str]) -> ElboParts | None:
  """Returns the parts that the metrics of a test set have, if they are there.

  Args:
    test: Block 'test' of `metrics.json`.
    names: Names of the latents. Where there are several and `kl_by_latent` is
      missing, as in metrics of earlier versions, their KLs are one part.
  """
  total, count = test.get('kl'), test.get('examples')
  by_latent = test.get('kl_by_latent', {', '.join(names): total})
  kl = {name: nats for name, nats in by_latent.items()
        if not name.endswith('_standard_error')}
  figures = [test.get('reconstruction'), count, *kl.values()]
  if any(figure is None for figure in figures):
    return None
  return ElboParts(count, test['reconstruction'], kl, {})


def elbo_parts(model: LatentVariableModel, inputs: Any,
               seed: int = 0) -> ElboParts:
  """Estimates the parts of the ELBO with one draw of z for each image."""
  reconstruction, kl, per_dimension = [], {}, {}
  for index, rows in enumerate(batches(inputs)):
    inference = model.infer(rows, SeededSample(tf.constant([seed, index])))
    x = tf.cast(observed(rows)['x'], tf.float32)
    parts = inference.elbo_parts(
        model.log_likelihood(inference.latents, x, rows))
    reconstruction.append(parts.reconstruction)
    for name, nats in parts.kl_by_latent.items():
      kl.setdefault(name, []).append(nats)
    for name, nats in model.kl_per_dimension(inference).items():
      per_dimension.setdefault(name, []).append(nats)
  mean = lambda parts: np.concatenate(parts).mean(axis=0, dtype=np.float64)
  return ElboParts(sum(map(len, reconstruction)), float(mean(reconstruction)),
                   {name: float(mean(parts)) for name, parts in kl.items()},
                   {name: mean(parts) for name, parts in per_dimension.items()})
