"""Dates: normal distributions of days; the network sees their phases, too."""

import math
from typing import Any

import numpy as np

from tfvae.layers.base.operations import TENSORFLOW
from tfvae.layers.columns.block import BLOCKS
from tfvae.layers.columns.real import Real

# Days of a tropical year and of a week.
_PERIODS = (365.2422, 7.0)


@BLOCKS.register('date')
class Date(Real):
  """p(x|z) = N(x; μ, σ²), x in days.

  The encoder sees the standardized days, and sine and cosine of the phase in
  the year and in the week.
  """

  def features(self, codes: Any, ops: Any = TENSORFLOW) -> Any:
    """Returns five numbers a column; see `Block`."""
    found = [super().features(codes, ops)]
    for period in _PERIODS:
      phase = 2 * math.pi * ops.mod(codes, period) / period
      found += [ops.sin(phase), ops.cos(phase)]
    return ops.concatenate(found, axis=-1)

  @property
  def feature_columns(self) -> np.ndarray:
    """Position of the column of each feature; see `Block`."""
    return np.tile(super().feature_columns, 1 + 2 * len(_PERIODS))
