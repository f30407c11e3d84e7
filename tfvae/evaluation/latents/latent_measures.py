"""Measures of how the posteriors of a data set use the latent space."""

from collections.abc import Mapping
import dataclasses
import math
from typing import Any

import numpy as np

from tfvae.evaluation.bounds import Estimate

# Threshold of Burda et al. (2016). Its choice matters little, since the
# variances of active and inactive units differ by orders of magnitude.
ACTIVE_VARIANCE = 0.01

# KL in nats above which a dimension is informative. The KL bounds the mutual
# information with any factor: I(z_d; v) ≤ I_q(x; z_d) ≤ E[KL_d]. So a score
# without the dimensions below is wrong by at most 0.1 nats for each factor.
INFORMATIVE_KL = 0.1


def is_active(variances: np.ndarray) -> np.ndarray:
  """Returns which dimensions are active, by the variances of `Latent`."""
  return variances > ACTIVE_VARIANCE


@dataclasses.dataclass(frozen=True)
class Latent:
  """Measures of one latent z_j over a data set.

  Attributes:
    variances: Variances of the posterior means over the data,
      Var_x(E_q(z_j|x)[z_j,d]), `[size]`; Burda, Grosse and Salakhutdinov,
      Importance Weighted Autoencoders, 2016. Where q(z_j) has latent parents,
      or no mean in closed form, E_q is a mean over draws, whose noise is
      subtracted; so the variance of an unused unit may be below 0.
    kl: Part of the latent in the ELBO for each example,
      E_q[KL(q(z_j|Pa_q) ‖ p(z_j|Pa_p))]. Where
      `GraphicalModel.allows_exact_kl` is false, it is
      E_q[log q(z_j|Pa_q) − log p(z_j|Pa_p)], which may be negative.
    kl_per_dimension: Summands of the KL, `[size]`, means over the data in nats;
      None unless both distributions are diagonal normals and the KL may be
      exact. No other divergence is a sum over dimensions.
    kl_per_dimension_standard_error: Standard errors of these means, or None.
  """

  variances: np.ndarray
  kl: Estimate
  kl_per_dimension: np.ndarray | None
  kl_per_dimension_standard_error: np.ndarray | None

  @property
  def active(self) -> np.ndarray:
    """Whether each dimension is active: its variance above 0.01; `[size]`.

    This is the active unit of Burda et al. (2016), and the only definition by
    which this package counts dimensions. It needs no closed form and is
    comparable between papers. It depends on the means alone: those of a latent
    may vary with its parents', and those under a prior of small scale are
    small.
    """
    return is_active(self.variances)

  @property
  def informative(self) -> np.ndarray:
    """Whether each dimension has a KL above 0.1 nats, `[size]`.

    It selects the dimensions that disentanglement scores credit, and qualifies
    counts of active ones. Where the KL is not a sum over dimensions, it is
    `active`.
    """
    if self.kl_per_dimension is None:
      return self.active
    return self.kl_per_dimension > INFORMATIVE_KL

  def to_dict(self) -> dict[str, Any]:
    """Returns the measures as plain data."""
    per_dimension = {} if self.kl_per_dimension is None else {
        'kl_per_dimension': self.kl_per_dimension.tolist(),
        'kl_per_dimension_standard_error': (
            self.kl_per_dimension_standard_error.tolist())}
    return {'active_units': int(self.active.sum()),
            'variances': self.variances.tolist(),
            'kl': self.kl.mean,
            'kl_standard_error': self.kl.standard_error} | per_dimension


