"""The reconstruction loss."""

import tensorflow as tf
import tensorflow_probability as tfp
import tf_keras

tfd = tfp.distributions


@tf_keras.saving.register_keras_serializable(package='tfvae')
class NegativeLogLikelihood(tf_keras.losses.Loss):
  """−log p(x|z), in nats per example, summed over the event.

  Beside a `tfvae.regularizers.KLDivergenceRegularizer` of weight 1 on the
  posterior, the loss that Keras minimises is exactly −ELBO(x) =
  −E_q[log p(x|z)] + KL(q(z|x) ‖ p(z)), with one draw of z for the expectation
  and the mean taken over the batch.

  Call arguments:
    y_true: x, `[b, *event_shape]`; integers and booleans are cast.
    y_pred: the likelihood p(x|z) that the model returned, a
      `tfd.Distribution` of batch shape `[b]`.
  """

  def __init__(self, name: str = 'negative_log_likelihood', **kwargs):
    """Initialises the loss. Args: those of `tf_keras.losses.Loss`."""
    super().__init__(name=name, **kwargs)

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
          'reconstruction and not the KL, which is no longer the ELBO. Leave '
          'out sample_weight, class_weight and masks, and compile the model '
          'again; to weigh examples, repeat them or draw them in proportion. '
          f'Received: sample_weight={sample_weight!r}')
    return super().__call__(y_true, y_pred)

  def call(self, y_true: tf.Tensor, y_pred: tfd.Distribution) -> tf.Tensor:
    """Returns −log p(x|z) of each example, shape `[b]`.

    Raises:
      ValueError: if `y_pred` is no distribution, or the shape of `y_true` is
        not that of the likelihood's draws, which would broadcast silently.
    """
    likelihood = getattr(y_pred, '_tfp_distribution', y_pred)
    if not isinstance(likelihood, tfd.Distribution):
      raise ValueError(
          'NegativeLogLikelihood needs a model that ends in a distribution '
          'layer, such as tfvae.layers.IndependentBernoulli. Received: '
          f'y_pred={y_pred!r}')
    x = tf.cast(y_true, likelihood.dtype)
    expected = likelihood.batch_shape.concatenate(likelihood.event_shape)
    if x.shape.rank != expected.rank or not x.shape.is_compatible_with(
        expected):
      raise ValueError(
          'NegativeLogLikelihood compares data with a likelihood of their '
          f'shape. Received: y_true.shape={x.shape}, likelihood batch and '
          f'event shape={expected}')
    return -likelihood.log_prob(x)
