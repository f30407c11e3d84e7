"""Prior of a neural spline flow."""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp
import tf_keras

from tfvae.layers.base.rational_quadratic_spline import check_spline
from tfvae.layers.base.spline_coupling import SplineCoupling
from tfvae.layers.posteriors.multivariate_normal_diag import NormalDiag
from tfvae.priors.flow_prior import check_dimensions
from tfvae.priors.prior import Prior
from tfvae.priors.prior import PRIORS
from tfvae.registry import Setting

tfb, tfd = tfp.bijectors, tfp.distributions


@PRIORS.register(
    'spline',
    num_layers=Setting(
        'prior_spline_layers', 4, 'layers of the prior spline', at_least=1),
    num_bins=Setting(
        'prior_spline_bins', 8, 'bins of each spline of the prior spline',
        at_least=2),
    hidden_units=Setting(
        'prior_spline_units', (64, 64), 'widths of the hidden layers of the '
        'prior spline', kind=tuple[int, ...], at_least=1))
@tf_keras.saving.register_keras_serializable(package='tfvae')
class SplineFlowPrior(Prior):
  """The density of z = f_T(… f_1(ε); θ) with ε ~ N(0, I).

    log p(z; θ) = log N(ε; 0, I) − Σ_t log |det ∂f_t|

  Each f_t is a `SplineCoupling`: monotonic splines transform one half of the
  dimensions given the other, in turn. A draw and a density each take one pass;
  Durkan, Bekasov, Murray and Papamakarios, Neural Spline Flows, 2019. Initially
  f is the identity. The KL divergence is the Monte Carlo estimate.
  """

  def __init__(
      self,
      event_size: int | None = None,
      num_layers: int = 4,
      num_bins: int = 8,
      bound: float = 5.0,
      hidden_units: Sequence[int] = (64, 64),
      activation: str = 'tanh',
      **kwargs,
  ):
    """Initializes the prior.

    Args:
      event_size: Dimensions of z, at least 2; None for a template, which has no
        networks.
      num_layers: T, at least 1; from 2 on all of z is transformed.
      num_bins: Bins of each spline, at least 2.
      bound: B, above 0: a value outside of [−B, B] stays as it is.
      hidden_units: Width of each hidden layer of the network of each f_t.
      activation: Activation of the hidden layers, a name that Keras knows.
      **kwargs: Arguments of `Prior` and `tf_keras.layers.Layer`.

    Raises:
      ValueError: If a size is too small, or the bound is not above 0.
    """
    super().__init__(event_size, **kwargs)
    self._check_positive(num_layers=num_layers)
    for units in hidden_units:
      self._check_positive(hidden_units=units)
    check_dimensions(event_size)
    check_spline(num_bins, bound)
    self.num_layers, self.num_bins, self.bound = num_layers, num_bins, bound
    self.hidden_units, self.activation = tuple(hidden_units), activation
    self._networks = [] if event_size is None else [
        SplineCoupling(
            event_size, hidden_units, num_bins, bound, activation,
            reverse=index % 2 == 1, dtype=self.dtype)
        for index in range(num_layers)]

  def distribution(self) -> tfd.TransformedDistribution:
    """Returns p(z; θ): batch shape `[]`, event shape `[event_size]`."""
    zeros = tf.zeros([self.event_size], self.compute_dtype)
    return tfd.TransformedDistribution(
        NormalDiag(zeros, tf.ones_like(zeros)),
        # A chain applies its last bijector first.
        tfb.Chain([layer.bijector() for layer in self._networks[::-1]]))

  def get_config(self) -> dict[str, Any]:
    """Returns names and numbers from which `from_config` makes the prior."""
    return super().get_config() | {
        'num_layers': self.num_layers, 'num_bins': self.num_bins,
        'bound': self.bound, 'hidden_units': list(self.hidden_units),
        'activation': self.activation}