@dataclasses.dataclass(frozen=True)
class LatentSpace:
  """Posteriors, aggregate posterior q(z) = (1/N) Σ_n q(z|x_n) and prior.

  The mean KL has two parts, which add up exactly for each draw:

    (1/N) Σ_n KL(q(z|x_n) ‖ p(z)) = I_q(x; z) + KL(q(z) ‖ p(z));

  Hoffman and Johnson, ELBO surgery, 2016. As there, x is one of the N examples
  of the data set, so I_q is at most log N. Where it is close to log N, the
  measures describe the data set rather than its population: on average over
  data sets, I_q and the volume are at most those of the population, and their
  `…_upper` versions, where q(z) excludes the example that z was drawn for, are
  at least those; Poole et al., On Variational Bounds of Mutual Information,
  2019.

  Where labels y condition the prior, all measures are conditional on y:
  q(z|y), I_q(x; z|y) and KL(q(z|y) ‖ p(z|y)), over the examples of each label,
  then over labels.

  Each `Estimate` has a value for each of m draws. Its standard error is that of
  the draws, and conservative where m = N.

  Attributes:
    latents: Measures of each latent by name.
    num_examples: Number of examples N.
    log_posterior: Values of log q(z_i|x_i) at z_i ~ q(z|x_i), `[m]`.
    log_aggregate: Values of log q(z_i), `[m]`.
    log_others: Values of log 1/(N−1) Σ_{n≠i} q(z_i|x_n), `[m]`.
    log_prior: Values of log p(z_i), `[m]`.
    log_prior_of_prior: Values of log p(z) at z ~ p(z), `[m]`.
    weights: Sample weights of the examples of the draws, `[m]`, with which q(z)
      is weighted as well; None for equal weights.
  """

  latents: Mapping[str, Latent]
  num_examples: int
  log_posterior: np.ndarray
  log_aggregate: np.ndarray
  log_others: np.ndarray
  log_prior: np.ndarray
  log_prior_of_prior: np.ndarray
  weights: np.ndarray | None = None

  @property
  def size(self) -> int:
    """The number of latent dimensions."""
    return sum(len(latent.variances) for latent in self.latents.values())

  @property
  def active_units(self) -> int:
    """The number of active dimensions; see `Latent.active`."""
    return sum(int(latent.active.sum()) for latent in self.latents.values())

  @property
  def informative(self) -> np.ndarray:
    """`Latent.informative` of all latents in their order, `[size]`."""
    return np.concatenate(
        [latent.informative for latent in self.latents.values()])

  @property
  def kl(self) -> Estimate:
    """KL(q(z|x) ‖ p(z)) = E_q[log q(z|x) − log p(z)], at the draws."""
    return Estimate(self.log_posterior - self.log_prior, self.weights)

  @property
  def mutual_information(self) -> Estimate:
    """I_q(x; z) = E[log q(z|x) − log q(z)], at most log N."""
    return Estimate(self.log_posterior - self.log_aggregate, self.weights)

  @property
  def mutual_information_upper(self) -> Estimate:
    """E[log q(z_i|x_i) − log 1/(N−1) Σ_{n≠i} q(z_i|x_n)]."""
    return Estimate(self.log_posterior - self.log_others, self.weights)

  @property
  def aggregate_kl(self) -> Estimate:
    """KL(q(z) ‖ p(z)) = E_q(z)[log q(z) − log p(z)]."""
    return Estimate(self.log_aggregate - self.log_prior, self.weights)

  @property
  def log_volume(self) -> Estimate:
    """H[q(z)] − H[p(z)], the log of the volume of q(z) over that of p(z).

    With H = −E[log density], exp(n H) is, to first order in the exponent, the
    volume of the smallest set that contains almost all n-tuples of independent
    draws; Cover and Thomas, Elements of Information Theory, 2006, theorem
    8.2.2. It is negative where the posteriors occupy a part of the space that
    the prior allows. Divided by `size` it is a log ratio of side lengths.
    """
    return Estimate(self.log_prior_of_prior - self.log_aggregate, self.weights)

  @property
  def log_volume_upper(self) -> Estimate:
    """The same with the cross-entropy to q(z) without the example itself."""
    return Estimate(self.log_prior_of_prior - self.log_others, self.weights)

  def to_dict(self) -> dict[str, Any]:
    """Returns means in nats and their standard errors as plain data."""
    result = {'active_units': self.active_units, 'latent_size': self.size,
              'log_num_examples': math.log(self.num_examples)}
    for name in ('mutual_information', 'mutual_information_upper',
                 'aggregate_kl', 'log_volume', 'log_volume_upper'):
      estimate = getattr(self, name)
      result |= {name: estimate.mean,
                 f'{name}_standard_error': estimate.standard_error}
    result['log_volume_per_dimension'] = self.log_volume.mean / self.size
    return result | {'latents': {
        name: latent.to_dict() for name, latent in self.latents.items()}}
