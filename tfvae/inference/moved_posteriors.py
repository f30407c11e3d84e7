"""Gaussian posteriors that are moved away from those of the encoder.

An offset is added to the unconstrained parameters of a posterior, μ and log σ.
An offset of zero is the encoder's posterior, so a search over offsets contains
it; with a single latent it contains all Gaussians of the same kind.
"""

from collections.abc import Callable
from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp

from tfvae.inference.inference import Draw
from tfvae.inference.latent_variable_model import LatentVariableModel

tfb = tfp.bijectors
tfd = tfp.distributions

# From unconstrained numbers to L of Σ = L Lᵀ; the diagonal has log L_dd.
_SCALE_TRIL = tfb.FillScaleTriL(diag_bijector=tfb.Exp(), diag_shift=None)


class MovedDraw:
  """Draw from each posterior in turn, with its part of the offset added.

  Attributes:
    log_density: Sum of log q(z|x; δ) of the draws so far, `[*sample_shape, b]`;
      its gradient with respect to δ is that through the draws alone.
    posteriors: Posteriors that were drawn from, moved, in order.
  """

  def __init__(self, offset: tf.Tensor, draw: Draw):
    """Initializes the draw.

    Args:
      offset: Offset δ of the parameters of all posteriors in turn, `[b, p]`.
      draw: Function from a posterior to a draw.
    """
    self.log_density: Any = 0.0
    self.posteriors: list[tfd.Distribution] = []
    self._offset, self._draw = offset, draw

  def __call__(self, posterior: tfd.Distribution) -> tf.Tensor:
    """Returns a draw, `[*sample_shape, b, size]`."""
    size = unconstrained(posterior).shape[-1]
    offset, self._offset = self._offset[:, :size], self._offset[:, size:]
    self.posteriors.append(moved(posterior, offset))
    z = self._draw(self.posteriors[-1])
    self.log_density += moved(
        posterior, tf.stop_gradient(offset)).log_prob(z)
    return z


def is_movable(kind: type) -> bool:
  """Returns whether a class of posteriors has parameters to optimize."""
  return issubclass(
      kind, tfd.MultivariateNormalDiag | tfd.MultivariateNormalTriL)


def parameters(model: LatentVariableModel, inputs: Any,
               draw: Draw = tfd.Distribution.mean) -> tf.Tensor:
  """Returns the unconstrained parameters of q(z|x) of all latents, `[b, p]`.

  Args:
    model: Model whose posteriors are Gaussian.
    inputs: Inputs of `infer`.
    draw: Function from a posterior to the value of the latent, on which the
      parameters of its children depend.

  Raises:
    ValueError: If a posterior is not Gaussian.
  """
  found = []

  def record(posterior):
    found.append(unconstrained(posterior))
    return draw(posterior)

  model.draw_posterior(inputs, record)
  return tf.concat(found, axis=-1)


def log_ratio(model: LatentVariableModel, inputs: Any,
              x: Any) -> Callable[[tf.Tensor, Draw], tf.Tensor]:
  """Returns the function (δ, draw) -> log p(x, z) − log q(z|x; δ).

  Its mean is the ELBO of the moved posterior, in nats. Its gradient omits the
  score of q, whose mean is zero, so that its variance vanishes where q is the
  exact posterior; Roeder, Wu and Duvenaud, Sticking the Landing, 2017.

  Args:
    model: Model whose posteriors are Gaussian.
    inputs: Inputs of `infer`; y is complete.
    x: Target of p(x|z), `[b, *event_shape]`.
  """
  _, posteriors = model.draw_posterior(inputs, tfd.Distribution.mean)

  def of(offset, draw):
    draw = MovedDraw(offset, draw)
    # A single posterior is the same at every step: the encoder need not run.
    latents = (model.draw_posterior(inputs, draw)[0] if len(posteriors) > 1
               else {name: draw(q) for name, q in posteriors.items()})
    return (model.log_likelihood(latents, x, inputs)
            + model.log_prior(latents, inputs)
            + model.log_label(latents, inputs) - draw.log_density)

  return of


