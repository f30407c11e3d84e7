"""The reconstruction loss."""

from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp
import tf_keras

from tfvae.layers.likelihoods.partly_observed import elements_of
from tfvae.layers.likelihoods.support import is_inside
from tfvae.layers.likelihoods.support import SUPPORTS

tfd = tfp.distributions

# Most graphs that check a first batch; a loss is traced a few times.
_MAX_GRAPHS = 64


@tf_keras.saving.register_keras_serializable(package='tfvae')
class NegativeLogLikelihood(tf_keras.losses.Loss):
  """−log p(x|z), in nats per example, summed over the event.

  With a `tfvae.regularizers.KLDivergenceRegularizer` of weight 1 on the
  posterior, the loss that Keras minimizes is exactly −ELBO(x) =
  −E_q[log p(x|z)] + KL(q(z|x) ‖ p(z)), with one draw of z for the expectation
  and the mean taken over the batch.

  The first batch of each function that Keras traces must be in the support of
  the likelihood, if that is a layer of `tfvae.layers`. With one replica and
  without XLA, which compiles no assertions, other data end in a ValueError
  where Keras runs eagerly, and in a `tf.errors.InvalidArgumentError` where it
  runs a graph. `tfvae.VAE` checks under XLA and on several replicas, too.

  Call arguments:
    y_true: x, `[b, *event_shape]`; integers and booleans are cast.
    y_pred: Likelihood p(x|z) that the model returns, a `tfd.Distribution` of
      batch shape `[b]`.
  """

  def __init__(self, name: str = 'negative_log_likelihood',
               check_data: bool = True, **kwargs):
    """Initializes the loss.

    Args:
      name: Name of the loss.
      check_data: Whether the first batch must be in the support.
      **kwargs: Arguments of `tf_keras.losses.Loss`.
    """
    super().__init__(name=name, **kwargs)
    self._check_data, self._num_checks = check_data, 0
    # Whether each graph has seen its first batch. One variable serves all, as
    # a `tf.function` makes none after its first trace.
    self._is_checked = tf.Variable(
        tf.zeros([_MAX_GRAPHS], tf.bool), trainable=False, name='is_checked')

  def get_config(self) -> dict[str, Any]:
    """Returns the settings as plain data."""
    return super().get_config() | {'check_data': self._check_data}

  def __call__(self, y_true: tf.Tensor, y_pred: tfd.Distribution,
               sample_weight: tf.Tensor | None = None) -> tf.Tensor:
    """Returns the reduced loss of a batch; see `tf_keras.losses.Loss`.

    Raises:
      ValueError: If there are sample weights: Keras hands them to the loss, and
        the KL, a regularizer, would stay unweighted. Class weights and masks
        arrive as sample weights too.
    """
    if sample_weight is not None:
      raise ValueError(
          'NegativeLogLikelihood takes no weights: they would weigh the '
          'reconstruction and not the KL, and the loss would not be the ELBO. '
          'Leave out `sample_weight`, `class_weight` and masks, and compile '
          'the model again; to weigh examples, repeat them. '
          f'Received: sample_weight={sample_weight!r}')
    # Loss and gradient wait for the check, as they need x.
    with tf.control_dependencies(self._checks(y_true, y_pred)):
      return super().__call__(tf.identity(y_true), y_pred)

  def _checks(self, y_true: Any, y_pred: Any) -> list[tf.Tensor]:
    """Returns tensors whose computation checks the first batch that is seen."""
    likelihood = getattr(y_pred, '_tfp_distribution', y_pred)
    likelihood = getattr(likelihood, 'tensor_distribution', likelihood)
    layer = getattr(likelihood, 'likelihood_class', None)
    number, strategy = self._num_checks, tf.distribute.get_strategy()
    if layer is None or not self._check_data or number >= _MAX_GRAPHS or (
        strategy.num_replicas_in_sync > 1):
      return []
    if tf.executing_eagerly():
      if not number:
        layer.check_data(np.asarray(y_true),
                         allow_missing=likelihood.allow_missing)
        self._num_checks = 1
      return []
    self._num_checks += 1
    x = tf.cast(y_true, likelihood.dtype)
    is_valid = is_inside(x, layer.support)
    if likelihood.allow_missing:
      is_valid |= tf.math.is_nan(x)

    def check():
      kind = SUPPORTS[layer.support]
      with tf.control_dependencies([tf.debugging.Assert(
          tf.reduce_all(is_valid),
          [f'{layer.__name__} takes {kind.description}, and the first batch '
           f'has other values; {layer.__name__}.check_data(x) names the first '
           'and a remedy. NegativeLogLikelihood(check_data=False) switches '
           'this check off.'])]):
        self._is_checked[number].assign(True)
        return tf.constant(True)

    return [tf.cond(self._is_checked[number], lambda: tf.constant(True), check)]

  def call(self, y_true: tf.Tensor, y_pred: tfd.Distribution) -> tf.Tensor:
    """Returns −log p(x|z) of each example, shape `[b]`.

    Raises:
      ValueError: If `y_pred` is no distribution, or the shape of `y_true` is
        not that of the likelihood's draws, which would broadcast silently.
    """
    return -log_likelihood(y_true, y_pred)


