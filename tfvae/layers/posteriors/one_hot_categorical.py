"""Layer of a categorical distribution over one-hot labels."""

import tensorflow as tf
import tensorflow_probability as tfp
import tf_keras

from tfvae.layers.base.posterior import Posterior

tfd = tfp.distributions


@tf_keras.saving.register_keras_serializable(package='tfvae')
class OneHotCategorical(Posterior):
  """Emits the distribution of a label y given logits.

    log q(y|Pa(y)) = Σ_c y_c log softmax(logits)_c, in nats,

  of a one-hot y. It is the head of the factors q(y|Pa_q(y)) and p(y|Pa_p(y)) of
  a graph that infers its label, not a family for z: its draws have no
  reparameterized gradient. The ELBO sums over the classes instead; see
  `LatentVariableModel.infer_classes`.

  Call arguments:
    params: Logits, float tensor `[..., classes]`.

  Returns, when called:
    A `tfd.OneHotCategorical` of float32 draws, batch shape `[...]`, event shape
    `[classes]`.
  """

  @classmethod
  def new(cls, params: tf.Tensor, event_size: int) -> tfd.OneHotCategorical:
    """Returns the distribution of logits, `[..., classes]`."""
    params = tf.convert_to_tensor(params)
    if params.shape[-1] != event_size:
      raise ValueError(
          f'{cls.__name__} takes a logit for each class. Received: '
          f'params.shape={params.shape}, event_size={event_size}')
    return tfd.OneHotCategorical(logits=params, dtype=params.dtype)

  @staticmethod
  def params_size(event_size: int) -> int:
    """Returns the number of logits, `event_size`."""
    return event_size
