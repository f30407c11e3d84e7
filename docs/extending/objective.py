"""An objective of your own: the Rényi bound, in one file.

Importing the file registers it; `--objective=renyi` and
`compile(objective='renyi')` then work like the built-in ones.
"""

import os
from typing import Any

import tensorflow as tf
import tf_keras

from tfvae.inference import LatentVariableModel
from tfvae.layers import SeededSample
from tfvae.objectives import Objective
from tfvae.objectives import OBJECTIVES
from tfvae.registry import Setting


@OBJECTIVES.register(
    'renyi',
    alpha=Setting('renyi_alpha', 0.5, 'order α of the Rényi bound', below=1),
    num_samples=Setting(
        'renyi_samples', 5, 'samples K of the Rényi bound', at_least=1))
@tf_keras.saving.register_keras_serializable(package='extending')
class Renyi(Objective):
  """The Rényi bound of order α, estimated with K draws of the posterior.

    L_α(x) = 1 / (1 − α) log (1/K) Σ_k w_k^(1 − α),
    w_k = p(x|z_k) p(z_k) / q(z_k|x),

  with z_k ~ q(z|x); Li and Turner, Rényi Divergence Variational Inference,
  2016. α = 0 is the importance-weighted bound; α → 1 is the ELBO.
  """

  uses_kl_penalty = False
  uses_kl_schedule = False

  def __init__(self, alpha: float = 0.5, num_samples: int = 5):
    """Initializes the objective.

    Args:
      alpha: Order α, below 1.
      num_samples: Number of draws K, at least 1.
    """
    self.alpha, self.num_samples = alpha, num_samples

  def __call__(self, model: LatentVariableModel, inputs: Any, target: tf.Tensor,
               seed: tf.Tensor, kl_factor: Any,
               training: bool) -> dict[str, tf.Tensor]:
    """Returns −L_α and the parts of the ELBO, `[b]` each, in nats."""
    inference = model.infer(
        inputs, SeededSample(seed, self.num_samples), training)
    log_likelihood = model.log_likelihood(
        inference.latents, target, inputs, training)
    log_weights = log_likelihood + inference.log_ratio()  # log w_k, [K, b]
    mean_power = tf.reduce_logsumexp(
        (1 - self.alpha) * log_weights, axis=0) - tf.math.log(
            float(self.num_samples))
    return {'objective': -mean_power / (1 - self.alpha)
            } | inference.elbo_parts(log_likelihood).per_example()

  def get_config(self) -> dict[str, Any]:
    """Returns the arguments, with which Keras saves and loads the objective."""
    return {'alpha': self.alpha, 'num_samples': self.num_samples}


def main(workdir: str, **settings: Any) -> dict[str, Any]:
  """Trains, evaluates and saves a model, and loads it with its objective.

  Args:
    workdir: Directory of the run.
    **settings: Settings in place of those below.

  Returns:
    The content of `metrics.json`.
  """
  from tfvae import training  # After the registration.
  config = training.Config(**{
      'dataset': 'digits', 'objective': 'renyi', 'renyi_alpha': 0.3,
      'latents': 'z:8', 'epochs': 20} | settings)
  metrics = training.train_and_evaluate(config, workdir)
  # The loaded model is compiled; to train on, call its `fit`.
  model = tf_keras.models.load_model(os.path.join(workdir, 'model.keras'))
  print(model.get_compile_config()['objective'])
  return metrics


if __name__ == '__main__':
  print(main('runs/renyi')['test']['elbo'], 'nats')
