"""The ELBO with a gradient that has no score of q."""

from typing import Any

import tensorflow as tf
import tf_keras

from tfvae.inference import LatentVariableModel
from tfvae.inference import StratifiedSample
from tfvae.objectives.objective import Objective
from tfvae.objectives.objective import OBJECTIVES


@OBJECTIVES.register('stl')
@tf_keras.saving.register_keras_serializable(package='tfvae')
class StickingTheLanding(Objective):
  """The ELBO, with the gradient of its path derivatives.

    E_q[log p(x|z) + kl_factor · (log p(z) − log q(z|x))],

  estimated at one draw z = T(ε; φ) for each example, with the gradient

    ∂/∂z [log p(x|z) + kl_factor · (log p(z) − log q(z|x))] · dT/dφ

  with respect to φ: Roeder, Wu and Duvenaud, Sticking the Landing, 2017. It
  lacks the score of q, whose mean is zero. Where q(z|x) = p(z|x), it is zero at
  each draw, and that of `ELBO` on average only. Far from there, an exact KL can
  have less variance. A `VampPrior` adds kl_factor · ∂log p(z; φ)/∂φ. For a
  mixture posterior Σ_m π_m q_m, the value is the mean Σ_m π_m of that at a draw
  of each component, whose gradient with respect to π is exact given the draws.

  A KL schedule multiplies the log-ratio, and the gradient remains unbiased. KL
  weights, free bits and capacities have no effect, and `compile` raises for
  them. The reported ELBO is the ordinary one, with exact KLs where there are
  any. Without a schedule and a mixture,
  `ImportanceWeighted(1, doubly_reparameterized=True)` is the same.
  """

  uses_kl_penalty = False
  stratifies = True

  def __call__(self, model: LatentVariableModel, inputs: Any, target: tf.Tensor,
               seed: tf.Tensor, kl_factor: Any,
               training: bool) -> dict[str, tf.Tensor]:
    """Returns −ELBO at the draw, and the ELBO's parts; see `Objective`."""
    inference = model.infer_along_paths(
        inputs, StratifiedSample(seed), training)
    log_likelihood = model.log_likelihood(
        inference.latents, target, inputs, training)
    value = inference.over_classes(
        log_likelihood + kl_factor * inference.log_ratio())
    return {'objective': -value} | inference.elbo_parts(
        log_likelihood).per_example()

  def get_config(self) -> dict[str, Any]:
    """Returns no settings."""
    return {}
