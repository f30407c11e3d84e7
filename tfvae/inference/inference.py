"""Draws from the posterior, their densities, and the parts of the ELBO."""

from collections.abc import Callable, Mapping
import dataclasses
import functools
import operator
from typing import Any, NamedTuple

import tensorflow as tf
import tensorflow_probability as tfp

tfd = tfp.distributions

# Function from a posterior or a prior to a draw from it, or to its mean.
Draw = Callable[[tfd.Distribution], tf.Tensor]


class ElboParts(NamedTuple):
  """Parts of the ELBO at draws of z, in nats: elbo = reconstruction − kl.

  The fields are tensors or arrays, and `tf.nest` maps over them.

  Attributes:
    reconstruction: Values of log p(x|z), `[*sample_shape, b]`.
    kl_by_latent: KL(q_j ‖ p_j), or its estimate at the draw, by name;
      `[*sample_shape, b]`, or `[b]` where it is the same at each draw.
  """

  reconstruction: Any
  kl_by_latent: Mapping[str, Any]

  @property
  def kl(self) -> Any:
    """Σ_j KL_j."""
    return functools.reduce(operator.add, self.kl_by_latent.values())

  @property
  def elbo(self) -> Any:
    """Log p(x|z) − Σ_j KL_j."""
    return self.reconstruction - self.kl

  def per_example(self) -> dict[str, tf.Tensor]:
    """Returns 'elbo', 'reconstruction' and 'kl', means over draws, `[b]`."""
    parts = tf.nest.map_structure(_mean_over_draws, self)
    return {'elbo': parts.elbo, 'reconstruction': parts.reconstruction,
            'kl': parts.kl}


@dataclasses.dataclass(frozen=True)
class Inference:
  """Latents z_j ~ q(z_j|Pa_q(z_j)), with their posteriors and priors.

  Attributes:
    latents: Draws by name, `[*sample_shape, b, size]`.
    posteriors: q(z_j|Pa_q(z_j)) given the drawn parents, by name.
    priors: p(z_j|Pa_p(z_j)) given the drawn parents, by name.
    kl: KL(q_j ‖ p_j), or its estimate at the draw, in nats, by name:
      `[*sample_shape, b]`, or `[b]` where it is the same at each draw. See
      `GraphicalModel.allows_exact_kl`. Where the graph infers the label, that
      of 'y' is among them: −log p(y|Pa_p(y)) of a given y, and
      log q(c|Pa_q(y)) − log p(c|Pa_p(y)) of each class c otherwise.
    log_label: Values of log p(y|Pa_p(y)), in nats, where the graph infers the
      label.
    classes: Classes of y, if the inference is for all of them; the sample shape
      of what depends on y then begins with their number.
    strata: Components of the mixture posterior, if there is a draw from each of
      them; the sample shape then ends with their number.
    path_log_ratio: Values of log p(z) − log q(z|x) at the draw, with another
      gradient, where `LatentVariableModel.infer_along_paths` made the draw.
  """

  latents: Mapping[str, tf.Tensor]
  posteriors: Mapping[str, tfd.Distribution]
  priors: Mapping[str, tfd.Distribution]
  kl: Mapping[str, tf.Tensor]
  log_label: tf.Tensor | None = None
  classes: Any = None
  strata: Any = None
  path_log_ratio: tf.Tensor | None = None

  def log_ratio(self) -> tf.Tensor:
    """Returns log p(z) − log q(z|x) at the draw, `[*sample_shape, b]`.

    Where the graph infers the label, it is log p(y, z) − log q(z|x, y).
    """
    ratios = [
        prior.log_prob(self.latents[name])
        - self.posteriors[name].log_prob(self.latents[name])
        for name, prior in self.priors.items()
    ] if self.path_log_ratio is None else [self.path_log_ratio]
    if self.log_label is None:
      return tf.add_n(ratios)
    # Some of them may be the same for all classes.
    return functools.reduce(operator.add, ratios) + self.log_label

  def log_weights(self, log_likelihood: tf.Tensor) -> tf.Tensor:
    """Returns log w = log p(x, z) − log q(z|x) at the draw, in nats.

    Where y is missing, w = Σ_c p(x, c, z_c) / q(z_c|x, c), whose mean is p(x)
    as well; where it is given, w is the summand of y, whose mean is p(x, y).
    With a draw from each component of a mixture, w = Σ_m π_m p(x, z_m) /
    q(z_m|x).

    Args:
      log_likelihood: Values of log p(x|z) at the draw.
    """
    return self.log_sum(self.log_ratio() + log_likelihood)

  def log_sum(self, log_values: tf.Tensor) -> tf.Tensor:
    """Returns log Σ exp(log_values) over what `log_weights` sums over.

    Args:
      log_values: Values at the draw.
    """
    parts = self._parts
    return log_values if parts is None else parts.log_sum(log_values)

  def over_classes(self, nats: tf.Tensor, event_ndims: int = 0) -> tf.Tensor:
    """Returns Σ_c w_c nats_c over classes or components, or nats without them.

    Args:
      nats: Values `[*sample_shape, b, *event_shape]`.
      event_ndims: Rank of the event shape, 0 for a value of each example.
    """
    parts = self._parts
    return nats if parts is None else parts.mean(nats, event_ndims)

  @property
  def _parts(self) -> Any:
    """Classes of y or components of a mixture, which never occur together."""
    return self.strata if self.classes is None else self.classes

  def elbo_parts(self, log_likelihood: tf.Tensor) -> ElboParts:
    """Returns the parts of the ELBO at the draw.

    Args:
      log_likelihood: Values of log p(x|z) at the draw, `[*sample_shape, b]`,
        as `LatentVariableModel.log_likelihood` returns them.
    """
    return ElboParts(
        self.over_classes(log_likelihood),
        {name: self.over_classes(kl) for name, kl in self.kl.items()})


def _mean_over_draws(nats: tf.Tensor) -> tf.Tensor:
  """Averages `[k, b]` to `[b]`; leaves `[b]` as it is."""
  return tf.reduce_mean(nats, axis=0) if nats.shape.rank > 1 else nats
