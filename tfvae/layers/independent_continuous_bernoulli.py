"""The likelihood layer of data from 0 to 1."""

import tensorflow as tf
import tensorflow_probability as tfp
import tf_keras

from tfvae.layers.likelihood import Likelihood
from tfvae.layers.likelihood import soft_bound

tfd = tfp.distributions

# The density at its peak, x = 0 or 1, is about |l|, so that a pixel which is
# always black would drive its logit, and the likelihood, up without end. The
# float32 log-density errs by 3e-6 at most between these bounds.
MAX_LOGIT = 30.0


@tf_keras.saving.register_keras_serializable(package='tfvae')
class IndependentContinuousBernoulli(Likelihood):
  """Emits p(x|z) = Π_d C(l_d) exp(x_d l_d) / (1 + exp l_d) from logits l.

    C(l) = l (exp l + 1) / (exp l − 1),  C(0) = 2,

  so log p(x|z) = Σ_d x_d l_d + log l_d − log(exp l_d − 1), in nats, for x in
  [0, 1]: the normalised density that a Bernoulli likelihood of grey pixels
  lacks. Logits are bounded to ±`MAX_LOGIT` by `soft_bound`. The mean is
  1 / (1 − exp(−l)) − 1 / l, not sigmoid(l).

  Reference: G. Loaiza-Ganem and J. P. Cunningham, The Continuous Bernoulli:
  Fixing a Pervasive Error in Variational Autoencoders, NeurIPS 2019.

  Call arguments:
    params: float tensor of logits, `[..., *event_shape]` or flat.

  Returns, when called:
    A `tfd.Independent` of continuous Bernoullis, event shape `event_shape`.
  """

  support = 'unit_interval'
  is_discrete = False
  parameters = 'logits'

  @staticmethod
  def element_distribution(logits: tf.Tensor) -> tfd.ContinuousBernoulli:
    """Returns the continuous Bernoulli of bounded logits."""
    logits = soft_bound(logits, -MAX_LOGIT, MAX_LOGIT)
    return tfd.ContinuousBernoulli(logits=logits, dtype=logits.dtype)
