"""The standard normal prior of Kingma and Welling, 2014."""

import tensorflow as tf
import tensorflow_probability as tfp
import tf_keras

from tfvae.layers.posteriors.multivariate_normal_diag import NormalDiag
from tfvae.priors.prior import Prior
from tfvae.priors.prior import PRIORS

tfd = tfp.distributions


@PRIORS.register('standard_normal')
@tf_keras.saving.register_keras_serializable(package='tfvae')
class StandardNormal(Prior):
  """p(z) = N(z; 0, I), which has no parameters."""

  def distribution(self) -> tfd.MultivariateNormalDiag:
    """Returns N(0, I): batch shape `[]`, event shape `[event_size]`."""
    zeros = tf.zeros([self.event_size], self.compute_dtype)
    return NormalDiag(zeros, tf.ones_like(zeros))
