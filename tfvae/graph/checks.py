"""Topological order of the factors of a graphical model, and its checks."""

from collections.abc import Iterable
import difflib
import graphlib

from tfvae.graph.factor import DENSITIES
from tfvae.graph.factor import Factor
from tfvae.graph.factor import OBSERVED
from tfvae.graph.factor import text_of


def ancestors(factors: Iterable[Factor], name: str) -> set[str]:
  """Returns every variable from which a directed path leads to `name`."""
  parents = {f.variable: f.parents for f in factors}
  ancestors, unseen = set(), [name]
  while unseen:
    new = set(parents.get(unseen.pop(), ())) - ancestors
    ancestors |= new
    unseen.extend(new)
  return ancestors


def in_order(side, factors, names, priority):
  """Returns the factors of a graph in topological order.

  Args:
    side: Graph of the factors, 'inference' or 'generative'.
    factors: Factors, in any order.
    names: Names of the latents, in the order of the parents.
    priority: Names of all variables, in the order that breaks ties.

  Raises:
    ValueError: If the factors form a cycle.
  """
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
    ready = sorted([*ready, *sorter.get_ready()], key=priority.index)
    order.append(ready.pop(0))
    sorter.done(order[-1])
  rank = (*names, *OBSERVED).index
  return tuple(Factor(v, sorted(parents[v], key=rank)) for v in order)


def check_factors(side, factors, names):
  """Raises a ValueError if a factor is not allowed in its graph."""
  seen = {}
  for factor in factors:
    variable, problem = factor.variable, None
    unknown = {variable, *factor.parents}.difference(names, OBSERVED)
    if unknown:
      problem = _describe_unknown(min(unknown), names)
    elif variable == 'x' and side == 'inference':
      problem = "is for 'x', which is observed: remove it."
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
  return (f"has the unknown variable '{name}': {guess}declare it in `latents` "
          f"with its size, as in '{name}:50'.")


def check_coverage(graph):
  """Raises a ValueError if a variable has no factor."""
  remedies = {'inference': '{}|x', 'generative': '{}'}
  for name, size in graph.latents:
    missing = [side for side in DENSITIES
               if name not in {f.variable for f in getattr(graph, side)}]
    if missing:
      raise ValueError(
          f"The latent '{name}:{size}' has no {' and no '.join(missing)} "
          f"factor: add '{remedies[missing[0]].format(name)}' to "
          f'`{missing[0]}`, or remove the latent. Received: {graph}')
  if 'x' not in {f.variable for f in graph.generative}:
    raise ValueError(
        f"The generative factors '{graph.generative_text}' have no factor for "
        f"the datum: add 'x|{graph.latent_names[0]}'. Received: {graph}")
  _check_label(graph)


def _check_label(graph):
  """Raises a ValueError if the label has a factor in one graph only."""
  found = {side: factor for side in DENSITIES
           for factor in getattr(graph, side) if factor.variable == 'y'}
  if len(found) != 1:
    return
  (side, factor), = found.items()
  other, example = (('generative', 'y') if side == 'inference'
                    else ('inference', 'y|x'))
  raise ValueError(
      f"The label y has the {side} factor '{factor}' and no {other} factor: "
      f"add '{example}' to `{other}` so that y may be missing, or remove "
      f"'{factor}' so that y is always given. Received: {graph}")


def check_paths(graph):
  """Raises a ValueError unless paths connect x and each latent.

  The paths lead from x to the latent in the inference graph, and from the
  latent to x in the generative graph. There a label may also have parents
  instead: it then depends on x through them.
  """
  for factor in graph.inference:
    if 'x' not in ancestors(graph.inference, factor.variable):
      raise ValueError(
          f"No path leads from x to the inference factor '{factor}', which "
          'is then the same for every datum: write '
          f"'{Factor(factor.variable, (*factor.parents, 'x'))}'. "
          f'Received: inference={graph.inference_text!r}')
  *factors, datum = graph.generative
  for factor in factors:
    if factor.variable not in ancestors(graph.generative, 'x') and not (
        factor.variable == 'y' and factor.parents):
      kind = 'label' if factor.variable == 'y' else 'latent'
      raise ValueError(
          f"No path leads from the generative factor '{factor}' to '{datum}', "
          'so the datum contains no information on it: write '
          f"'{Factor('x', (factor.variable, *datum.parents))}', or remove the "
          f'{kind}. Received: generative={graph.generative_text!r}')