def log_likelihood(x: tf.Tensor, likelihood: tfd.Distribution) -> tf.Tensor:
  """Returns log p(x|z) of each example, `[b]`, in nats.

  Args:
    x: Data, `[b, *event_shape]`; integers and booleans are cast.
    likelihood: p(x|z), batch shape `[b]`.

  Raises:
    ValueError: If `likelihood` is no distribution, or the shape of x is not
      that of its draws, which would broadcast silently.
  """
  x, likelihood = _checked(x, likelihood)
  return likelihood.log_prob(x)


def log_likelihood_of_elements(x: tf.Tensor,
                               likelihood: tfd.Distribution) -> tf.Tensor:
  """Returns log p(x_d|z) of each element, the summands of `log_likelihood`.

  Args:
    x: Data, `[b, *event_shape]`; integers and booleans are cast.
    likelihood: p(x|z) = Π_d p(x_d|z), batch shape `[b]`, that a layer of
      `tfvae.layers` emits.

  Returns:
    A tensor in nats, `[b, *event_shape]`; 0 where a value is missing.

  Raises:
    ValueError: As `log_likelihood` does, and if the likelihood has no summand
      for each element.
  """
  x, likelihood = _checked(x, likelihood)
  likelihood = getattr(likelihood, 'tensor_distribution', likelihood)
  if hasattr(likelihood, 'log_prob_of_elements'):
    return likelihood.log_prob_of_elements(x)
  elements = elements_of(likelihood)
  if elements is None:
    raise ValueError(
        'Log p(x|z) has a summand for each element only where the elements are '
        'independent: a tfd.Independent, or a distribution with the method '
        f'log_prob_of_elements. Received: likelihood={likelihood}')
  return elements.log_prob(x)


def _checked(x: tf.Tensor, likelihood: tfd.Distribution
             ) -> tuple[tf.Tensor, tfd.Distribution]:
  """Returns x in the dtype of a distribution, which has its shape."""
  received, likelihood = likelihood, getattr(
      likelihood, '_tfp_distribution', likelihood)
  if not isinstance(likelihood, tfd.Distribution):
    raise ValueError(
        'The log-likelihood needs a model that ends in a distribution layer, '
        'such as tfvae.layers.IndependentBernoulli. Received: '
        f'y_pred={received!r}')
  x = tf.cast(x, likelihood.dtype)
  expected = likelihood.batch_shape.concatenate(likelihood.event_shape)
  if x.shape.rank != expected.rank or not x.shape.is_compatible_with(
      expected):
    raise ValueError(
        'The data must have the batch and event shape of the likelihood. '
        f'Received: y_true.shape={x.shape}, likelihood batch and event '
        f'shape={expected}')
  return x, likelihood
