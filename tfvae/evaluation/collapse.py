"""Says in words whether the posterior has collapsed onto the prior."""

import numpy as np

from tfvae.evaluation.latent_measures import Latent
from tfvae.evaluation.latent_measures import LatentSpace

# Nats of KL below which a dimension is not in use, whatever its mean does (it
# may follow that of its parents), and above which it is, however small the
# scale of a learned prior makes its variance. In between, active ones are.
_UNUSED_KL, _USED_KL = 0.01, 0.1
# KL as a share of |E_q[log p(x|z)]| that is next to nothing.
_NEGLIGIBLE_SHARE = 1e-3

_WARM_UP = '--kl_warm_up=linear (Bowman et al., 2016)'
_FREE_BITS = '--free_bits (Kingma et al., 2016)'


def describe_collapse(space: LatentSpace,
                      reconstruction: float | None = None) -> list[str]:
  """Returns a sentence or two on each way in which latents go unused.

  A posterior collapses where it equals the prior for every x, so that z says
  nothing about x and p(x|z) does without it: Bowman et al., Generating
  Sentences from a Continuous Space, 2016. Lucas et al., Don't Blame the ELBO,
  2019, show that a linear VAE so prunes the directions whose variance is below
  the likelihood's, at its global optimum.

  Args:
    space: what `latent_space` measured.
    reconstruction: mean E_q[log p(x|z)] in nats, to hold the KL against.

  Returns:
    What was found and what to try, by the names of the command line's flags;
    an empty list where every dimension of every latent is in use.
  """
  used = {name: _in_use(latent) for name, latent in space.latents.items()}
  if not any(map(np.any, used.values())):
    return [_total(space)]
  found = [
      _partly_used(name, where) if where.any() else
      _unused(name, space.latents[name])
      for name, where in used.items() if not where.all()]
  kl = space.kl.mean
  if reconstruction is not None and (
      kl < _NEGLIGIBLE_SHARE * abs(reconstruction)):
    found.append(
        f'The KL, {kl:.2f} nats, is next to nothing beside the reconstruction, '
        f'{reconstruction:.1f} nats: p(x|z) explains x almost without z. Try '
        f'{_WARM_UP}, a --kl_weight below 1, or a weaker decoder, of fewer '
        '--hidden_units.')
  return found


def _in_use(latent: Latent) -> np.ndarray:
  """Returns whether each dimension tells something about x, `[size]`."""
  kl = latent.kl_per_dimension
  if kl is None:
    return latent.active
  return (kl > _USED_KL) | (latent.active & (kl > _UNUSED_KL))


def _total(space: LatentSpace) -> str:
  return (
      'The posterior has collapsed onto the prior: none of '
      f'{_count(space.size)} is in use ({space.active_units} active), and z '
      f'carries {space.mutual_information.mean:.2f} nats about x. p(x|z) does '
      f'without z. Try {_WARM_UP}, {_FREE_BITS}, a --kl_weight below 1, '
      '--objective=iwae or info_vae in their place, or a weaker decoder, of '
      'fewer --hidden_units.')


def _unused(name: str, latent: Latent) -> str:
  return (
      f'The latent {name} is not in use: {int(latent.active.sum())} of its '
      f'{_count(len(latent.variances))} active, its KL {latent.kl.mean:.3f} '
      f'nats. Try {_WARM_UP}, which Sønderby et al. (2016) found hierarchies '
      f'to need; {_FREE_BITS}; inference from the top down, --preset=ladder; '
      'or do without it, in --latents, --inference and --generative.')


def _partly_used(name: str, used: np.ndarray) -> str:
  return (
      f'{used.sum()} of {_count(len(used))} of {name} in use. That is no loss '
      'where the data need no more (Lucas et al., 2019): '
      f'{name}:{used.sum()} in --latents then does as well. To use the '
      f'others, try {_WARM_UP}; --free_bits with --free_bits_per=dimension; '
      '--objective=iwae in their place, with which Burda et al. (2016) found '
      'more active; or --prior=vamp (Tomczak and Welling, 2018).')


def _count(dimensions: int) -> str:
  return f'{dimensions} dimension' + ('' if dimensions == 1 else 's')
