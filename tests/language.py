"""Checks the language of the project: words, spelling and docstring entries.

  python -m tests.language            # Everything a person reads.
  python -m tests.language README.md tfvae/layers

Prints a line for each finding, `path:line: words: advice`, and exits with 1
where there are any.
"""

import ast
from collections.abc import Iterable, Iterator
import io
import json
import os
import re
import sys
import tokenize

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

PATHS = ('README.md', 'CONTRIBUTING.md', 'CHANGELOG.md', 'SECURITY.md', 'docs',
         'benchmarks', 'serving', 'configs', 'tests', 'tfvae', 'setup.py',
         'train_main.py')

_SUFFIXES = ('.md', '.ipynb', '.py', '.flags', '.html', '.js', '.sh', '.yaml',
             '.config')

# Built, not written, or a list of the words themselves.
_SKIPPED = ('docs/_build', 'docs/api', 'benchmarks/results',
            'tests/language.py', 'tests/docs_test.py')

# Words that do not come back, each with the reason: what to write instead.
PHRASES = (
    (r'whoever', 'names nobody: write the user, the caller or the component'),
    (r'(goes|go|going|went) on(?! to)',
     'not the term: write resume, continue or keep'),
    (r'anew', 'archaic: write again, or rewrites'),
    (r'beside',
     'of place, not of comparison: write compared with, with or next to'),
    (r'as (they|it) comes?', 'vague: write in input order, or unchanged'),
    (r'(the|takes?|after|of|that|as) (first |last )?so many|so many (images|'
     r'steps|draws|examples)', 'no figure: write at most N, or the first N'),
    (r'refuses? what', 'a riddle: write validates, or raises if'),
    (r'a handful|several times|some (?=\d)',
     'no figure: give the number, with its unit'),
    (r'what\b[^.;:?]{0,40} (is|are) to(?= [a-z])|(is|are) to[.;]',
     'a riddle: name the thing, or say that it must'),
    (r'cannot say|worth keeping|gives? way to',
     'a person, not a program: say what is computed'),
    (r'but for', 'archaic: write except'),
    (r'likewise', 'archaic: write also, or the same way'),
    (r'of ours', 'names nobody: write tfvae\'s'),
    (r'for people who|for those who', 'say what the thing is'),
)

# British spelling: a stem that takes -ise in Britain and -ize here, then
# whole words.
_IZE = ('amort|binar|categor|character|custom|discret|emphas|equal|factor|'
        'final|general|initial|jeopard|local|marginal|maxim|minim|modern|'
        'neutral|normal|optim|organ|parallel|parameter|penal|polar|priorit|'
        'quant|random|real|recogn|regular|serial|special|stabil|standard|'
        'summar|symmetr|synchron|synthes|token|util|vector|visual')
_SPELLINGS = (
    rf'\w*(?:{_IZE})is(?:e|es|ed|ing|er|ers|able|ation|ations)',
    r'\w*(?:analys|paralys|catalys)(?:e|ed|ing)',
    r'\w*(?:colour|behaviour|favour|neighbour|honour|flavour|labour|rumour'
    r'|humour|harbour)\w*',
    r'(?:label|model|travel|cancel|signal|level|channel|total|marshal|equal'
    r'|dial|unlabel)l(?:ed|ing|er|ers)',
    r'(?:un)?labelled|(?:de)?centred|centres?|centring|metres?|fibres?|theatres?'
    r'|calibre|litres?|sceptic\w*',
    r'grey\w*|whilst|amongst|learnt|spelt|judgement\w*|artefacts?|defence'
    r'|offence|licence|programme|ageing|moulds?|fulfil|fulfils|skilful|per cent'
    r'|towards|practise[ds]?|enrol|catalogue[ds]?|analogue[s]?',
)
_PHRASES = [
    (re.compile(rf'(?<![\w-])(?:{phrase})(?![\w-])'.replace(' ', r'\s+'),
                re.IGNORECASE), reason)
    for phrase, reason in PHRASES]
_SPELLING = re.compile(
    rf'(?<![^\W_])(?:{"|".join(_SPELLINGS)})(?![^\W_])'.replace(' ', r'\s+'),
    re.IGNORECASE)
_RIDDLE = re.compile(r'(?:\A|[.!]\s+|\n\s*\n\s*)((?:What|How|Who)\b[^?]*?[.:])')
_SECTION = re.compile(
    r'^( *)(Args|Attributes|Call arguments|Raises|Returns|Yields)\b'
    r'(?:, [^:]*)?:(?: +(.+))?$')
_ENTRY = re.compile(
    r'(\*{0,2}[A-Za-z_][\w.]*(?:, \*{0,2}[A-Za-z_][\w.]*)*)'
    r'(?: \([^)]*\))?:(?:\s+|$)(.*)', re.DOTALL)
_FRAGMENTS = ('Of ', 'What ', 'How ', 'Gets ', 'As of ')

Finding = tuple[int, str, str]


def _matches(line: int, text: str) -> Iterator[Finding]:
  """Yields the words of a text that do not belong in it."""
  for pattern, reason in _PHRASES:
    for match in pattern.finditer(text):
      yield line + text.count('\n', 0, match.start()), match[0], reason
  for match in _SPELLING.finditer(text):
    yield (line + text.count('\n', 0, match.start()), match[0],
           'British: write it the American way')


