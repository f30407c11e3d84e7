"""Sentences about posterior collapse."""

import numpy as np

from tfvae.evaluation.latents.latent_measures import INFORMATIVE_KL
from tfvae.evaluation.latents.latent_measures import Latent
from tfvae.evaluation.latents.latent_measures import LatentSpace

# KL as a share of |E_q[log p(x|z)]| that is negligible.
_NEGLIGIBLE_SHARE = 1e-3

_WARM_UP = "`kl_warm_up='linear'` (Bowman et al., 2016)"
_FREE_BITS = '`free_bits` (Kingma et al., 2016)'


def describe_collapse(space: LatentSpace,
                      reconstruction: float | None = None) -> list[str]:
  """Returns sentences about unused latents, with remedies.

  A posterior has collapsed where it equals the prior for every x, so that z
  carries no information about x and p(x|z) ignores it: Bowman et al.,
  Generating Sentences from a Continuous Space, 2016. Lucas et al., Don't Blame
  the ELBO, 2019, show that the global optimum of a linear VAE prunes the
  directions whose variance is below that of the likelihood.

  Dimensions are counted by `Latent.active` alone, so that the counts agree with
  `LatentSpace.active_units`. The KL decides whether there is a finding: an
  inactive dimension with a KL above 0.1 nats is none, since it is informative
  under a narrow prior; a latent with active dimensions is one if none of them
  has such a KL.

  Args:
    space: Result of `latent_space`.
    reconstruction: Mean E_q[log p(x|z)] in nats, to compare the KL with.

  Returns:
    Findings and remedies; an empty list if there are none. Settings are named
    in backticks, as `tfvae.training.Config` has them.
  """
  latents = space.latents.items()
  if not any((part.active | part.informative).any() for _, part in latents):
    return [_total(space)]
  found = [sentence for name, part in latents
           for sentence in _of_latent(name, part)]
  kl = space.kl.mean
  if reconstruction is not None and (
      kl < _NEGLIGIBLE_SHARE * abs(reconstruction)):
    found.append(
        f'The KL, {kl:.2f} nats, is negligible compared with the '
        f'reconstruction, {reconstruction:.1f} nats: p(x|z) explains x almost '
        f'without z. Try {_WARM_UP}, a `kl_weight` below 1, or a weaker '
        'decoder with fewer `hidden_units`.')
  return found


def _of_latent(name: str, latent: Latent) -> list[str]:
  """Returns the finding about one latent; empty if there is none."""
  if not latent.informative.any():
    return [_unused(name, latent)]
  unused = ~latent.active & ~latent.informative
  return [_partly_active(name, latent, unused)] if unused.any() else []


def _total(space: LatentSpace) -> str:
  return (
      'The posterior has collapsed onto the prior: none of '
      f'{_count(space.size)} is active, and z carries '
      f'{space.mutual_information.mean:.2f} nats about x. p(x|z) ignores z. '
      f'Try {_WARM_UP}, {_FREE_BITS}, a `kl_weight` below 1, '
      "`objective='iwae'` or `objective='info_vae'` without them, or a weaker "
      'decoder with fewer `hidden_units`.')


def _unused(name: str, latent: Latent) -> str:
  return (
      f'The latent {name} carries almost no information of its own: '
      f'{latent.active.sum()} of its {_count(len(latent.active))} '
      f'{_are(latent.active.sum())} active, none has a KL above '
      f'{INFORMATIVE_KL:g} nats, and its total KL is {latent.kl.mean:.3f} '
      f'nats. Try {_WARM_UP}, which hierarchies need according to Sønderby et '
      f"al. (2016); {_FREE_BITS}; top-down inference, `preset='ladder'`; or "
      'remove it from `latents`, `inference` and `generative`.')


def _partly_active(name: str, latent: Latent, unused: np.ndarray) -> str:
  size = len(unused)
  quiet = int((latent.active & ~latent.informative).sum())
  remark = '' if not quiet else (
      f' Of the active ones, {quiet} {"has" if quiet == 1 else "have"} a KL of '
      f'at most {INFORMATIVE_KL:g} nats.')
  return (
      f'{latent.active.sum()} of {_count(size)} of {name} '
      f'{_are(latent.active.sum())} active.{remark} The data may need no more '
      f'(Lucas et al., 2019); then {name}:{size - unused.sum()} in `latents` '
      f'is sufficient. To use the others, try {_WARM_UP}; `free_bits` with '
      "`free_bits_per='dimension'`; `objective='iwae'` without them, which "
      "gave more active dimensions in Burda et al. (2016); or `prior='vamp'` "
      '(Tomczak and Welling, 2018).')


def _are(count: int) -> str:
  return 'is' if count == 1 else 'are'


def _count(dimensions: int) -> str:
  return f'{dimensions} dimension' + ('' if dimensions == 1 else 's')
