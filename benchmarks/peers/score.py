"""Evaluator of all peers: the bound that they train, in float64 NumPy."""

from collections.abc import Callable

import numpy as np

_BATCH_SIZE = 500
# Number of test images with many draws each.
_IMPORTANCE_IMAGES = 1000


def score(
    images: np.ndarray,
    posterior: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]],
    logits: Callable[[np.ndarray], np.ndarray],
    num_samples: int = 1,
) -> dict[str, float]:
  """Returns the negative bound and the KL, in mean nats per image.

    −ELBO(x) = KL(q(z|x) ‖ N(0, 1)) − log p(x|z),  one z ~ q(z|x) per image,
    −L_K(x) = −log (1/K) Σ_k p(x|z_k) p(z_k) / q(z_k|x)  for K > 1, on the
    first 1000 images.

  Args:
    images: Binary images, `[n, ...]`.
    posterior: Function from images to the mean of q(z|x), `[b, d]`, and its
      scale: standard deviations `[b, d]`, or a lower triangular L `[b, d, d]`.
    logits: Function from z, `[b, d]`, to the logits of p(x|z), `[b, ...]`.
    num_samples: K, the number of draws per image.
  """
  rng, bounds, divergences = np.random.default_rng(1), [], []
  if num_samples > 1:
    images = images[:_IMPORTANCE_IMAGES]
  for start in range(0, len(images), _BATCH_SIZE):
    x = images[start:start + _BATCH_SIZE]
    loc, scale = (np.asarray(part, np.float64) for part in posterior(x))
    if scale.ndim == 2:
      scale = scale[..., np.newaxis] * np.eye(scale.shape[-1])
    log_det = np.log(np.abs(np.diagonal(scale, axis1=1, axis2=2))).sum(-1)
    # KL = ½ (tr L Lᵀ + |μ|² − d) − log det L
    kl = 0.5 * ((scale**2).sum((1, 2)) + (loc**2 - 1).sum(-1)) - log_det
    log_weights = []
    for _ in range(num_samples):
      noise = rng.standard_normal(loc.shape)
      z = loc + (scale @ noise[..., np.newaxis])[..., 0]
      likelihood = _log_bernoulli(x, logits(np.float32(z)))
      # log w = log p(x|z) + log p(z) − log q(z|x); ½ log 2π cancels.
      log_weights.append(likelihood - kl if num_samples == 1 else (
          likelihood + 0.5 * (noise**2 - z**2).sum(-1) + log_det))
    bounds.append(np.logaddexp.reduce(log_weights) - np.log(num_samples))
    divergences.append(kl)
  return {'negative_bound': -float(np.concatenate(bounds).mean()),
          'kl': float(np.concatenate(divergences).mean())}


def _log_bernoulli(x: np.ndarray, logits: np.ndarray) -> np.ndarray:
  """Returns Σ x l − log(1 + eˡ), `[b]`."""
  x, logits = (np.asarray(part, np.float64).reshape(len(x), -1)
               for part in (x, logits))
  return (x * logits - np.logaddexp(0, logits)).sum(-1)
