"""The likelihood layer of binary data."""

import tensorflow as tf
import tensorflow_probability as tfp
import tf_keras

from tfvae.layers.likelihood import Likelihood

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
    log_prob = event * logits - tf.nn.softplus(logits)  # x l − log(1 + exp l)
    return tf.reshape(log_prob, [-1, *rest]) if flattens else log_prob


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
