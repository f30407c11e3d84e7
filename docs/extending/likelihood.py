"""A likelihood of one's own: the Laplace distribution, in one file.

Importing the file registers it; `--likelihood=laplace` and
`image_vae(likelihood='laplace')` then work like the built-in ones.
"""

import os
from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp
import tf_keras

import tfvae
from tfvae.layers import Likelihood
from tfvae.layers import LIKELIHOODS
from tfvae.layers.base.soft_bound import soft_bound

tfd = tfp.distributions


@LIKELIHOODS.register('laplace')
@tf_keras.saving.register_keras_serializable(package='extending')
class IndependentLaplace(Likelihood):
  """Emits p(x|z) = Π_d Laplace(x_d; μ_d, b_d) from μ and log b.

  log p(x|z) = −Σ_d |x_d − μ_d| / b_d + log 2 b_d, in nats. The mean is μ.
  """

  support = 'real'
  is_discrete = False
  parameters = 'locs and log scales'

  @staticmethod
  def params_per_dim() -> int:
    """Returns 2: the decoder emits μ and log b of each pixel."""
    return 2

  @staticmethod
  def element_distribution(loc: tf.Tensor,
                           log_scale: tf.Tensor) -> tfd.Distribution:
    """Returns the Laplace distribution of each pixel."""
    return tfd.Laplace(loc, tf.exp(soft_bound(log_scale, -6., 5.)))

  def keras3_mean(self, *parameters: Any, ops: Any) -> Any:
    """Returns μ. Without this method, `to_keras3` refuses the model by name."""
    del ops
    loc, _ = parameters
    return loc


def main(workdir: str, **settings: Any) -> dict[str, Any]:
  """Trains, evaluates, reports, saves, exports and converts a model.

  Args:
    workdir: Directory of the run.
    **settings: Settings in place of those below.

  Returns:
    The content of `metrics.json`.
  """
  from tfvae import training  # After the registration.
  config = training.Config(**{
      'dataset': 'digits', 'likelihood': 'laplace', 'latents': 'z:8',
      'epochs': 20} | settings)
  metrics = training.train_and_evaluate(config, workdir)
  model = tf_keras.models.load_model(os.path.join(workdir, 'model.keras'))
  tfvae.serving.to_keras3(model).save(os.path.join(workdir, 'keras3'))
  return metrics


if __name__ == '__main__':
  print(main('runs/laplace')['test']['elbo'], 'nats')
