"""Sphinx extension that shows Markdown files from outside `docs/` as pages.

A page below `docs/project/` is, on GitHub, one link to such a file; on the
site it has the text of the file. Links to the file lead to the page.
"""

import os
import pathlib
import re
from typing import Any

from sphinx.application import Sphinx

_LINK = re.compile(r'\]\((?!https?:|#)([^)#\s]+)((?:#[^)\s]*)?)\)')


def sources(docs: pathlib.Path) -> dict[str, pathlib.Path]:
  """Returns the file that stands behind each page of `docs/project/`."""
  found = {}
  for page in sorted(docs.glob('project/*.md')):
    target = _LINK.search(page.read_text(encoding='utf-8'))[1]
    found[f'project/{page.stem}'] = (page.parent / target).resolve()
  return found


def _replace(app: Sphinx, name: str, source: list[str]):
  """Puts the file in the place of its page, and leads links to the pages."""
  docs = pathlib.Path(app.srcdir)
  behind = sources(docs)
  pages = {file: docs / f'{page}.md' for page, file in behind.items()}
  here = docs / name
  origin = here
  if name in behind:
    origin = behind[name]
    app.env.note_dependency(str(origin))
    source[0] = origin.read_text(encoding='utf-8')

  def moved(match):
    target = (origin.parent / match[1]).resolve()
    target = os.path.relpath(pages.get(target, target), here.parent)
    return f']({target}{match[2]})'

  if os.fspath(app.env.doc2path(name)).endswith('.md'):
    source[0] = _LINK.sub(moved, source[0])


def setup(app: Sphinx) -> dict[str, Any]:
  """Rewrites sources as they are read."""
  app.connect('source-read', _replace)
  return {'parallel_read_safe': True}
