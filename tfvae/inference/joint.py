"""A product of factors as one distribution."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import tensorflow_probability as tfp

from tfvae.graph import Factor

tfd = tfp.distributions


def joint_distribution(
    factors: Sequence[Factor], values: Mapping[str, Any],
    density: Callable[[str, Mapping[str, Any]], tfd.Distribution],
) -> tfd.JointDistribution:
  """Returns Π_j of the factors; each part has the name of its latent.

  Args:
    factors: Factors of the latents, each after its parents.
    values: Values of x and y by name.
    density: Function from the name of a latent, and the values of its parents
      by name, to the density of its factor.
  """
  latents = {factor.variable for factor in factors}

  def model():
    known = dict(values)
    for factor in factors:
      part = density(factor.variable, known).copy(name=factor.variable)
      if not latents & set(factor.parents):
        part = tfd.JointDistributionCoroutine.Root(part)
      known[factor.variable] = yield part

  return tfd.JointDistributionCoroutine(model)
