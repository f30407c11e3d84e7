"""The parts of a model's ELBO on the images of a report."""

from collections.abc import Mapping
import dataclasses
from typing import Any

import numpy as np
import tensorflow as tf

from tfvae.layers import SeededSample
from tfvae.models import LatentVariableModel
from tfvae.report.latent_walk import batches
from tfvae.report.latent_walk import is_normal


@dataclasses.dataclass(frozen=True, eq=False)
class ElboParts:
  """The parts of ELBO = E_q[log p(x|z)] − Σ_j KL_j, in nats an image.

  Attributes:
    reconstruction: E_q[log p(x|z)].
    kl: by name, KL_j.
    kl_per_dimension: by name, `[size]`, of the latents whose posterior and
      prior are normals with diagonal covariance, and whose KL is exact.
  """

  reconstruction: float
  kl: Mapping[str, float]
  kl_per_dimension: Mapping[str, np.ndarray]


def elbo_parts(model: LatentVariableModel, inputs: Any,
               seed: int = 0) -> ElboParts:
  """Estimates the ELBO's parts with one draw of z an image."""
  reconstruction, kl, per_dimension = [], {}, {}
  graph = getattr(model, 'graph', None)
  for index, rows in enumerate(batches(inputs)):
    inference = model.infer(rows, SeededSample(tf.constant([seed, index])))
    x = rows['x'] if isinstance(rows, dict) else rows
    reconstruction.append(
        model.log_likelihood(inference.latents, tf.cast(x, tf.float32), rows))
    for name, nats in inference.kl.items():
      kl.setdefault(name, []).append(nats)
      q, p = inference.posteriors[name], inference.priors[name]
      exact = graph is None or graph.allows_exact_kl(name)
      if exact and is_normal(q) and is_normal(p):
        per_dimension.setdefault(name, []).append(_normal_kl(q, p))
  mean = lambda parts: np.concatenate(parts).mean(axis=0, dtype=np.float64)
  return ElboParts(float(mean(reconstruction)),
                   {name: float(mean(parts)) for name, parts in kl.items()},
                   {name: mean(parts) for name, parts in per_dimension.items()})


def _normal_kl(q, p):
  """KL(N(μ, diag σ²) ‖ N(m, diag s²)) of each dimension, `[b, size]`."""
  # ½ (σ²/s² + (μ − m)²/s² − 1 − log σ²/s²)
  ratio = tf.square(q.stddev() / p.stddev())
  distance = tf.square((q.mean() - p.mean()) / p.stddev())
  return 0.5 * (ratio + distance - 1 - tf.math.log(ratio))
