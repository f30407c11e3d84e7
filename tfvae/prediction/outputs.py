"""Groups of columns that a prediction writes, and what they are computed from.

An output registers itself:

```python
@OUTPUTS.register('reconstruction')
class Reconstruction(Output):
  signatures = ('reconstruct',)

  def columns(self, call, latents):
    return {'reconstruction': call('reconstruct')['mean']}
```
"""

from collections.abc import Callable, Mapping, Sequence
import dataclasses
from typing import ClassVar

import numpy as np

from tfvae.registry import Registry
from tfvae.registry import Setting

OUTPUTS = Registry('outputs')

# Function from the name of a signature, and perhaps the number of a draw, to
# the outputs of the signature for a batch.
Call = Callable[..., Mapping[str, np.ndarray]]


class Output:
  """A group of columns.

  Attributes:
    signatures: Names of the signatures that `columns` calls.
  """

  signatures: ClassVar[tuple[str, ...]] = ()

  def columns(self, call: Call,
              latents: Sequence[str]) -> dict[str, np.ndarray]:
    """Returns the values of a batch by column, `[b]` or `[b, ...]`.

    Args:
      call: Function that calls a signature.
      latents: Names of the latents.
    """
    raise NotImplementedError


@OUTPUTS.register('posterior')
class Posterior(Output):
  """Mean and standard deviation of q(z|x), each latent at its parents' means.

  The columns are `z_mean` and `z_stddev`, with the name of the latent.
  """

  signatures = ('encode',)

  def columns(self, call: Call,
              latents: Sequence[str]) -> dict[str, np.ndarray]:
    """Returns the moments of each latent, `[b, size]`."""
    return _moments(call('encode'), latents)


@OUTPUTS.register('refined')
class Refined(Output):
  """Mean and standard deviation after refinement, and what it gained.

  The columns are those of `posterior`, and `gain`, the increase of the ELBO in
  nats.
  """

  signatures = ('refine',)

  def columns(self, call: Call,
              latents: Sequence[str]) -> dict[str, np.ndarray]:
    """Returns the moments of each latent, `[b, size]`, and `gain`, `[b]`."""
    found = call('refine')
    return _moments(found, latents) | {'gain': found['gain']}


@OUTPUTS.register('draws', num_draws=Setting(
    'num_draws', 1, 'draws of z for each example of `outputs=draws`',
    at_least=1))
@dataclasses.dataclass(frozen=True)
class Draws(Output):
  """Draws z ~ q(z|x), `z_draws`, one after the other.

  Attributes:
    num_draws: Number of draws of each example.
  """

  num_draws: int = 1

  signatures = ('sample_posterior',)

  def columns(self, call: Call,
              latents: Sequence[str]) -> dict[str, np.ndarray]:
    """Returns the draws of each latent, `[b, num_draws, size]`."""
    draws = [call('sample_posterior', draw) for draw in range(self.num_draws)]
    return {f'{name}_draws': np.stack([drawn[name] for drawn in draws], axis=1)
            for name in latents}


@OUTPUTS.register('elbo')
class Elbo(Output):
  """The ELBO and its parts at a draw z ~ q(z|x), in nats."""

  signatures = ('score',)

  def columns(self, call: Call,
              latents: Sequence[str]) -> dict[str, np.ndarray]:
    """Returns `elbo`, `reconstruction` and `kl`, `[b]`."""
    del latents
    outputs = call('score')
    return {name: outputs[name] for name in ('elbo', 'reconstruction', 'kl')}


@OUTPUTS.register('log_likelihood')
class LogLikelihood(Output):
  """Estimate of log p(x) by importance samples, in nats, and their quality."""

  signatures = ('log_likelihood',)

  def columns(self, call: Call,
              latents: Sequence[str]) -> dict[str, np.ndarray]:
    """Returns `log_likelihood` and `effective_sample_size`, `[b]`."""
    del latents
    return dict(call('log_likelihood'))


@OUTPUTS.register('contributions')
class Contributions(Output):
  """Terms −log p(x_d|z) of the reconstruction, one for each element, in nats.

  Those of an image are one after the other.
  """

  signatures = ('contributions',)

  def columns(self, call: Call,
              latents: Sequence[str]) -> dict[str, np.ndarray]:
    """Returns `contributions`, `[b, *event_shape]`, at the draw of `elbo`."""
    del latents
    return dict(call('contributions'))


@OUTPUTS.register('detection')
class Detection(Output):
  """Conformal p-value, statistic and alarm of a calibrated detector."""

  signatures = ('detect',)

  def columns(self, call: Call,
              latents: Sequence[str]) -> dict[str, np.ndarray]:
    """Returns `p_value`, `score`, `is_anomaly` and each of several scores."""
    del latents
    found = call('detect')
    return {name: value for name, value in found.items()
            if name != 'contributions'}


@OUTPUTS.register('explanation')
class Explanation(Output):
  """Nats of each element of x in the score of a detector."""

  signatures = ('detect',)

  def columns(self, call: Call,
              latents: Sequence[str]) -> dict[str, np.ndarray]:
    """Returns `explanation`, `[b, *event_shape]`."""
    del latents
    return {'explanation': call('detect')['contributions']}


def _moments(outputs: Mapping[str, np.ndarray],
             latents: Sequence[str]) -> dict[str, np.ndarray]:
  """Returns mean and standard deviation of each latent by column."""
  columns = {}
  for name in latents:
    prefix = f'{name}_' if len(latents) > 1 else ''
    columns |= {f'{name}_mean': outputs[f'{prefix}loc'],
                f'{name}_stddev': outputs[f'{prefix}scale_diag']}
  return columns