def _entry(line: int, name: str, text: str) -> Iterator[Finding]:
  """Yields the findings of one entry of a section."""
  symbol = re.match(r'(?!a )[^\W\d_](?![\w\'])', text)  # A letter of a formula.
  dotted = re.match(r'\w+\.\w', text)  # Such as tf.Tensor.
  words = f'{name}: {" ".join(text.split()[:4])}'
  if text[:1].islower() and not symbol and not dotted:
    yield line, words, 'an entry begins with a capital'
  elif text.startswith(_FRAGMENTS):
    yield line, words, 'an entry is a noun phrase'


def _entries(lines: list[str], start: int) -> Iterator[tuple[int, str]]:
  """Yields each entry below a section's heading, with its line."""
  indent = len(lines[start]) - len(lines[start].lstrip())
  entry_indent, begin, parts = None, 0, []
  for number in range(start + 1, len(lines) + 1):
    text = lines[number] if number < len(lines) else ''
    depth = len(text) - len(text.lstrip())
    if not text.strip() or depth <= indent:
      break
    entry_indent = depth if entry_indent is None else entry_indent
    if depth <= entry_indent:
      if parts:
        yield begin, ' '.join(parts)
      begin, parts = number, []
    parts.append(text.strip())
  if parts:
    yield begin, ' '.join(parts)


def docstring_findings(line: int, docstring: str) -> Iterator[Finding]:
  """Yields the riddles of a docstring, and its entries without a capital."""
  for match in _RIDDLE.finditer(docstring):
    yield (line + docstring.count('\n', 0, match.start(1)),
           ' '.join(match[1].split()[:3]), 'say what the thing is')
  lines = docstring.splitlines()
  for number, text in enumerate(lines):
    heading = _SECTION.match(text)
    if not heading:
      continue
    entries = ([(number, heading[3])] if heading[3]
               else list(_entries(lines, number)))
    if heading[2] in ('Returns', 'Yields'):
      # One text, whose later lines may stand at the same indent.
      entries = [(at, f'{heading[2]}: {text}') for at, text in entries[:1]]
    for at, entry in entries:
      parts = _ENTRY.fullmatch(entry)
      if parts:
        yield from _entry(line + at, parts[1], parts[2])


def _strings(tree: ast.AST) -> Iterator[tuple[int, str, bool]]:
  """Yields `(line, text, is a docstring)` of each string of a module."""
  docstrings, inner = set(), set()
  for node in ast.walk(tree):
    if isinstance(node, ast.JoinedStr):
      inner.update(map(id, node.values))
      yield node.lineno, ''.join(
          value.value if isinstance(value, ast.Constant) else '{}'
          for value in node.values), False
    elif isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)):
      first = node.body[0] if node.body else None
      if isinstance(first, ast.Expr):
        docstrings.add(id(first.value))
  for node in ast.walk(tree):
    if (isinstance(node, ast.Constant) and isinstance(node.value, str)
        and id(node) not in inner):
      yield node.lineno, node.value, id(node) in docstrings


def _comments(source: str) -> Iterator[tuple[int, str]]:
  """Yields each comment; lines of comment in a row are one."""
  begin, last, parts = 0, None, []
  for token in tokenize.generate_tokens(io.StringIO(source).readline):
    if token.type == tokenize.COMMENT:
      if parts and token.start[0] != last + 1:
        yield begin, '\n'.join(parts)
        parts = []
      begin, last = begin if parts else token.start[0], token.start[0]
      parts.append(token.string.lstrip('# '))
  if parts:
    yield begin, '\n'.join(parts)


def python_findings(source: str) -> Iterator[Finding]:
  """Yields the findings of the strings and comments of a module."""
  for line, text, is_docstring in _strings(ast.parse(source)):
    yield from _matches(line, text)
    if is_docstring:
      yield from docstring_findings(line, text)
  for line, text in _comments(source):
    yield from _matches(line, text)


def findings(path: str) -> list[Finding]:
  """Returns `(line, words, advice)` of each finding in a file, in order."""
  with open(path, encoding='utf-8') as file:
    text = file.read()
  if path.endswith('.py'):
    found = python_findings(text)
  elif path.endswith('.ipynb'):
    found = _matches(1, '\n'.join(
        ''.join(cell['source']) for cell in json.loads(text)['cells']))
  else:
    found = _matches(1, re.sub(r'(?m)^(#+) ?', ' ', text))
  return sorted(set(found))


def files(paths: Iterable[str] = PATHS, root: str = ROOT) -> list[str]:
  """Returns the files that a person reads, under paths that may be absent."""
  found = []
  for path in (os.path.join(root, path) for path in paths):
    if os.path.isfile(path):
      found.append(path)
    for directory, _, names in os.walk(path):
      relative = os.path.relpath(directory, root)
      if not relative.startswith(_SKIPPED) and '__pycache__' not in relative:
        found += [os.path.join(directory, name) for name in names
                  if name.endswith(_SUFFIXES)
                  and not os.path.join(relative, name).startswith(_SKIPPED)]
  return sorted(found)


def main(paths: list[str]) -> int:
  """Prints the findings of files and directories, and counts them."""
  count = 0
  for path in files(paths, os.getcwd()) if paths else files():
    for line, words, advice in findings(path):
      count += 1
      print(f'{os.path.relpath(path)}:{line}: {" ".join(words.split())}: '
            f'{advice}')
  return count


if __name__ == '__main__':
  sys.exit(bool(main(sys.argv[1:])))
