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

from tfvae.graph.checks import ancestors
from tfvae.graph.checks import check_coverage
from tfvae.graph.checks import check_factors
from tfvae.graph.checks import check_paths
from tfvae.graph.checks import in_order
from tfvae.graph.factor import DENSITIES
from tfvae.graph.factor import Factor
from tfvae.graph.factor import text_of
from tfvae.graph.notation import default_texts
from tfvae.graph.notation import parse_factors
from tfvae.graph.notation import read_latents


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
      check_factors(side, getattr(self, side), names)
    check_coverage(self)
    generative = in_order('generative', self.generative, names, names)
    object.__setattr__(self, 'generative', generative)
    # Where q leaves the order open it is that of p, so that the parents of a
    # prior tend to be sampled before it is needed.
    inference = in_order(
        'inference', self.inference, names, self.generative_order)
    object.__setattr__(self, 'inference', inference)
    check_paths(self)

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
    return not any(name in ancestors(self.inference, parent)
                   for parent in self.parents('generative', name))

  def __str__(self):
    return (f"--latents={self.latents_text} --inference='{self.inference_text}'"
            f" --generative='{self.generative_text}'")
