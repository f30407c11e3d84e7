"""Pictures of images with hidden pixels, and of what a model imputes."""

from collections.abc import Mapping
import dataclasses
from typing import Any

import numpy as np
import tensorflow as tf

from tfvae.evaluation.imputation import masks
from tfvae.evaluation.imputation.impute import impute
from tfvae.inference import observed
from tfvae.report.latents.latent_walk import LatentWalk

IMPUTATIONS = 5
FRACTION = 0.5  # Of the pixels that the mask 'mcar' hides.


@dataclasses.dataclass(frozen=True, eq=False)
class Inpainting:
  """Images with the pixels that a mask hides, and their imputations.

  Attributes:
    rows: Pictures in [0, 1], `[3 + m, n, h, w, c]`: the originals, what the
      model sees, with hidden pixels gray, the means, and m draws.
    hidden: Fraction of the pixels that are hidden.
  """

  rows: np.ndarray
  hidden: float


def inpaintings(walk: LatentWalk, inputs: Any, examples: list[int]
                ) -> Mapping[str, Inpainting]:
  """Returns inpaintings by the name of the mask.

  Args:
    walk: Latents of a model of images that takes missing values.
    inputs: Images, `[n, ...]`, or a dictionary of 'x' and one-hot 'y'.
    examples: Indices of the images to show.
  """
  chosen = {name: np.asarray(part)[examples]
            for name, part in observed(inputs).items()}
  x = np.float32(chosen['x'])
  found = {}
  for name, mask in masks.hidden(x, FRACTION, walk.seed):
    given = np.where(mask, np.float32(np.nan), x)
    data = chosen | {'x': given} if 'y' in chosen else given
    imputed = impute(walk.model, tf.nest.map_structure(np.float32, data),
                     num_imputations=IMPUTATIONS, seed=walk.seed)
    rows = [x, given, imputed.mean, *imputed.imputations]
    found[name] = Inpainting(
        np.stack([walk.pictures(part) for part in rows]),
        float(np.mean(np.isnan(given))))
  return found
