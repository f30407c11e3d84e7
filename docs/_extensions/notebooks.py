"""Sphinx extension that runs the Python of `docs/notebooks/*.md`.

On GitHub they are plain Markdown with blocks of Python, and jupytext opens them
as notebooks. On the site each block becomes a cell, which MyST-NB executes.
"""

import re
from typing import Any

from sphinx.application import Sphinx

_FENCE = re.compile(r'^```python$', re.MULTILINE)
_FRONT_MATTER = '''---
file_format: mystnb
kernelspec:
  name: python3
---

'''


def _make_cells(app: Sphinx, name: str, source: list[str]):
  """Makes a notebook of the text of a page, if it is to be executed."""
  if name.startswith('notebooks/') and app.config.nb_execution_mode != 'off':
    source[0] = _FRONT_MATTER + _FENCE.sub('```{code-cell}', source[0])


def _prepare_data(app: Sphinx):
  """Prepares the digits, as TFDS prints its progress where it does that."""
  if app.config.nb_execution_mode != 'off':
    from tfvae import data
    data.load('digits')


def setup(app: Sphinx) -> dict[str, Any]:
  """Rewrites sources as they are read."""
  app.connect('builder-inited', _prepare_data)
  app.connect('source-read', _make_cells)
  return {'parallel_read_safe': True}
