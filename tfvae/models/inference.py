"""What inference gives: draws of the latents, and their densities."""

from collections.abc import Callable, Mapping
import dataclasses

import tensorflow as tf
import tensorflow_probability as tfp

tfd = tfp.distributions

# From a posterior or a prior to a draw of it, or to its mean.
Draw = Callable[[tfd.Distribution], tf.Tensor]


@dataclasses.dataclass(frozen=True)
class Inference:
  """Latents z_j ~ q(z_j|Pa_q(z_j)) with the densities at hand there.

  Attributes:
    latents: by name, a tensor `[*sample_shape, b, size]`.
    posteriors: by name, q(z_j|Pa_q(z_j)) given the parents drawn.
    priors: by name, p(z_j|Pa_p(z_j)) given the parents drawn.
    kl: by name, KL(q_j ‖ p_j) or its estimate at the draw, in nats,
      `[*sample_shape, b]`; see `GraphicalModel.allows_exact_kl`.
  """

  latents: Mapping[str, tf.Tensor]
  posteriors: Mapping[str, tfd.Distribution]
  priors: Mapping[str, tfd.Distribution]
  kl: Mapping[str, tf.Tensor]

  def log_ratio(self) -> tf.Tensor:
    """Returns log p(z) − log q(z|x) at the draw, `[*sample_shape, b]`."""
    return tf.add_n([
        self.priors[name].log_prob(z) - self.posteriors[name].log_prob(z)
        for name, z in self.latents.items()])
