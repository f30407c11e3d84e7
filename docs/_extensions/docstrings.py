"""Sphinx extension that reads the docstrings of tfvae as they are written.

They are plain text in Google's form: a formula is an indented block, code
stands between backticks, and `*`, `|` and `_` mean themselves. This extension
turns that into reStructuredText before napoleon reads the sections.
"""

import inspect
import re
from typing import Any

from sphinx.application import Sphinx
from sphinx.util import inspect as sphinx_inspect

_SECTION = re.compile(
    r'(Args|Attributes|Call arguments|Examples?|Raises|Returns'
    r'|Returns, when called|Yields):$')
_CODE = re.compile(r'(``[^`]+``|`[^`]+`)')
_NAME = re.compile(r'[A-Za-z_][\w.]*(\(\))?')
# Characters that may stand before and after inline markup.
_OPENING = ' \n-:/\'"<([{'
_CLOSING = ' \n-:/\'")]}>.,;!?'


def to_rst(lines: list[str]) -> list[str]:
  """Returns a docstring as reStructuredText with Google's sections."""
  result, prose, in_section = [], [], False
  fence = None  # Indentation of the fenced block that is open.

  def flush():
    result.extend(_inline('\n'.join(prose)).split('\n') if prose else ())
    prose.clear()

  for index, line in enumerate(lines):
    indent = len(line) - len(line.lstrip())
    if line.lstrip().startswith('```'):
      flush()
      if fence is None:
        result += ['', ' ' * indent + f'.. code-block:: {line.strip("` ")}', '']
      fence = indent if fence is None else None
    elif fence is not None:
      result.append(f'  {line}')
    elif not line.strip():
      prose.append('')
    elif indent and not in_section:
      if not index or not lines[index - 1].strip():  # The block begins.
        flush()
        if not _in_literal(result):
          result += ['.. code-block:: text', '']
      target = prose if prose and prose[-1] else result
      target.append(line if target is prose else f'  {line}')
    else:
      if indent == 0:
        in_section = bool(_SECTION.match(line))
      prose.append(line)
  flush()
  return _protect_returns(result)


def _in_literal(result: list[str]) -> bool:
  """Returns whether the last line that is not blank belongs to a formula."""
  for line in reversed(result):
    if line.strip():
      return line.startswith('    ')
  return False


def _inline(text: str) -> str:
  """Returns prose with its code marked up and everything else escaped."""
  parts = _CODE.split(text)
  for index, part in enumerate(parts):
    if index % 2 == 0:
      part = re.sub(r'([*|\\])', r'\\\1', part)
      # A name at the start of an entry is napoleon's to escape.
      part = re.sub(r'(?<=\w)_(?![\w:])', r'\\_', part)
      # `num_draws: L.` begins no list.
      parts[index] = re.sub(r'(?m)(?<=: )(\w\.)$', r'\\\1', part)
      continue
    code = re.sub(r'\s*\n\s*', ' ', part.strip('`'))
    code = f':py:obj:`{code}`' if _NAME.fullmatch(code) else f'``{code}``'
    before, after = parts[index - 1][-1:], parts[index + 1][:1]
    parts[index] = (('' if before in _OPENING else '\\ ') + code
                    + ('' if after in _CLOSING else '\\ '))
  return ''.join(parts)


def _protect_returns(lines: list[str]) -> list[str]:
  """Keeps napoleon from reading text before a colon as the type returned."""
  result = []
  for index, line in enumerate(lines):
    if index and lines[index - 1] in ('Returns:', 'Yields:') and ':' in line:
      result.append(line[:len(line) - len(line.lstrip())] + '\\ ')
    result.append(line)
  return result


def _process(app: Sphinx, what: str, name: str, documented: Any, options: Any,
             lines: list[str]):
  """Rewrites a docstring in place, as autodoc asks for."""
  del app, name, options
  text = '\n'.join(lines).strip()
  if what == 'data' and text == inspect.getdoc(type(documented)):
    text = ''  # That of `dict`, say, and not of this one.
  if what in ('class', 'exception'):
    constructor = inspect.cleandoc(documented.__init__.__doc__ or '')
    if text == constructor.strip():
      # "Initializes the …" says nothing below the description of the class.
      text = re.sub(r'\AInitiali.*?(\n\n|\Z)', '', text, flags=re.DOTALL)
  lines[:] = [*to_rst(text.split('\n')), '']


def _sign(app: Sphinx, what: str, name: str, documented: Any, options: Any,
          signature: str | None, returned: str | None):
  """Returns the signature of the constructor, which Keras hides."""
  del app, name, options
  if what != 'class' or signature != '(*args, **kwargs)':
    return None
  return sphinx_inspect.stringify_signature(
      sphinx_inspect.signature(documented.__init__, bound_method=True),
      show_return_annotation=False, unqualified_typehints=True), returned


def setup(app: Sphinx) -> dict[str, Any]:
  """Runs before napoleon, whose priority is 500."""
  app.connect('autodoc-process-docstring', _process, priority=400)
  app.connect('autodoc-process-signature', _sign)
  return {'parallel_read_safe': True}
