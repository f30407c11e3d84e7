"""Checks of a `GraphVAE`'s graph, and the size of its decoder's input."""

from collections.abc import Mapping, Sequence
from typing import Any

from tfvae.graph import GraphicalModel
from tfvae.layers import DistributionLayer
from tfvae.priors import Prior

# Ways to combine q(z_j|…) with p(z_j|…), where z_j has parents in p.
MERGINGS = ('network', 'precision_weighted')


def check_free_bits(graph: GraphicalModel,
                    posteriors: Mapping[str, DistributionLayer],
                    controls: Mapping[str, Any]):
  """Raises for free bits per dimension where a KL has no part per dimension."""
  if not controls.get('free_bits') or (
      controls.get('free_bits_per') != 'dimension'):
    return
  names = [name for name in graph.latent_names
           if graph.infers_label or not graph.allows_exact_kl(name)
           or not posteriors[name].is_diagonal_normal]
  if names:
    raise ValueError(
        f'The KL of {", ".join(names)} has no part for each dimension in '
        f'{graph} with these posteriors: that needs diagonal normals, an exact '
        "KL and no factor of y. Use `free_bits_per='latent'`. Received: "
        f'kl_controls={dict(controls)}')


def check_posteriors(graph: GraphicalModel,
                     posteriors: Mapping[str, DistributionLayer]):
  """Raises for a posterior layer that does not fit the graph."""
  for name, layer in posteriors.items():
    if name not in graph.latent_names:
      raise ValueError(f"{graph} has no latent '{name}'; give posteriors of "
                       f'{", ".join(graph.latent_names)}. Received: '
                       f'posteriors[{name!r}]={layer}')
    if layer.event_size != graph.latent_size(name):
      raise ValueError(
          f'The posterior of {name} must have its size, '
          f'{graph.latent_size(name)}. Received: posterior.event_size='
          f'{layer.event_size}')
    if layer.activity_regularizer is not None:
      raise ValueError(
          'The model regularizes its posteriors itself; leave out their '
          f'`activity_regularizer`. Received: posteriors[{name!r}] with '
          f'activity_regularizer={layer.activity_regularizer}')


def seen_by_inference(
    graph: GraphicalModel, posteriors: Mapping[str, DistributionLayer],
    merging: str) -> dict[str, Sequence[str]]:
  """Returns the parents that the network of each factor of q sees, by latent.

  With 'precision_weighted' merging, p(z_j|Pa_p(z_j)) accounts for the parents
  of z_j in p, and the network sees the others.

  Raises:
    ValueError: If the merging is unknown, or the graph does not allow it.
  """
  if merging not in MERGINGS:
    raise ValueError(f'`merging` must be one of {", ".join(MERGINGS)}. '
                     f'Received: merging={merging!r}')
  merged = [name for name in graph.latent_names
            if merging == 'precision_weighted'
            and graph.parents('generative', name)]
  if merging == 'precision_weighted' and not merged:
    raise ValueError('Precision-weighted merging needs a latent with parents '
                     f"in p; use `merging='network'`. Received: {graph}")
  seen = {f.variable: f.parents for f in graph.inference}
  for name in merged:
    parents = graph.parents('generative', name)
    if not set(parents) < set(seen[name]):
      raise ValueError(
          f'Precision-weighted merging needs in q({name}|…) the parents of '
          f'{name} in p, {",".join(parents)}, and one more; write '
          f"'{name}|{','.join((*parents, 'x'))}' there, or use "
          f"`merging='network'`. Received: {graph}")
    if not posteriors[name].is_diagonal_normal:
      raise ValueError(
          f'Precision-weighted merging of {name} needs a diagonal normal '
          "posterior; use one, or `merging='network'`. Received: "
          f'{type(posteriors[name]).__name__}')
    seen[name] = tuple(v for v in seen[name] if v not in parents)
  return seen


def check_priors(graph: GraphicalModel, priors: Mapping[str, Prior]):
  """Raises for a prior that does not fit the graph."""
  for name, prior in priors.items():
    if graph.parents('generative', name):
      raise ValueError(
          f'The parents of {name} in {graph} define its prior; give priors of '
          f'latents without parents. Received: priors[{name!r}]={prior}')
    if prior.event_size != graph.latent_size(name):
      raise ValueError(
          f'The prior of {name} must have its size, {graph.latent_size(name)}. '
          f'Received: prior.event_size={prior.event_size}')
    if prior.needs_posterior and graph.parents('inference', name) != ('x',):
      raise ValueError(
          f'The {type(prior).__name__} of {name} depends on q({name}|x); the '
          f"graph must have the factor '{name}|x', or the latent another "
          f'prior. Received: {graph}')


def decoder_input_size(graph: GraphicalModel,
                       num_classes: int | None = None) -> int:
  """Returns the size of all parents of x in p together.

  Raises:
    ValueError: If `y` is in the graph and `num_classes` is missing.
  """
  if graph.is_conditional and not num_classes:
    raise ValueError(f"{graph} has 'y': give `num_classes`, their number. "
                     f'Received: num_classes={num_classes}')
  sizes = dict(graph.latents) | {'y': num_classes}
  return sum(sizes[name] for name in graph.parents('generative', 'x'))
