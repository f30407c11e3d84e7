"""Counts: negative binomial distributions."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tfvae.layers.base.operations import TENSORFLOW
from tfvae.layers.base.soft_bound import soft_bound
from tfvae.layers.columns.block import BLOCKS
from tfvae.layers.columns.block import LocationScale
from tfvae.layers.likelihoods.independent_negative_binomial import (
  IndependentNegativeBinomial,
)
from tfvae.layers.likelihoods.independent_negative_binomial import (
  NegativeBinomial,
)
from tfvae.layers.likelihoods.independent_poisson import bound_log_rate
from tfvae.tables.column import Column


@BLOCKS.register('count')
class Count(LocationScale):
  """p(x|z) = NB(x; μ, r), whose limit for a large r is the Poisson.

  log μ = loc + scale m and log r = b(s), with the bounds of
  `IndependentNegativeBinomial`.
  """

  def __init__(self, columns: Sequence[Column]):
    """Initializes the block; see `Block`."""
    super().__init__(columns)
    self.fill = np.zeros_like(self.loc)

  @staticmethod
  def transformed(codes: Any, ops: Any = TENSORFLOW) -> Any:
    """Returns log(1 + x), finite also where learned inputs leave x ≥ 0."""
    return ops.log1p(ops.maximum(codes, 0.0))

  def distribution(self, params: tf.Tensor) -> NegativeBinomial:
    """Returns the negative binomials; see `Block`."""
    log_count = soft_bound(params[..., len(self.columns):],
                           *IndependentNegativeBinomial.log_bounds)
    return NegativeBinomial(
        tf.exp(log_count), bound_log_rate(self.location(params)))

  def mean(self, params: Any, ops: Any = TENSORFLOW) -> Any:
    """Returns μ; see `Block`."""
    return ops.exp(bound_log_rate(self.location(params), ops))
