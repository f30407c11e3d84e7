"""The likelihood layer of binary data."""

import tensorflow as tf
import tensorflow_probability as tfp
import tf_keras

from tfvae.layers.likelihoods.likelihood import Likelihood
from tfvae.layers.likelihoods.likelihood import LIKELIHOODS

tfd = tfp.distributions


class LogitsBernoulli(tfd.Bernoulli):
  """`tfd.Bernoulli` of finite logits whose density takes one softplus.

  TFP's takes two, and they are the most costly part of a large evaluation. Only
  `log_prob` differs.
  """

  def _log_prob(self, event):
    logits = self.logits_parameter()
    event = tf.cast(event, logits.dtype)
    rest = logits.shape[1:]
    flattens = (
        rest.rank and rest.is_fully_defined() and event.shape[1:] == rest)
    if flattens:
      # XLA vectorises the last axis, which is the one channel of grey images.
      logits, event = (
          tf.reshape(t, [-1, rest.num_elements()]) for t in (logits, event))
    # x l − log(1 + exp l), in the order in which nothing large cancels.
    log_prob = (
        event * logits - tf.nn.relu(logits) - _softplus_beyond_relu(logits))
    return tf.reshape(log_prob, [-1, *rest]) if flattens else log_prob


@tf.custom_gradient
def _softplus_beyond_relu(x: tf.Tensor):
  """Returns log(1 + exp x) − max(x, 0), in float32 to within 1e-7 nats.

  `log1p` is precise where this is nearly 0 too, for which a sum of densities
  has no use, and takes longer, most of all under XLA. The gradient is by hand
  since that of |x| is wrong at 0.
  """
  value = tf.math.log(1 + tf.exp(-tf.abs(x)))
  is_positive = tf.cast(x > 0, x.dtype)  # The gradient of the rectifier.
  return value, lambda upstream: upstream * (tf.sigmoid(x) - is_positive)


@LIKELIHOODS.register('bernoulli')
@tf_keras.saving.register_keras_serializable(package='tfvae')
class IndependentBernoulli(Likelihood):
  """Emits p(x|z) = Π_d Bernoulli(x_d; sigmoid(l_d)) from logits l.

  log p(x|z) = Σ_d x_d l_d − log(1 + exp l_d), in nats, for x in {0, 1}. The
  mean is the probability of a one.

  Call arguments:
    params: float tensor of logits, `[..., prod(event_shape)]` or
      `[..., *event_shape]`.

  Returns, when called:
    A `tfd.Independent` of Bernoullis, float-valued, event shape `event_shape`.
  """

  support = 'binary'
  is_discrete = True
  parameters = 'logits'

  @staticmethod
  def element_distribution(logits: tf.Tensor) -> tfd.Bernoulli:
    """Returns Bernoulli(sigmoid(logits)), float-valued."""
    return LogitsBernoulli(logits=logits, dtype=logits.dtype)
