"""The sdist and the wheel, and the declarations of BUILD and setup.py."""

import ast
import email
import glob
import importlib.metadata
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import tensorflow as tf

import tfvae

_ROOT = pathlib.Path(__file__).parents[1]
# The files of a clone. A checkout may hold others.
_TREE = ('*.cff', '*.in', '*.md', '*.py', '*.toml', '*.txt',
         '.pre-commit-config.yaml', 'BUILD', 'LICENSE', 'MODULE.bazel',
         'benchmarks/**', 'configs/**', 'docs/**', 'serving/**',
         'tests/**/*.py', 'tests/fixtures/**', 'tfvae/**')
_BUILT = ('docs/_build/**',)
# Modules whose tests are skipped where they are not installed.
_OPTIONAL = ('anndata', 'apache_beam')
_BUILD_HOOK = ('import sys; from setuptools import build_meta; '
               'getattr(build_meta, sys.argv[1])(sys.argv[2])')


def _normal(name):
  """A distribution's name as a label of `@pypi` has it."""
  return re.sub(r'[-_.]+', '_', name).lower()


def _files(*patterns, exclude=()):
  """Files of the tree by patterns, as `glob` in BUILD finds them."""
  found, excluded = [
      {path for pattern in some
       for path in glob.glob(pattern, root_dir=_ROOT, recursive=True)
       if (_ROOT / path).is_file() and '__pycache__' not in path}
      for some in (patterns, exclude)]
  return sorted(found - excluded)


def _imports(path):
  """The modules that a file imports, at its top or elsewhere."""
  for node in ast.walk(ast.parse((_ROOT / path).read_text(encoding='utf-8'))):
    if isinstance(node, ast.Import):
      yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and not node.level:
      yield node.module


def _targets():
  """The attributes of BUILD's targets, by name; it is Python enough to run."""
  targets = {}

  def rule(name, **attributes):
    targets[name] = attributes

  names = dict.fromkeys(
      ('py_binary', 'py_library', 'py_test', 'filegroup'), rule)
  ignored = dict.fromkeys(
      ('exports_files', 'licenses', 'load', 'package'), lambda *_, **__: None)
  code = compile((_ROOT / 'BUILD').read_text(encoding='utf-8'), 'BUILD', 'exec')
  exec(code, names | ignored | {
      'glob': lambda patterns, exclude=(): _files(*patterns, exclude=exclude)})
  return targets


class InstalledTest(tf.test.TestCase):

  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    directory = pathlib.Path(cls.enterClassContext(
        tempfile.TemporaryDirectory()))
    tree = directory / 'tree'
    for path in _files(*_TREE, exclude=_BUILT):
      (tree / path).parent.mkdir(parents=True, exist_ok=True)
      shutil.copyfile(_ROOT / path, tree / path)
    cls._build('sdist', tree, directory)
    sdist, = directory.glob('*.tar.gz')
    shutil.unpack_archive(sdist, directory)
    cls.sdist = directory / f'tfvae-{tfvae.__version__}'
    # As pip does it: the wheel is made of the sdist alone.
    cls._build('wheel', cls.sdist, directory)
    wheel, = directory.glob('*.whl')
    cls.site = directory / 'site'
    shutil.unpack_archive(wheel, cls.site, 'zip')
    cls.files = {path.relative_to(cls.site).as_posix()
                 for path in cls.site.rglob('*') if path.is_file()}
    cls.information = cls.site / f'tfvae-{tfvae.__version__}.dist-info'

  @classmethod
  def _build(cls, kind, tree, directory):
    subprocess.run(
        [sys.executable, '-c', _BUILD_HOOK, f'build_{kind}', directory],
        cwd=tree, check=True, capture_output=True)

  def test_wheel_holds_the_package_and_the_configs(self):
    configs = [f'tfvae/{path}' for path in _files('configs/*')]
    self.assertLen(configs, 8)
    self.assertEqual(
        {name for name in self.files if '.dist-info/' not in name},
        {*_files('tfvae/**'), *configs})

  def test_wheel_holds_the_license(self):
    text, = self.information.rglob('LICENSE')
    self.assertEqual(text.read_bytes(), (_ROOT / 'LICENSE').read_bytes())

  def test_sdist_holds_what_the_tests_need(self):
    for path in _files(*_TREE, exclude=_BUILT):
      self.assertTrue((self.sdist / path).is_file(), path)

  def test_wheel_requires_what_build_has(self):
    metadata = email.message_from_string(
        (self.information / 'METADATA').read_text(encoding='utf-8'))
    required = {re.match(r'[\w.-]+', line)[0]
                for line in metadata.get_all('Requires-Dist')
                if 'extra ==' not in line}
    self.assertEqual(
        {f'@pypi//{_normal(name)}' for name in required},
        set(_targets()['tfvae']['deps']))

  def test_runs_outside_the_repository_with_a_packaged_config(self):
    done = subprocess.run(
        [sys.executable, '-m', 'tfvae', '--flagfile=configs/digits.flags',
         '--epochs=0'], cwd=self.site.parent, capture_output=True, text=True,
        env=os.environ | {'PYTHONPATH': os.pathsep.join(
            [str(self.site), *sys.path])}, check=False)
    self.assertEqual(done.returncode, 1, done.stderr)
    self.assertEndsWith(done.stderr, 'python -m tfvae: error: --epochs must be '
                        'at least 1. Received: epochs=0\n')
    self.assertNotIn('cpu_feature_guard', done.stderr)  # Start-up messages.

  def test_console_script_is_the_same_program(self):
    script, = importlib.metadata.Distribution.at(
        self.information).entry_points.select(group='console_scripts')
    self.assertEqual(script.name, 'tfvae-train')
    self.assertEqual(script.value, 'tfvae.__main__:run')


