"""Likelihood layer of data from 0 to 1."""

from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp
import tf_keras

from tfvae.layers.base.operations import TENSORFLOW
from tfvae.layers.base.soft_bound import soft_bound
from tfvae.layers.likelihoods.likelihood import Likelihood
from tfvae.layers.likelihoods.likelihood import LIKELIHOODS

tfd = tfp.distributions

# The density of a pixel at its peak, x = 0 or 1, is about |l|: for a pixel that
# is always black, logit and density grow without bound. The bound limits the
# gain to log 1000 = 6.9 nats; one image in which it is white then costs 1,000.
MAX_LOGIT = 1000.0

# Below these, series of l replace differences that cancel.
_SMALL_LOGIT = 0.5
_SMALL_LOGIT_OF_SAMPLE = 0.01


class LogitsContinuousBernoulli(tfd.ContinuousBernoulli):
  """`tfd.ContinuousBernoulli` whose density takes at most half the time.

  Its errors are a fifth of those of TFP, up to |l| = 10⁵ and for gradients too,
  and the gradients of its draws are finite also near l = 0. It is symmetric:
  1 − x has the logit −l.
  """

  def _log_prob(self, event):
    logits = self.logits_parameter()
    x = tf.cast(event, logits.dtype)
    is_small, small, size = _branches(logits, _SMALL_LOGIT)
    # l (x − ½) + log(½l / sinh(½l)), an even function with this series.
    square = small * small
    near_zero = small * (x - 0.5) - square * (
        1 / 24 - square * (1 / 2880 - square * (1 / 181440)))
    # −|l| d + log(|l| / (1 − exp −|l|)), d the distance from the peak.
    distance = tf.where(logits > 0, 1. - x, x)
    beyond = tf.math.log(-size / tf.math.expm1(-size)) - size * distance
    log_prob = tf.where(is_small, near_zero, beyond)
    outside = (x < 0) | (x > 1)
    return tf.where(tf.logical_not(outside), log_prob, -np.inf)

  def _mean(self, logits=None):
    logits = self.logits_parameter() if logits is None else logits
    return _mean_of_logits(logits)

  def _sample_n(self, n, seed=None):
    logits = self.logits_parameter()
    shape = tf.concat([[n], tf.shape(logits)], axis=0)
    # The algorithm is named because the one that XLA chooses is slow on a CPU.
    # Draws are multiples of 2⁻²³; adding half of that excludes 0 as well as 1.
    u = tf.random.stateless_uniform(
        shape, tfp.random.sanitize_seed(seed), dtype=logits.dtype,
        alg='philox') + 2.**-24
    return self._quantile(u, logits)

  def _quantile(self, p, logits=None):
    # x = log(1 + u (exp l − 1)) / l
    logits = self.logits_parameter() if logits is None else logits
    is_small, small, size = _branches(logits, _SMALL_LOGIT_OF_SAMPLE)
    near_zero = p + 0.5 * small * p * (1. - p) * (
        1. + small * (1. - 2. * p) / 3.)
    low = -tf.math.log1p(
        tf.where(logits > 0, 1. - p, p) * tf.math.expm1(-size)) / size
    return tf.where(is_small, near_zero, tf.where(logits > 0, 1. - low, low))


def _mean_of_logits(logits: Any, ops: Any = TENSORFLOW) -> Any:
  """Returns 1 / (1 − exp(−l)) − 1 / l, or its series where l is small."""
  is_small, small, size = _branches(logits, _SMALL_LOGIT, ops)
  square = small * small
  near_zero = 0.5 + small * (
      1 / 12 - square * (1 / 720 - square * (1 / 30240)))
  # 1 / |l| − 1 / (exp |l| − 1), without its overflow.
  low = 1. / size + ops.exp(-size) / ops.expm1(-size)
  return ops.where(is_small, near_zero, ops.where(logits > 0, 1. - low, low))


def _branches(logits: Any, limit: float,
              ops: Any = TENSORFLOW) -> tuple[Any, Any, Any]:
  """Returns whether |l| is small, l where it is, and |l| where it is not.

  Elsewhere the two have values with finite gradients, since a NaN gradient in
  the branch of `where` that is not taken makes the whole gradient NaN.
  """
  size = ops.abs(logits)
  is_small = size < limit
  return (is_small, ops.where(is_small, logits, 0.),
          ops.where(ops.logical_not(is_small), size, limit))


@LIKELIHOODS.register('continuous_bernoulli')
@tf_keras.saving.register_keras_serializable(package='tfvae')
class IndependentContinuousBernoulli(Likelihood):
  """Emits p(x|z) = Π_d C(l_d) exp(x_d l_d) / (1 + exp l_d) from logits l.

    C(l) = l (exp l + 1) / (exp l − 1),  C(0) = 2,

  so log p(x|z) = Σ_d x_d l_d + log l_d − log(exp l_d − 1), in nats, for x in
  [0, 1]: a normalized density, unlike a Bernoulli likelihood of gray pixels.
  Each element is exact to 1e-6 nats, or to 2e-7 of its value where that is
  larger. The mean is 1 / (1 − exp(−l)) − 1 / l, not sigmoid(l).

  Logits are bounded to ±`MAX_LOGIT`, 1000, by `soft_bound`. The density of a
  pixel that is always black has no maximum: there, log p(0) is log |l|, at most
  log 1000 = 6.9 nats. With many such pixels, log p(x|z) mainly measures how
  close the decoder is to the bound, and increases with the training time.

  Reference: G. Loaiza-Ganem and J. P. Cunningham, The Continuous Bernoulli:
  Fixing a Pervasive Error in Variational Autoencoders, NeurIPS 2019.

  Call arguments:
    params: Float tensor of logits, `[..., *event_shape]` or flat.

  Returns, when called:
    A `tfd.Independent` of continuous Bernoullis, event shape `event_shape`.
  """

  support = 'unit_interval'
  is_discrete = False
  parameters = 'logits'

  @staticmethod
  def element_distribution(logits: tf.Tensor) -> LogitsContinuousBernoulli:
    """Returns the continuous Bernoulli of bounded logits."""
    logits = _bounded(logits)
    return LogitsContinuousBernoulli(logits=logits, dtype=logits.dtype)

  def keras3_mean(self, *parameters: Any, ops: Any) -> Any:
    """Returns the mean of bounded logits; see the base class."""
    logits, = parameters
    return _mean_of_logits(_bounded(logits, ops), ops)


def _bounded(logits: Any, ops: Any = TENSORFLOW) -> Any:
  return soft_bound(logits, -MAX_LOGIT, MAX_LOGIT, ops)