def unconstrained(posterior: tfd.Distribution) -> tf.Tensor:
  """Returns μ and log σ, or μ and L's, `[..., p]`; zeros for N(0, I).

  Raises:
    ValueError: If the posterior is not Gaussian.
  """
  if isinstance(posterior, tfd.MultivariateNormalDiag):
    scale = tf.math.log(posterior.stddev())
  elif isinstance(posterior, tfd.MultivariateNormalTriL):
    scale = _SCALE_TRIL.inverse(posterior.scale.to_dense())
  else:
    raise ValueError(
        'A search for better posteriors, as in the inference gaps and in '
        'refinement, needs Gaussian posteriors, tfd.MultivariateNormalDiag or '
        'tfd.MultivariateNormalTriL; for others compare the ELBO with '
        f'log p(x). Received: posterior={posterior}')
  return tf.concat([posterior.mean(), scale], axis=-1)


def moved(posterior: tfd.Distribution, offset: tf.Tensor) -> tfd.Distribution:
  """Returns the posterior with δ added to its unconstrained parameters."""
  size = posterior.event_shape[0]
  loc, scale = tf.split(
      unconstrained(posterior) + offset,
      [size, offset.shape[-1] - size], axis=-1)
  if isinstance(posterior, tfd.MultivariateNormalDiag):
    return posterior.copy(loc=loc, scale_diag=tf.exp(scale))
  return posterior.copy(loc=loc, scale_tril=_SCALE_TRIL.forward(scale))


def natural_direction(posterior: tfd.Distribution, gradient: tf.Tensor,
                      limit: float) -> tf.Tensor:
  """Returns the natural gradient of the unconstrained parameters.

  It is F⁻¹ ∇ with F the Fisher information of the posterior: σ² ∇_μ and
  ½ ∇_log σ. For a Cholesky factor L it is L Lᵀ ∇_μ and L M, where M is the
  lower triangle of Lᵀ ∇_L with half of its diagonal. Near the optimum, a step
  of size 1 is one of Newton's method for μ. Amari, Natural Gradient Works
  Efficiently in Learning, 1998.

  Args:
    posterior: Gaussian posterior at which the gradient was computed.
    gradient: Gradient of μ and log σ, or of μ and L's, `[b, p]`.
    limit: Largest component of the direction, in standard deviations for μ,
      and of log σ or M.
  """
  def limited(values):
    return tf.clip_by_value(values, -limit, limit)

  size = posterior.event_shape[0]
  of_loc, of_scale = tf.split(
      gradient, [size, gradient.shape[-1] - size], axis=-1)
  if isinstance(posterior, tfd.MultivariateNormalDiag):
    sigma = posterior.stddev()
    return tf.concat(
        [sigma * limited(sigma * of_loc), limited(0.5 * of_scale)], axis=-1)
  tril = posterior.scale.to_dense()
  diagonal = tf.linalg.diag_part(tril)
  of_tril = tfp.math.fill_triangular(of_scale)  # Of log L_dd on the diagonal.
  of_tril = tf.linalg.set_diag(
      of_tril, tf.linalg.diag_part(of_tril) / diagonal)
  move = tf.linalg.matmul(tril, of_tril, transpose_a=True)
  move = tf.linalg.set_diag(move, 0.5 * tf.linalg.diag_part(move))
  move = limited(tf.linalg.band_part(move, -1, 0))
  return tf.concat([
      tf.linalg.matvec(tril, limited(
          tf.linalg.matvec(tril, of_loc, transpose_a=True))),
      tfp.math.fill_triangular_inverse(tf.linalg.set_diag(
          tf.linalg.matmul(tril, move), tf.linalg.diag_part(move)))], axis=-1)
