"""The factorisation notation: which variable depends on which.

A line of text gives each variable its parents, one factor after another:

  q: z2|x; z1|z2,x          q(z|x; φ) = q(z2|x) q(z1|z2,x)
  p: z2; z1|z2; x|z1        p(x,z; θ) = p(z2) p(z1|z2) p(x|z1)

`x` is the datum. `y`, its label as a one-hot vector, may be a parent anywhere
and has no factor. Every other variable is a latent, declared with its size as
`z1:50,z2:25`. The same strings serve the command line, Python and saved models.
"""

from collections.abc import Iterable, Mapping
import dataclasses
import difflib
import graphlib

from tfvae.notation import default_texts
from tfvae.notation import DENSITIES
from tfvae.notation import Factor
from tfvae.notation import OBSERVED
from tfvae.notation import parse_factors
from tfvae.notation import read_latents
from tfvae.notation import text_of

__all__ = ['Factor', 'GraphicalModel', 'PRESETS']

# Each preset holds the arguments of `GraphicalModel.parse`.
PRESETS = {
    # Kingma and Welling (2014), https://arxiv.org/abs/1312.6114
    'vae': {
        'latents': 'z:50', 'inference': 'z|x', 'generative': 'z; x|z'},
    # Burda et al. (2016), https://arxiv.org/abs/1509.00519
    'two_layer': {
        'latents': 'z1:100,z2:50',
        'inference': 'z1|x; z2|z1', 'generative': 'z2; z1|z2; x|z1'},
    # Sønderby et al. (2016), https://arxiv.org/abs/1602.02282
    'ladder': {
        'latents': 'z1:100,z2:50',
        'inference': 'z2|x; z1|z2,x', 'generative': 'z2; z1|z2; x|z1'},
    # Kingma et al. (2014), model M2, https://arxiv.org/abs/1406.5298
    'conditional': {
        'latents': 'z:50', 'inference': 'z|x,y', 'generative': 'z; x|z,y'},
}


