"""Reads the factorization notation; `tfvae.graph.model` has its meaning."""

from collections.abc import Mapping
import itertools
import keyword
import re

from tfvae.graph.factor import DENSITIES
from tfvae.graph.factor import Factor
from tfvae.graph.factor import NAME
from tfvae.graph.factor import NAME_RULE
from tfvae.graph.factor import OBSERVED

_FACTOR = rf' *{NAME} *(\| *{NAME} *(, *{NAME} *)*)?'
# Arguments of a `tfd.JointDistribution`'s methods, whose parts are latents.
_TAKEN = ('name', 'sample_shape', 'seed', 'value')


def read_latents(latents):
  """Text, a mapping or pairs to checked `(name, size)` pairs."""
  if isinstance(latents, str):
    pieces = [piece.partition(':') for piece in latents.split(',')]
    latents = [(name.strip(), size.strip()) for name, _, size in pieces]
    latents = [(name, int(size) if size.isdecimal() else size)
               for name, size in latents]
  elif isinstance(latents, Mapping):
    latents = latents.items()
  latents = tuple(map(tuple, latents))
  received = 'Received: latents=' + ','.join(f'{n}:{s}' for n, s in latents)
  if not latents:
    raise ValueError(f"There is no latent: declare one, as 'z:50'. {received}")
  for index, (name, size) in enumerate(latents):
    problem = _find_latent_problem(name, size)
    if name in dict(latents[:index]):
      problem = problem or 'is declared twice: keep one, or rename it.'
    if problem:
      raise ValueError(f"The latent '{name}:{size}' {problem} {received}")
  return latents


def _find_latent_problem(name, size):
  if not re.fullmatch(NAME, name):
    return f"needs a name, as 'z1:50' has: {NAME_RULE}"
  if name in OBSERVED:
    return "has a name kept for the datum x and its label y: call it 'z'."
  if keyword.iskeyword(name) or name in _TAKEN:
    return ("has a name that Python or TFP keeps for itself, and so cannot be "
            "a part of the posterior: call it 'z'.")
  if size == '':
    return f"has no size: write '{name}:50' for 50 dimensions."
  if type(size) is not int or size < 1:
    return f"needs a size that is a positive integer: write '{name}:50'."
  return None


def default_texts(sides, names):
  """The chain x, z1, z2, …: the plain VAE where there is but one latent."""
  pairs = list(itertools.pairwise(['x', *names]))  # From the datum upwards.
  chain = {
      'inference': [f'{above}|{below}' for below, above in pairs],
      'generative': [
          names[-1], *(f'{below}|{above}' for below, above in pairs[::-1])]}
  texts = {side: '; '.join(chain[side]) for side in sides}
  if len(names) > 1:
    example = ' '.join(f'--{side}={text!r}' for side, text in texts.items())
    raise ValueError(
        f'{len(names)} latents can depend on one another in many ways: say '
        f"how, for example {example}. Received: latents={','.join(names)}")
  return texts


def parse_factors(side, text):
  """`'z1|x; z2|z1'` to factors, with or without the opening `q:` or `p:`."""
  text = re.sub(r'\s', ' ', text)
  opening = re.match(r' *([pq]) *:', text)
  if opening and opening[1] != DENSITIES[side]:
    raise _syntax_error(
        side, text, opening.start(1), f"'{opening[1]}:' does not open {side} "
        f"factors: write '{DENSITIES[side]}:' or nothing.")
  start, factors = opening.end() if opening else 0, []
  for piece in text[start:].split(';'):
    if not re.fullmatch(_FACTOR, piece):
      offset, problem = _find_syntax_problem(piece)
      raise _syntax_error(side, text, start + offset,
                          f"The {side} factor '{piece.strip()}' {problem}")
    variable, *parents = re.findall(NAME, piece)
    factors.append(Factor(variable, parents))
    start += len(piece) + 1
  return tuple(factors)


def _find_syntax_problem(piece):
  """Where and why `piece` is no factor: the first pattern that fits."""
  variable, *parents = re.findall(r'\w+', piece) or ['z']
  remedy = f"write '{'|'.join(filter(None, (variable, ','.join(parents))))}'."
  patterns = {  # Each ends where the fault is; the last fits anything.
      r' *$': "is empty: write one, or remove a ';'.",
      r' *(?=\|)': "has no variable: write one before the '|'.",
      rf' *{NAME} *\|[^|]*\w +(?={NAME} *\|)': (
          f"lacks a ';' after its first factor: write "
          f"'{_with_semicolon(piece)}'."),
      r'.*\|.*(?=\|)': f"has a second '|': {remedy}",
      r'.*[|,] *(?=,|$)': f'lacks a parent: {remedy}',
      rf' *{NAME} *(?=,)': f"lacks a '|' after its variable: {remedy}",
      rf' *{NAME} +(?=[A-Za-z])': f"lacks a '|' after its variable: {remedy}",
      r'.*\w +(?=[A-Za-z])': f"lacks a ',' between its parents: {remedy}",
      rf'( *{NAME} *[|,])* *({NAME})? *': f'has a bad name: {NAME_RULE}',
  }
  matches = ((re.match(pattern, piece), patterns[pattern])
             for pattern in patterns)
  return next((match.end(), problem) for match, problem in matches if match)


def _with_semicolon(piece):
  return re.sub(rf'(?<=\w) +(?={NAME} *\|)', '; ', piece.strip())


def _syntax_error(side, text, position, message):
  """An error with a mark below the character at fault."""
  mark = ' ' * (len(f"{side}='") + position) + '^'
  return ValueError(f"{message} Received:\n{side}='{text}'\n{mark} character "
                    f'{position + 1}')
