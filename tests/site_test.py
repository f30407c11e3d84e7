"""The documentation site is complete, and what it names exists."""

import ast
import functools
import importlib
import pathlib
import re
import types

from absl.testing import parameterized
import tensorflow as tf

import tfvae

_DOCS = pathlib.Path(__file__).parents[1] / 'docs'
_NOTEBOOKS = ('first_model', 'from_model_to_server', 'your_own_graph')
# What a user imports: the modules of `tfvae.__all__` and those on demand.
_PACKAGES = sorted(
    {name for name in tfvae.__all__
     if isinstance(getattr(tfvae, name), types.ModuleType)}
    | {'graph', *tfvae._ON_DEMAND})


def _read(page):
  return (_DOCS / page).read_text(encoding='utf-8')


def _find(dotted):
  """The object that a name such as `tfvae.layers.bits_per_dim` stands for."""
  _, package, *path = dotted.split('.')
  return functools.reduce(
      getattr, path, importlib.import_module(f'tfvae.{package}'))


def _cells(name):
  """The Python of a notebook as one tree, each block compiled by itself."""
  path = f'notebooks/{name}.md'
  text, nodes = _read(path), []
  for match in re.finditer(
      r'^```python\n(.*?)^```$', text, re.MULTILINE | re.DOTALL):
    # Blank lines in front, so that an error has the page's own line.
    code = '\n' * text.count('\n', 0, match.start(1)) + match[1]
    nodes += ast.parse(code, path).body
    compile(code, path, 'exec')
  return ast.Module(nodes, [])


def _dotted(node):
  """The name that an attribute of a name is written as, or None."""
  if isinstance(node, ast.Name):
    return node.id
  if isinstance(node, ast.Attribute):
    value = _dotted(node.value)
    return value and f'{value}.{node.attr}'
  return None


def _entries(page):
  """The pages in the tables of contents of a page."""
  text = _read(page)
  blocks = (re.findall(r'^```\{toctree\}\n(.*?)^```$', text, re.M | re.S)
            + re.findall(r'^\.\. toctree::\n((?:   .*\n|\n)*)', text, re.M))
  for line in ''.join(blocks).splitlines():
    line = re.sub(r'.*<(.*)>', r'\1', line.strip())
    if line and not line.startswith(':'):
      base = (pathlib.PurePath(page).parent / line).as_posix()
      yield next(base + suffix for suffix in ('.md', '.rst')
                 if (_DOCS / (base + suffix)).exists())


class SiteTest(parameterized.TestCase, tf.test.TestCase):

  def test_tables_of_contents_reach_every_page(self):
    pages = {path.relative_to(_DOCS).as_posix()
             for path in _DOCS.rglob('*') if path.suffix in ('.md', '.rst')
             and path.relative_to(_DOCS).parts[0] != '_build'}
    reached, unread = {'index.md'}, ['index.md']
    while unread:
      entries = list(_entries(unread.pop()))
      self.assertNoCommonElements(entries, reached)  # None is there twice.
      reached.update(entries)
      unread += entries
    self.assertEqual(reached, pages)

  def test_every_package_has_its_page_of_the_reference(self):
    pages = {path.stem: _read(path) for path in _DOCS.glob('api/*.rst')}
    del pages['index']
    self.assertEqual(sorted(pages), _PACKAGES)
    for package, text in pages.items():
      self.assertIn(f'\n.. public-names:: tfvae.{package}\n', text)

  @parameterized.parameters(*_NOTEBOOKS)
  def test_cells_compile_and_name_what_exists(self, name):
    tree = _cells(name)
    imports = [node for node in tree.body
               if isinstance(node, ast.Import | ast.ImportFrom)
               and 'IPython' not in ast.unparse(node)]
    names, count = {}, 0
    exec(compile(ast.Module(imports, []), name, 'exec'), names)
    for node in ast.walk(tree):
      dotted = _dotted(node) if isinstance(node, ast.Attribute) else None
      first, *path = (dotted or '').split('.')
      if getattr(names.get(first), '__name__', '').startswith('tfvae'):
        functools.reduce(getattr, path, names[first])
        count += 1
    self.assertGreater(count, 5)

  def test_no_notebook_is_left_out(self):
    self.assertEqual(sorted(
        path.stem for path in _DOCS.glob('notebooks/*')), sorted(_NOTEBOOKS))

  def test_entries_of_the_glossary_exist(self):
    rows = re.findall(r'^\| \*\*(.*?)\*\*(.*)', _read('glossary.md'), re.M)
    self.assertGreater(len(rows), 50)
    self.assertLen({term for term, _ in rows}, len(rows))  # None is twice.
    for term, row in rows:
      self.assertRegex(row, r'\]\(\w+\.md(#[\w-]+)?\)', term)  # Its guide.
      for dotted in re.findall(r'`(tfvae[\w.]+)`', row):
        self.assertIsNotNone(_find(dotted), term)


if __name__ == '__main__':
  tf.test.main()
