"""Imports between rooms, compared with docs/architecture.md."""

import ast
import importlib.util
import pathlib
import re

from absl.testing import parameterized
import tensorflow as tf

_ROOT = pathlib.Path(__file__).parents[1]
_PACKAGE = _ROOT / 'tfvae'
_PAGE = _ROOT / 'docs' / 'architecture.md'


def _drawn_rooms():
  """Returns the lines of rooms of the page's picture, from the top."""
  spec = importlib.util.spec_from_file_location(
      'make_images', _ROOT / 'docs' / 'make_images.py')
  module = importlib.util.module_from_spec(spec)
  spec.loader.exec_module(module)
  return module.ROOMS


# From the top to the bottom; a room imports rooms of lower lines alone. `data`
# is drawn next to the others.
_LEVELS = tuple(
    (*rooms, 'data') if 'layers' in rooms else rooms
    for rooms in _drawn_rooms())
_FOUNDATION = {room for rooms in _LEVELS[-2:] for room in rooms}
# Subrooms of a room from the top to the bottom; files of the room itself may
# import them all.
_SUBROOMS = {
    'data': (('description',), ('batches', 'splits'), ('binarization',),
             ('storage',), ('sources', 'moments')),
    'layers': (('columns',), ('likelihoods', 'posteriors'), ('base',)),
}
# Earlier module names that stay importable.
_ALIASES = {'learning_rates'}


def _modules():
  """Yields the dotted name of each module below the package, and its file."""
  for path in sorted(_PACKAGE.rglob('*.py')):
    parts = path.relative_to(_PACKAGE).with_suffix('').parts
    if parts != ('__init__',):
      yield '.'.join(part for part in parts if part != '__init__'), path


_FILES = dict(_modules())


def _imports(path):
  """Yields the modules below the package that a file imports."""
  for node in ast.walk(ast.parse(path.read_text(encoding='utf-8'))):
    names = []
    if isinstance(node, ast.Import):
      names = [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom):
      names = [f'{node.module}.{alias.name}' for alias in node.names]
    for name in names:
      top, _, rest = name.partition('.')
      if top != 'tfvae':
        continue
      while rest and rest not in _FILES:  # A class or function of a module.
        rest = rest.rpartition('.')[0]
      if rest:
        yield rest


def _level(room):
  return next(i for i, rooms in enumerate(_LEVELS) if room in rooms)


def _table(heading):
  """Returns the first column of the table below a line of the page."""
  text = _PAGE.read_text(encoding='utf-8').split(heading, 1)[1]
  rows = re.match(r'\n(?:\|.*\n)+', text)[0]
  return re.findall(r'^\| `([^`]+)`', rows, re.MULTILINE)


class ArrowsTest(parameterized.TestCase, tf.test.TestCase):

  def test_levels_have_every_room(self):
    rooms = {name.split('.')[0] for name in _FILES} - _ALIASES
    self.assertEqual({room for rooms in _LEVELS for room in rooms}, rooms)

  def test_imports_point_down(self):
    for name, path in _FILES.items():
      room = name.split('.')[0]
      if room in _ALIASES:
        continue
      for imported in _imports(path):
        other = imported.split('.')[0]
        if other != room:
          self.assertLess(_level(room), _level(other),
                          f'{name} imports {imported}')

  def test_data_stand_apart(self):
    for name, path in _FILES.items():
      room = name.split('.')[0]
      others = {imported.split('.')[0] for imported in _imports(path)} - {room}
      if room == 'data':
        self.assertContainsSubset(others, _FOUNDATION, name)
      elif 'data' in others:
        self.assertIn(room, ('training', '__main__'), name)

  @parameterized.parameters(*([room] for room in _SUBROOMS))
  def test_imports_of_subrooms_point_down(self, room):
    levels = {subroom: i for i, subrooms in enumerate(_SUBROOMS[room])
              for subroom in subrooms}
    for name, path in _FILES.items():
      subroom = name.split('.')[1:2]
      if not name.startswith(f'{room}.') or subroom[0] not in levels:
        continue
      for imported in _imports(path):
        top, *rest = imported.split('.')
        if top == room and rest[:1] != subroom:
          self.assertNotEmpty(rest, f'{name} imports its own room')
          self.assertLess(levels[subroom[0]], levels[rest[0]],
                          f'{name} imports {imported}')

  def test_no_module_imports_itself_through_others(self):
    graph = {name: set(_imports(path)) - {name}
             for name, path in _FILES.items()}
    finished, path = set(), []

    def visit(name):
      self.assertNotIn(name, path, f'A circle: {path} {name}')
      if name in finished:
        return
      path.append(name)
      for imported in sorted(graph[name]):
        visit(imported)
      finished.add(path.pop())

    for name in graph:
      visit(name)


class PageTest(tf.test.TestCase):

  def test_table_of_rooms_is_in_the_order_of_the_levels(self):
    rooms = [name.removeprefix('tfvae.')
             for name in _table('| room | content |')[0:]]
    self.assertEqual(
        set(rooms), {room for rooms in _LEVELS for room in rooms})
    levels = [_level(room) for room in rooms if room != 'data']
    self.assertEqual(levels, sorted(levels))

  def test_table_of_subrooms_has_each_directory(self):
    directories = {
        path.parent.relative_to(_PACKAGE).as_posix()
        for path in _PACKAGE.rglob('__init__.py')}
    self.assertEqual(
        set(_table('| subroom | content |')),
        {name for name in directories if '/' in name})

  def test_names_of_the_page_exist(self):
    text = _PAGE.read_text(encoding='utf-8')
    for path in re.findall(r'`((?:tfvae|tests)/[\w/]+(?:\.py)?)`', text):
      # Bazel gives a test no other test.
      if path.startswith('tfvae') or (_ROOT / 'tests' / 'layers').exists():
        self.assertTrue((_ROOT / path).exists(), path)


if __name__ == '__main__':
  tf.test.main()