class DeclaredTest(tf.test.TestCase):

  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.targets = _targets()

  def test_every_import_is_a_dep(self):
    distributions = importlib.metadata.packages_distributions()
    for name, attributes in self.targets.items():
      deps = {dep.split('/')[-1] for dep in attributes.get('deps', ())}
      for path in attributes['srcs'] if deps else ():
        for module in _imports(path):
          top = module.split('.')[0]
          # `google` has several, and what is not installed none.
          owners = distributions.get(top, ())
          if owners and top not in ('tests', 'tfvae', *_OPTIONAL):
            self.assertTrue(
                deps.intersection(map(_normal, owners)),
                f'{path} imports {module}: //:{name} needs {owners}')

  def test_every_dep_is_pinned(self):
    text = (_ROOT / 'constraints.txt').read_text(encoding='utf-8')
    pinned = re.findall(r'^([\w.-]+)==', text, re.MULTILINE)
    deps = {dep for attributes in self.targets.values()
            for dep in attributes.get('deps', ()) if dep.startswith('@')}
    self.assertEmpty(deps - {f'@pypi//{_normal(name)}' for name in pinned})

  def test_every_file_of_the_package_is_in_the_library(self):
    library = self.targets['tfvae']
    self.assertEqual({*library['srcs'], *library['data']},
                     {*_files('tfvae/**'), ':configs'})
    self.assertEqual(self.targets['configs']['srcs'], _files('configs/*'))

  def test_every_file_that_tests_read_is_in_the_documents(self):
    self.assertContainsSubset(
        _files('benchmarks/**', 'docs/**', 'serving/**', 'tests/fixtures/**',
               exclude=_BUILT),
        self.targets['documents']['srcs'])

  def test_every_file_of_the_tests_is_in_a_target(self):
    files = {path for attributes in self.targets.values()
             for path in attributes['srcs']
             if path.startswith('tests/') and path.endswith('.py')}
    self.assertEqual(
        files, {*_files('tests/**/*.py')} - {'tests/conftest.py'})

  def test_version_is_that_of_the_package(self):
    self.assertIn(f'version = "{tfvae.__version__}"',
                  (_ROOT / 'MODULE.bazel').read_text(encoding='utf-8'))
    self.assertIn(f'\nversion: {tfvae.__version__}\n',
                  (_ROOT / 'CITATION.cff').read_text(encoding='utf-8'))

  def test_pre_commit_has_the_linter_of_the_constraints(self):
    pin, = re.findall(
        r'"(ruff==[^"]+)"',
        (_ROOT / '.pre-commit-config.yaml').read_text(encoding='utf-8'))
    self.assertIn(f'\n{pin}\n',
                  (_ROOT / 'constraints.txt').read_text(encoding='utf-8'))


if __name__ == '__main__':
  tf.test.main()
