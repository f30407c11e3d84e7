"""The factorization notation of graphical models.

A line of text lists the factors of a distribution, each variable with its
parents:

  q: z2|x; z1|z2,x          q(z|x; φ) = q(z2|x) q(z1|z2,x)
  p: z2; z1|z2; x|z1        p(x,z; θ) = p(z2) p(z1|z2) p(x|z1)

`x` is the datum. `y`, its label as a one-hot vector, may be a parent of any
variable. Without a factor it is always given. With a factor in q and in p it
may be missing, and is then inferred like a latent:

  q: y|x; z|x,y             q(y,z|x; φ) = q(y|x) q(z|x,y)
  p: z; y; x|z,y            p(x,y,z; θ) = p(z) p(y) p(x|z,y)

Every other variable is a latent, declared with its size as in `z1:50,z2:25`.
The command line, Python and saved models use the same notation.
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

  `x` is in Pa_q(z_j) only if the notation lists it: `z2|z1` depends on the
  datum through z1 alone. In the inference graph a directed path must lead from
  `x` to each latent, because a density that does not depend on the datum is not
  a posterior. In the generative graph a directed path must lead from each
  latent to `x`, because the datum contains no information on other latents.

  The label y has a factor in both graphs or in none. With factors, q and p
  above are densities of y as well: q(y | Pa_q(y); φ) and p(y | Pa_p(y); θ).

  Two models are equal if their graphs are: factors are kept in topological
  order, and parents in the order of the latents, then `x`, then `y`, regardless
  of how they were written. `latents` keep the order in which they were
  declared.

  Printing a model shows its notation:
  `z1:50,z2:25 · q: z2|x; z1|z2,x · p: z2; z1|z2; x|z1`.

  Args:
    latents: Latents as text, `'z1:50,z2:25'`, as `(name, size)` pairs or as a
      mapping; a size is a number of dimensions.
    inference: Factors of q, one for each latent, and perhaps one for `y`.
    generative: Factors of p, one for each latent and one for `x`, and one for
      `y` if `inference` has one.

  Raises:
    ValueError: If the graph has a mistake; the message shows the factor at
      fault and what to write instead.
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
    generative = in_order(
        'generative', self.generative, names, (*names, 'y', 'x'))
    object.__setattr__(self, 'generative', generative)
    # Where q leaves the order open, the order of p is used, so that the parents
    # of a prior tend to be sampled before the prior is needed.
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
    """Parses the notation of a model.

    Args:
      latents: Latents, such as `'z1:50,z2:25'`, or another form that the class
        accepts.
      inference: Factors of q, such as `'z1|x; z2|z1'`; an opening `q:` is
        optional. The default for a single latent z is `'z|x'`.
      generative: Factors of p, such as `'z2; z1|z2; x|z1'`; an opening `p:` is
        optional. The default for a single latent z is `'z; x|z'`.

    Returns:
      A `GraphicalModel`.

    Raises:
      ValueError: If the text has a syntax error, whose position the message
        marks, or the graph has a mistake.
    """
    latents = read_latents(latents)
    texts = {'inference': inference, 'generative': generative}
    missing = [side for side in texts if texts[side] is None]
    if missing:
      texts |= default_texts(missing, [name for name, _ in latents])
    return cls(latents, *(parse_factors(*item) for item in texts.items()))

  @classmethod
  def from_config(cls, config: Mapping[str, str]) -> 'GraphicalModel':
    """Returns the model of a configuration of `to_config`."""
    return cls.parse(**config)

  def to_config(self) -> dict[str, str]:
    """Returns the arguments of `parse` as a dictionary of strings."""
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
    """The latents, and `y` if it is inferred, each after its parents in q."""
    return tuple(factor.variable for factor in self.inference)

  @property
  def generative_order(self) -> tuple[str, ...]:
    """The variables of p, each after its parents, and `x` last."""
    return tuple(factor.variable for factor in self.generative)

  @property
  def is_conditional(self) -> bool:
    """Whether the label `y` is in the graph."""
    return any('y' in (f.variable, *f.parents)
               for f in self.inference + self.generative)

  @property
  def infers_label(self) -> bool:
    """Whether the label `y` has factors, so that it may be missing."""
    return any(f.variable == 'y' for f in self.inference)

  def latent_size(self, name: str) -> int:
    """Returns the number of dimensions of a latent."""
    if name not in self.latent_names:
      raise ValueError('There is no such latent; use one of '
                       f'{self.latents_text}. Received: name={name!r}')
    return dict(self.latents)[name]

  def parents(self, side: str, name: str) -> tuple[str, ...]:
    """Returns the parents of a variable in one of the two graphs.

    Args:
      side: Graph, `'inference'` or `'generative'`.
      name: Variable that has a factor in this graph.

    Returns:
      Tuple of names: latents in declared order, then `x`, then `y`.

    Raises:
      ValueError: If there is no such graph, or it has no factor for `name`.
    """
    if side not in DENSITIES:
      raise ValueError(
          f'`side` must be one of {tuple(DENSITIES)}. Received: {side=}')
    parents = {f.variable: f.parents for f in getattr(self, side)}
    if name not in parents:
      raise ValueError(f'There is no such {side} factor; use one of '
                       f'{tuple(parents)}. Received: name={name!r}')
    return parents[name]

  def allows_exact_kl(self, name: str) -> bool:
    """Returns whether a latent's KL may be exact, given samples of its parents.

    The latent z_j contributes to the ELBO

      −E_q(z|x)[log q(z_j | Pa_q(z_j)) − log p(z_j | Pa_p(z_j))].

    If none of Pa_p(z_j) descends from z_j in the inference graph, then under q
    z_j is independent of Pa_p(z_j) given Pa_q(z_j) (the local Markov property).
    The expectation over z_j alone is KL(q(z_j|Pa_q(z_j)) ‖ p(z_j|Pa_p(z_j))),
    and this KL at sampled parents is an unbiased estimate. If one of Pa_p(z_j)
    descends from z_j, it depends on z_j, and the estimate is biased: with the
    inference graph `z1|x; z2|z1` and the prior `z1|z2`, z1 needs the Monte
    Carlo log-ratio.

    Evaluate the KL after all latents are sampled: the parents of a prior need
    not precede z_j in `inference_order`, and for some graphs no order has them
    precede it for every j.

    Args:
      name: Name of a latent.

    Returns:
      True if the exact KL is unbiased, False if only the log-ratio is.

    Raises:
      ValueError: If `name` is not a latent.
    """
    self.latent_size(name)  # Raises if it is not a latent.
    return not any(name in ancestors(self.inference, parent)
                   for parent in self.parents('generative', name))

  def __str__(self):
    return (f'{self.latents_text} · q: {self.inference_text} · '
            f'p: {self.generative_text}')
