"""The InfoVAE objective, and the maximum mean discrepancy that it uses."""

import math
from typing import Any

import tensorflow as tf
import tf_keras

from tfvae.inference import LatentVariableModel
from tfvae.layers import SeededSample
from tfvae.objectives.objective import Objective
from tfvae.objectives.objective import OBJECTIVES
from tfvae.registry import Setting

# Functions of s, the squared distance divided by its mean for two standard
# normals.
KERNELS = {
    'imq': lambda s: 1.0 / (1.0 + s),  # Inverse multiquadratic.
    'rbf': lambda s: tf.exp(-s),
}


@OBJECTIVES.register(
    'info_vae',
    alpha=Setting(
        'info_alpha', 0.0, 'α of info_vae: the KL has the weight 1 - α; 1 '
        'leaves it out', at_most=1),
    lambda_=Setting(
        'info_lambda', 100.0, 'λ of info_vae: the MMD, some thousandths of a '
        'nat, has the weight α + λ - 1'),
    kernel=Setting(
        'mmd_kernel', 'imq', 'kernel of the MMD of info_vae: inverse '
        'multiquadratic or Gaussian', choices=tuple(KERNELS)),
    bandwidth=Setting(
        'mmd_bandwidth', 1.0, 'bandwidth of that kernel, in units of the '
        'distance between two standard normals', above=0))
@tf_keras.saving.register_keras_serializable(package='tfvae')
class InfoVAE(Objective):
  """The ELBO with a penalty on the aggregate posterior's distance to the prior.

    E[log p(x|z)] − (1 − α) KL(q(z|x) ‖ p(z)) − (α + λ − 1) MMD²(q(z), p(z)),

  where q(z) is the mean of q(z|x) over the data; Zhao, Song and Ermon,
  InfoVAE, 2019. α = 1 leaves the KL out (MMD-VAE); α = 0, λ = 1 is the ELBO. A
  KL schedule multiplies the KL alone; KL weights, free bits and capacities
  have no effect, and `compile` raises for them.

  MMD² is the `maximum_mean_discrepancy` between the minibatch's draws, all
  latents together, and as many draws of the prior; it is the same for each
  example. It is unbiased at any batch size and 0 for a single example. With
  several replicas, each uses its own examples. Its gradient reaches a learned
  prior only through reparameterized draws.
  """

  uses_kl_penalty = False
  compares_examples = True

  def __init__(self, alpha: float, lambda_: float, kernel: str = 'imq',
               bandwidth: float = 1.0):
    """Initializes the objective.

    Args:
      alpha: α, at most 1.
      lambda_: λ, at least 1 − α.
      kernel: 'imq', the inverse multiquadratic, or 'rbf', the Gaussian.
      bandwidth: Bandwidth of the kernel; see `maximum_mean_discrepancy`.

    Raises:
      ValueError: If a value is out of range.
    """
    if not -math.inf < alpha <= 1:
      raise ValueError('`alpha` must be finite and at most 1, since the KL has '
                       f'the weight 1 - α. Received: alpha={alpha}')
    if not 0 <= alpha + lambda_ - 1 < math.inf:
      raise ValueError(
          '`lambda_` must be finite and at least 1 - α, since the MMD has the '
          'weight α + λ - 1. Received: '
          f'lambda_={lambda_}, alpha={alpha}')
    _check_kernel(kernel, bandwidth)
    self.alpha, self.lambda_ = float(alpha), float(lambda_)
    self.uses_kl_schedule = self.alpha < 1  # α = 1 leaves no KL.
    self.kernel, self.bandwidth = kernel, float(bandwidth)

  def __call__(self, model: LatentVariableModel, inputs: Any, target: tf.Tensor,
               seed: tf.Tensor, kl_factor: Any,
               training: bool) -> dict[str, tf.Tensor]:
    """Returns the objective and the ELBO's parts; see `Objective`."""
    inference = model.infer(inputs, SeededSample(seed), training)
    log_likelihood = model.log_likelihood(
        inference.latents, target, inputs, training)
    parts = inference.elbo_parts(log_likelihood).per_example()
    # The draws of the latents have the seeds 0, 1, …; this is the next one.
    prior_seed = tf.random.experimental.stateless_fold_in(
        tf.cast(seed, tf.int32), len(inference.latents), alg='philox')
    names = list(inference.latents)
    prior_draws = model.sample_prior(
        tf.size(log_likelihood), prior_seed, inputs)
    mmd = maximum_mean_discrepancy(
        tf.concat([inference.latents[name] for name in names], axis=-1),
        tf.concat([prior_draws[name] for name in names], axis=-1),
        self.kernel, self.bandwidth)
    # −E log p(x|z) + (1 − α) KL + (α + λ − 1) MMD²
    objective = (kl_factor * (1 - self.alpha) * parts['kl']
                 + (self.alpha + self.lambda_ - 1) * mmd - log_likelihood)
    return {'objective': objective} | parts

  def get_config(self) -> dict[str, Any]:
    """Returns the settings as plain data."""
    return {'alpha': self.alpha, 'lambda_': self.lambda_,
            'kernel': self.kernel, 'bandwidth': self.bandwidth}


def maximum_mean_discrepancy(x: tf.Tensor, y: tf.Tensor, kernel: str = 'imq',
                             bandwidth: float = 1.0) -> tf.Tensor:
  """Estimates MMD² of two distributions from n draws of each.

    MMD² = E[k(x, x') + k(y, y') − k(x, y') − k(x', y)],
    k = 1 / (1 + s) or exp(−s),  s = |x − x'|² / (2 d h²),

  by the mean over all pairs of different draws, which is unbiased and can
  therefore be negative: Gretton et al., A Kernel Two-Sample Test, 2012, lemma
  6. 2 d is the mean of |x − x'|² for standard normals.

  Args:
    x: Draws, `[n, d]`.
    y: Draws of the other distribution, `[n, d]`.
    kernel: 'imq', the inverse multiquadratic, or 'rbf', the Gaussian.
    bandwidth: Bandwidth h, above 0.

  Returns:
    A scalar; 0 for n below 2.

  Raises:
    ValueError: If the kernel is unknown, the bandwidth is out of range, or the
      shapes differ.
  """
  _check_kernel(kernel, bandwidth)
  if not x.shape.is_compatible_with(y.shape):
    raise ValueError('`x` and `y` must have the same shape. Received: '
                     f'x.shape={x.shape}, y.shape={y.shape}')
  unit = 2.0 * x.shape[-1] * bandwidth**2

  def similarity(a, b):
    return KERNELS[kernel](tf.reduce_sum(
        tf.math.squared_difference(a[:, tf.newaxis], b), axis=-1) / unit)

  cross = similarity(x, y)
  pairs = similarity(x, x) + similarity(y, y) - cross - tf.transpose(cross)
  count = tf.cast(tf.shape(x)[0], pairs.dtype)
  total = tf.reduce_sum(pairs) - tf.linalg.trace(pairs)
  return tf.math.divide_no_nan(total, count * (count - 1))


def _check_kernel(kernel: str, bandwidth: float):
  if kernel not in KERNELS:
    raise ValueError(f'`kernel` must be one of {sorted(KERNELS)}. Received: '
                     f'kernel={kernel!r}')
  if not 0 < bandwidth < math.inf:
    raise ValueError('`bandwidth` must be finite and above 0. Received: '
                     f'bandwidth={bandwidth}')
