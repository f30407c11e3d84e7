"""Sphinx extension that documents what the packages of tfvae export.

`.. public-names:: tfvae.layers` stands for the docstring of the package, a
table of the names in its `__all__`, and the documentation of each. In the
guides, code such as `tfvae.layers.IndependentBernoulli` becomes a link to it.
"""

from collections.abc import Mapping
import importlib
import inspect
import itertools
import re
from types import ModuleType
from typing import Any

from docutils import nodes
from docutils.statemachine import StringList
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

_DOTTED = re.compile(r'tfvae(\.[A-Za-z_]\w*)+')


def exported(package: ModuleType) -> dict[str, Any]:
  """Returns the public names of a package but modules, classes first."""
  names = getattr(package, '__all__', None) or [
      name for name, value in vars(package).items()
      if not name.startswith('_')
      and getattr(value, '__module__', None) == package.__name__]
  found = {name: getattr(package, name) for name in names}
  return {name: found[name] for name in sorted(
      found, key=lambda name: not inspect.isclass(found[name]))
          if not isinstance(found[name], ModuleType)}


def home(package: str, name: str, value: Any) -> str:
  """Returns the package that documents a name which several may export."""
  room = '.'.join(getattr(value, '__module__', package).split('.')[:2])
  if room.startswith('tfvae.'):
    if exported(importlib.import_module(room)).get(name) is value:
      return room
  return package


def _summarized(package: str, name: str, value: Any) -> str:
  """Returns the entry of a name in the table of its package."""
  room = home(package, name, value)
  return name if room == package else f'~{room}.{name}'


def _documentation(name: str, value: Any) -> list[str]:
  """Returns the directive of autodoc for an object of the present module."""
  if inspect.isclass(value):
    kind = 'exception' if issubclass(value, Exception) else 'class'
    bases = [] if value.__bases__ == (object,) else ['   :show-inheritance:']
    return [f'.. auto{kind}:: {name}', '   :members:', *bases, '']
  if inspect.isroutine(value):
    return [f'.. autofunction:: {name}', '']
  if isinstance(value, Mapping):  # Its values may have addresses in them.
    keys = ', '.join(f'``{key!r}``' for key in value)
    return [f'.. autodata:: {name}', '   :no-value:', '', f'   Keys: {keys}.',
            '']
  return [f'.. autodata:: {name}', '']


class PublicNames(SphinxDirective):
  """Documentation of a package by the names that it exports."""

  required_arguments = 1

  def run(self) -> list[nodes.Node]:
    """Returns the nodes of the package's page."""
    package = self.arguments[0]
    values = exported(importlib.import_module(package))
    lines = [f'.. automodule:: {package}', '   :no-members:', '',
             f'.. currentmodule:: {package}', '',
             '.. autosummary::', '   :nosignatures:', '',
             *(f'   {_summarized(package, name, value)}'
               for name, value in values.items() if callable(value)), '']
    for name, value in values.items():
      if home(package, name, value) == package:
        lines += _documentation(name, value)
    node = nodes.Element()
    self.state.nested_parse(
        StringList(lines, source=self.get_source_info()[0]), 0, node)
    return node.children


def documented_name(dotted: str) -> str:
  """Returns the name under which the reference has a public name.

  `tfvae.VAE` stands in `tfvae.models`, and an inherited method with the class
  that defines it.
  """
  _, *path = dotted.split('.')
  values = list(itertools.accumulate(
      path, getattr, initial=importlib.import_module('tfvae')))
  if len(path) == 1 and inspect.isclass(values[-1]):
    room = '.'.join(values[-1].__module__.split('.')[:2])
    return f'{room}.{path[-1]}'
  package, owner = values[1], values[-2]
  if inspect.isclass(owner) and len(path) == 3:
    for base in owner.__mro__:
      public = getattr(package, base.__name__, None) is base
      if public and path[-1] in vars(base):
        return f'tfvae.{path[0]}.{base.__name__}.{path[-1]}'
  return dotted


def _link_code(app: Sphinx, doctree: nodes.document):
  """Makes code that begins with a public name a reference to it."""
  del app
  for literal in list(doctree.findall(nodes.literal)):
    match = _DOTTED.match(literal.astext())
    if not match or isinstance(
        literal.parent, addnodes.pending_xref | nodes.reference):
      continue
    try:
      name = documented_name(match[0])
    except AttributeError:  # Not a name, or one that is not public.
      continue
    reference = addnodes.pending_xref(
        '', refdomain='py', reftype='obj', refexplicit=True, refwarn=False,
        reftarget=name)
    literal.replace_self(reference)
    reference += literal


def setup(app: Sphinx) -> dict[str, Any]:
  """Registers the directive and the links."""
  app.add_directive('public-names', PublicNames)
  app.connect('doctree-read', _link_code)
  return {'parallel_read_safe': True}
