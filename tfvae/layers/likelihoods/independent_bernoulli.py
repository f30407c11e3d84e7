"""Likelihood layer of binary data."""

from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp
import tf_keras

from tfvae.layers.likelihoods.likelihood import Likelihood
from tfvae.layers.likelihoods.likelihood import LIKELIHOODS

tfd = tfp.distributions


class LogitsBernoulli(tfd.Bernoulli):
  """`tfd.Bernoulli` of finite logits whose density takes one softplus.

  That of TFP takes two, the most expensive part of a large evaluation. Only
  `log_prob` differs.
  """

  def _log_prob(self, event):
    logits = self.logits_parameter()
    event = tf.cast(event, logits.dtype)
    rest = logits.shape[1:]
    flattens = (
        rest.rank and rest.is_fully_defined() and event.shape[1:] == rest)
    if flattens:
      # XLA vectorizes the last axis, which has size 1 for gray images.
      logits, event = (
          tf.reshape(t, [-1, rest.num_elements()]) for t in (logits, event))
    log_prob = _minus_softplus(event * logits, logits)
    return tf.reshape(log_prob, [-1, *rest]) if flattens else log_prob


@tf.custom_gradient
def _minus_softplus(a: tf.Tensor, x: tf.Tensor):
  """Returns a − log(1 + exp x), in float32 to within 1e-7 nats at a = x.

  The order of the terms is one in which no large ones cancel. `log1p` is also
  precise where the last is nearly 0, which a sum of densities does not need,
  and takes longer, above all under XLA. The gradient is explicit since that of
  |x| is wrong at 0, and that of each term takes longer.
  """
  value = a - tf.nn.relu(x) - tf.math.log(1 + tf.exp(-tf.abs(x)))
  return value, lambda upstream: (
      upstream, _summed_to(-upstream * tf.sigmoid(x), x))


def _summed_to(gradient: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
  """Returns the gradient of x, summed over axes in which x was broadcast."""
  if gradient.shape == x.shape and x.shape.is_fully_defined():
    return gradient
  axes = tf.raw_ops.BroadcastGradientArgs(
      s0=tf.shape(gradient), s1=tf.shape(x)).r1
  return tf.reshape(tf.reduce_sum(gradient, axes), tf.shape(x))


@LIKELIHOODS.register('bernoulli')
@tf_keras.saving.register_keras_serializable(package='tfvae')
class IndependentBernoulli(Likelihood):
  """Emits p(x|z) = Π_d Bernoulli(x_d; sigmoid(l_d)) from logits l.

  log p(x|z) = Σ_d x_d l_d − log(1 + exp l_d), in nats, for x in {0, 1}. The
  mean is the probability of a one.

  Call arguments:
    params: Float tensor of logits, `[..., prod(event_shape)]` or
      `[..., *event_shape]`.

  Returns, when called:
    A `tfd.Independent` of float-valued Bernoullis, event shape `event_shape`.
  """

  support = 'binary'
  is_discrete = True
  parameters = 'logits'

  @staticmethod
  def element_distribution(logits: tf.Tensor) -> tfd.Bernoulli:
    """Returns the float-valued Bernoulli(sigmoid(logits))."""
    return LogitsBernoulli(logits=logits, dtype=logits.dtype)

  def keras3_mean(self, *parameters: Any, ops: Any) -> Any:
    """Returns the probability of a one; see the base class."""
    logits, = parameters
    return ops.sigmoid(logits)
