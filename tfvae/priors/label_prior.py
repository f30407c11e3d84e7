"""Prior of a label: a categorical distribution with learned probabilities."""

import tensorflow as tf
import tensorflow_probability as tfp
import tf_keras

from tfvae.priors.prior import Prior

tfd = tfp.distributions


@tf_keras.saving.register_keras_serializable(package='tfvae')
class LabelPrior(Prior):
  """p(y; θ) = Π_c π_c^{y_c} with π = softmax(θ), initially uniform.

  It is the factor `y` without parents of a graph that infers its label; Kingma
  et al., Semi-supervised Learning with Deep Generative Models, 2014, where it
  is uniform. It is no prior of a latent z.
  """

  def __init__(self, event_size: int | None = None, **kwargs):
    """Initializes the prior.

    Args:
      event_size: Number of classes, at least 1; None for a template.
      **kwargs: Arguments of `Prior` and `tf_keras.layers.Layer`.

    Raises:
      ValueError: If `event_size` is not a positive integer.
    """
    super().__init__(event_size, **kwargs)
    if event_size is not None:
      self.logits = self.add_weight(
          'logits', [event_size], initializer='zeros')

  def distribution(self) -> tfd.OneHotCategorical:
    """Returns p(y; θ): batch shape `[]`, event shape `[event_size]`."""
    return tfd.OneHotCategorical(
        logits=tf.convert_to_tensor(self.logits), dtype=self.compute_dtype)
