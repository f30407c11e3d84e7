"""Parser of the factorization notation, which `tfvae.graph.model` defines."""

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
# Arguments of the methods of `tfd.JointDistribution`, whose parts are latents.
_TAKEN = ('name', 'sample_shape', 'seed', 'value')


def read_latents(latents):
  """Returns checked `(name, size)` pairs of text, a mapping or pairs."""
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
    raise ValueError(
        f"There is no latent: declare one, as in `latents='z:50'`. {received}")
  for index, (name, size) in enumerate(latents):
    problem = _find_latent_problem(name, size)
    if name in dict(latents[:index]):
      problem = problem or 'is declared twice: keep one, or rename it.'
    if problem:
      raise ValueError(f"The latent '{name}:{size}' {problem} {received}")
  return latents


def _find_latent_problem(name, size):
  """Returns the end of the message for a bad latent, or None."""
  if not re.fullmatch(NAME, name):
    return f"needs a name, as in 'z1:50': {NAME_RULE}"
  if name in OBSERVED:
    return ("has a name that is reserved for the datum x and its label y: call "
            "it 'z'.")
  if keyword.iskeyword(name) or name in _TAKEN:
    return ("has a name that Python or TFP reserves, which cannot be a part of "
            "the posterior: call it 'z'.")
  if size == '':
    return f"has no size: write '{name}:50' for 50 dimensions."
  if type(size) is not int or size < 1:
    return f"needs a size that is a positive integer: write '{name}:50'."
  return None


def default_texts(sides, names):
  """Returns the factors of the chain x, z1, z2, …, for the given sides.

  The chain is the default for a single latent, and the example for several.
  """
  pairs = list(itertools.pairwise(['x', *names]))  # From the datum up.
  chain = {
      'inference': [f'{above}|{below}' for below, above in pairs],
      'generative': [
          names[-1], *(f'{below}|{above}' for below, above in pairs[::-1])]}
  texts = {side: '; '.join(chain[side]) for side in sides}
  if len(names) > 1:
    example = ' and '.join(
        f'`{side}={text!r}`' for side, text in texts.items())
    raise ValueError(
        f'{len(names)} latents can depend on one another in many ways: set, '
        f"for example, {example}. Received: latents={','.join(names)}")
  return texts


def parse_factors(side, text):
  """Returns the factors of text such as `'z1|x; z2|z1'`.

  Args:
    side: Graph of the factors, 'inference' or 'generative'.
    text: Factors, with or without the opening `q:` or `p:`.
  """
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
  """Returns where and why `piece` is not a factor."""
  variable, *parents = re.findall(r'\w+', piece) or ['z']
  remedy = f"write '{'|'.join(filter(None, (variable, ','.join(parents))))}'."
  # The first match counts. Each pattern ends at the mistake, and the last one
  # matches any text.
  patterns = {
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
  """Returns an error with a mark below the character at fault."""
  mark = ' ' * (len(f"{side}='") + position) + '^'
  return ValueError(f"{message} Received:\n{side}='{text}'\n{mark} character "
                    f'{position + 1}')
