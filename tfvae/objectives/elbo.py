"""The ELBO, the default objective."""

from typing import Any

import tensorflow as tf
import tf_keras

from tfvae.inference import LatentVariableModel
from tfvae.layers import SeededSample
from tfvae.objectives.objective import Objective
from tfvae.objectives.objective import OBJECTIVES


@OBJECTIVES.register('elbo')
@tf_keras.saving.register_keras_serializable(package='tfvae')
class ELBO(Objective):
  """The evidence lower bound, with the KL as the regularizers weigh it.

    E_q[log p(x|z)] − kl_factor · Σ_j penalty(KL_j),

  with one draw of z for each example. Without KL weights, free bits, capacities
  and a KL schedule it is ELBO(x) = E_q[log p(x|z)] − KL(q(z|x) ‖ p(z)); Kingma
  and Welling, Auto-Encoding Variational Bayes, 2014.
  """

  def __call__(self, model: LatentVariableModel, inputs: Any, target: tf.Tensor,
               seed: tf.Tensor, kl_factor: Any,
               training: bool) -> dict[str, tf.Tensor]:
    """Returns −ELBO with the penalty, and the ELBO's parts; see `Objective`."""
    inference = model.infer(inputs, SeededSample(seed), training)
    log_likelihood = model.log_likelihood(
        inference.latents, target, inputs, training)
    # −E_q[log p(x|z)] + Σ_j penalty(KL_j)
    objective = kl_factor * model.kl_penalty(inference) - log_likelihood
    return {'objective': objective} | inference.elbo_parts(
        log_likelihood).per_example()

  def get_config(self) -> dict[str, Any]:
    """Returns no arguments; there are none."""
    return {}