@dataclasses.dataclass(frozen=True)
class GraphicalModel:
  """The inference and the generative graph of a variational autoencoder.

    q(z | x; φ) = Π_j q(z_j | Pa_q(z_j); φ)
    p(x, z; θ) = p(x | Pa_p(x); θ) Π_j p(z_j | Pa_p(z_j); θ)

  `x` is in Pa_q(z_j) only where the notation says so: `z2|z1` sees the datum
  through z1 alone. A directed path must lead from `x` to each latent in the
  inference graph, as a density that cannot see the datum is no posterior, and
  from each latent to `x` in the generative graph, as no datum informs the rest.

  Equality is that of the graphs: factors are kept in topological order and
  parents as latents, then `x`, then `y`, however they were written. `latents`
  keep the user's order.

  Args:
    latents: `'z1:50,z2:25'`, `(name, size)` pairs or a mapping; a size is a
      number of dimensions.
    inference: Factors of q, one for each latent.
    generative: Factors of p, one for each latent and one for `x`.

  Raises:
    ValueError: The graph has a mistake; the message shows the factor at fault
      and what to write instead.
  """

  latents: tuple[tuple[str, int], ...]
  inference: tuple[Factor, ...]
  generative: tuple[Factor, ...]

  def __post_init__(self):
    object.__setattr__(self, 'latents', read_latents(self.latents))
    names = self.latent_names
    for side in DENSITIES:
      _check_factors(side, getattr(self, side), names)
    _check_coverage(self)
    generative = _in_order('generative', self.generative, names, names)
    object.__setattr__(self, 'generative', generative)
    # Where q leaves the order open it is that of p, so that the parents of a
    # prior tend to be sampled before it is needed.
    inference = _in_order(
        'inference', self.inference, names, self.generative_order)
    object.__setattr__(self, 'inference', inference)
    _check_paths(self)

  @classmethod
  def parse(
      cls,
      latents: str | Mapping[str, int] | Iterable[tuple[str, int]],
      inference: str | None = None,
      generative: str | None = None,
  ) -> 'GraphicalModel':
    """Reads a model from its notation.

    Args:
      latents: `'z1:50,z2:25'`, or another form that the class accepts.
      inference: Factors of q, `'z1|x; z2|z1'`; an opening `q:` is optional. A
        single latent z needs none: `'z|x'`.
      generative: Factors of p, `'z2; z1|z2; x|z1'`; an opening `p:` is
        optional. A single latent z needs none: `'z; x|z'`.

    Returns:
      A `GraphicalModel`.

    Raises:
      ValueError: As the class does; a mistake of syntax is pointed at.
    """
    latents = read_latents(latents)
    texts = {'inference': inference, 'generative': generative}
    missing = [side for side in texts if texts[side] is None]
    if missing:
      texts |= default_texts(missing, [name for name, _ in latents])
    return cls(latents, *(parse_factors(*item) for item in texts.items()))

  @classmethod
  def from_config(cls, config: Mapping[str, str]) -> 'GraphicalModel':
    """The model that `to_config` described."""
    return cls.parse(**config)

  def to_config(self) -> dict[str, str]:
    """The arguments of `parse`, as a plain dict of strings."""
    return {'latents': self.latents_text, 'inference': self.inference_text,
            'generative': self.generative_text}

  @property
  def latents_text(self) -> str:
    """The latents as `z1:50,z2:25`."""
    return ','.join(f'{name}:{size}' for name, size in self.latents)

  @property
  def inference_text(self) -> str:
    """The factors of q as `z1|x; z2|z1`."""
    return text_of(self.inference)

  @property
  def generative_text(self) -> str:
    """The factors of p as `z2; z1|z2; x|z1`."""
    return text_of(self.generative)

  @property
  def latent_names(self) -> tuple[str, ...]:
    """The latents, in the order they were declared."""
    return tuple(name for name, _ in self.latents)

  @property
  def inference_order(self) -> tuple[str, ...]:
    """The latents, each after its parents in q."""
    return tuple(factor.variable for factor in self.inference)

  @property
  def generative_order(self) -> tuple[str, ...]:
    """The latents, each after its parents in p, and `x` last."""
    return tuple(factor.variable for factor in self.generative)

  @property
  def is_conditional(self) -> bool:
    """Whether the label `y` is a parent anywhere."""
    return any('y' in f.parents for f in self.inference + self.generative)

  def latent_size(self, name: str) -> int:
    """The number of dimensions of a latent."""
    if name not in self.latent_names:
      raise ValueError(f'The latents are {self.latents_text}: use one of them. '
                       f'Received: name={name!r}')
    return dict(self.latents)[name]

  def parents(self, side: str, name: str) -> tuple[str, ...]:
    """The parents of a variable in one of the two graphs.

    Args:
      side: `'inference'` or `'generative'`.
      name: A variable that has a factor there.

    Returns:
      Tuple of names: latents in declared order, then `x`, then `y`.

    Raises:
      ValueError: There is no such side, or no factor for `name` on it.
    """
    if side not in DENSITIES:
      raise ValueError(f'Use one of {tuple(DENSITIES)}. Received: {side=}')
    parents = {f.variable: f.parents for f in getattr(self, side)}
    if name not in parents:
      raise ValueError(f'The {side} factors are those of {tuple(parents)}: use '
                       f'one of them. Received: name={name!r}')
    return parents[name]

  def allows_exact_kl(self, name: str) -> bool:
    """Whether a latent's KL may be exact, given one sample of its parents.

    The latent z_j contributes to the ELBO

      −E_q(z|x)[log q(z_j | Pa_q(z_j)) − log p(z_j | Pa_p(z_j))].

    If none of Pa_p(z_j) descends from z_j in the inference graph, then under q
    z_j is independent of Pa_p(z_j) given Pa_q(z_j) (the local Markov property),
    the expectation over z_j alone is KL(q(z_j|Pa_q(z_j)) ‖ p(z_j|Pa_p(z_j))),
    and this KL at sampled parents is an unbiased estimate. If one does, it
    depends on z_j and that estimate is biased: with `z1|x; z2|z1` below the
    prior `z1|z2`, z1 needs the Monte Carlo log-ratio.

    Evaluate the KL once all latents are sampled: the parents of a prior need
    not come before z_j in `inference_order`, and for some graphs no order puts
    them there for every j.

    Args:
      name: A latent.

    Returns:
      True where the exact KL is right, False where only the log-ratio is.

    Raises:
      ValueError: `name` is not a latent.
    """
    self.latent_size(name)  # Raises for what is not a latent.
    return not any(name in _ancestors(self.inference, parent)
                   for parent in self.parents('generative', name))

  def __str__(self):
    return (f"--latents={self.latents_text} --inference='{self.inference_text}'"
            f" --generative='{self.generative_text}'")


