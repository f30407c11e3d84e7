"""The parts of a model's ELBO, from its metrics or from an estimate."""

from collections.abc import Mapping, Sequence
import dataclasses
from typing import Any

from tfvae import evaluation


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


def figures_of(elbo: evaluation.Elbo) -> ElboFigures:
  """Returns the figures of an estimate."""
  return ElboFigures(
      len(elbo.elbo.values), elbo.elbo.mean, elbo.reconstruction.mean,
      {name: kl.mean for name, kl in elbo.kl_by_latent.items()})