def _ancestors(factors: Iterable[Factor], name: str) -> set[str]:
  """Every variable from which a directed path leads to `name`."""
  parents = {f.variable: f.parents for f in factors}
  ancestors, unseen = set(), [name]
  while unseen:
    new = set(parents.get(unseen.pop(), ())) - ancestors
    ancestors |= new
    unseen.extend(new)
  return ancestors


def _in_order(side, factors, names, priority):
  """Factors in topological order, ties by `priority`; parents as `names`."""
  parents = {f.variable: f.parents for f in factors}
  sorter = graphlib.TopologicalSorter(
      {v: [p for p in parents[v] if p in parents] for v in parents})
  try:
    sorter.prepare()
  except graphlib.CycleError as error:
    cycle = error.args[1]
    at_fault = text_of(f for f in factors if f.variable in cycle)
    raise ValueError(
        f"The {side} factors '{at_fault}' form the cycle "
        f"{' -> '.join(cycle)}: remove one of these parents. "
        f'Received: {side}={text_of(factors)!r}') from None
  order, ready = [], []
  while sorter.is_active():
    ready = sorted([*ready, *sorter.get_ready()], key=(*priority, 'x').index)
    order.append(ready.pop(0))
    sorter.done(order[-1])
  rank = (*names, *OBSERVED).index
  return tuple(Factor(v, sorted(parents[v], key=rank)) for v in order)


def _check_factors(side, factors, names):
  """Refuses a factor that has no place on its side, whatever the others."""
  seen = {}
  for factor in factors:
    variable, problem = factor.variable, None
    unknown = {variable, *factor.parents}.difference(names, OBSERVED)
    if unknown:
      problem = _describe_unknown(min(unknown), names)
    elif variable == 'y' or (variable == 'x' and side == 'inference'):
      problem = f"is for '{variable}', which is observed: remove it."
    elif side == 'generative' and variable != 'x' and 'x' in factor.parents:
      problem = "depends on 'x', which is generated last: remove that parent."
    elif variable in seen:
      problem = (f"is the second for '{variable}', after '{seen[variable]}': "
                 'keep one of them.')
    if problem:
      raise ValueError(f"The {side} factor '{factor}' {problem} "
                       f'Received: {side}={text_of(factors)!r}')
    seen[variable] = factor


def _describe_unknown(name, names):
  known = {k.lower(): k for k in (*names, *OBSERVED)}
  close = difflib.get_close_matches(name.lower(), known, n=1)
  guess = f"did you mean '{known[close[0]]}'? If not, " if close else ''
  return (f"has the unknown variable '{name}': {guess}declare it among the "
          f"latents with its size, as '{name}:50'.")


def _check_coverage(graph):
  """Refuses a variable that lacks a factor."""
  remedies = {'inference': '{}|x', 'generative': '{}'}
  for name, size in graph.latents:
    missing = [side for side in DENSITIES
               if name not in {f.variable for f in getattr(graph, side)}]
    if missing:
      raise ValueError(
          f"The latent '{name}:{size}' has no {' and no '.join(missing)} "
          f"factor: add '{remedies[missing[0]].format(name)}' there, or remove "
          f'the latent. Received: {graph}')
  if 'x' not in {f.variable for f in graph.generative}:
    raise ValueError(
        f"The generative factors '{graph.generative_text}' have none for the "
        f"datum: add 'x|{graph.latent_names[0]}'. Received: {graph}")


def _check_paths(graph):
  """Refuses a posterior that cannot see `x`, and a latent `x` cannot see."""
  for factor in graph.inference:
    if 'x' not in _ancestors(graph.inference, factor.variable):
      raise ValueError(
          f"No path leads from x to the inference factor '{factor}', which "
          'would be the same for every datum: write '
          f"'{Factor(factor.variable, (*factor.parents, 'x'))}'. "
          f'Received: inference={graph.inference_text!r}')
  *factors, datum = graph.generative
  for factor in factors:
    if factor.variable not in _ancestors(graph.generative, 'x'):
      raise ValueError(
          f"No path leads from the generative factor '{factor}' to '{datum}', "
          'so that no datum informs it: write '
          f"'{Factor('x', (factor.variable, *datum.parents))}', or remove the "
          f'latent. Received: generative={graph.generative_text!r}')
