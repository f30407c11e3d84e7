"""The code of the guides runs, their flags parse, their language is plain."""

import importlib.util
import json
import os
import re
import shlex

from absl import flags
from absl.testing import parameterized
from matplotlib import image as matplotlib_image
import numpy as np
import tensorflow as tf

from tests import language
from tfvae import anomaly
from tfvae import models
from tfvae import serving
from tfvae.evaluation import MEASURES
from tfvae.graph import GraphicalModel
from tfvae.pipelines import encode
from tfvae.report.sections.explanations import explanations
from tfvae.training import config_from_flags
from tfvae.training import define_flags
from tfvae.training.command_line.modes import FIRST_MODES
from tfvae.training.flag_names import as_flags

_ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_PROGRAM = ['python', 'train_main.py']
_NUM_IMAGES = 32
_GUIDES = ('docs/data.md', 'docs/models.md', 'docs/evaluation.md',
           'docs/serving.md', 'docs/prediction.md', 'docs/reuse.md',
           'docs/missing.md', 'docs/anomalies.md')
_PAGES = ('README.md', *_GUIDES)
# Without Python.
_RUN_GUIDES = ('docs/training.md', 'docs/scaling.md')
_BENCHMARKS = ('docs/benchmarks.md', 'benchmarks/README.md')


def _read(path):
  with open(os.path.join(_ROOT, path), encoding='utf-8') as file:
    return file.read()


def _blocks(path, language):
  """The fenced code blocks of a language, as `(line number, text)`."""
  text = _read(path)
  return [(text.count('\n', 0, match.start(1)) + 1, match[1])
          for match in re.finditer(
              rf'^```{language}\n(.*?)^```$', text, re.MULTILINE | re.DOTALL)]


def _commands(text):
  """The arguments of each `python train_main.py` of a shell block."""
  lines = map(shlex.split, text.replace('\\\n', ' ').splitlines())
  return [words[2:] for words in lines if words[:2] == _PROGRAM]


def _prose(path):
  """The text outside fenced blocks."""
  return re.sub(r'^```.*?^```$', '', _read(path),
                flags=re.MULTILINE | re.DOTALL)


def _without_beam(text):
  """Returns a text without the section of another program, with its flags."""
  return text.split('\n## Beam\n')[0]


def _rows(path):
  """The rows of all tables of a page, as tuples of cells."""
  return [tuple(cell.strip() for cell in line[1:-1].split(' | '))
          for line in re.findall(r'^\|.*\|$', _prose(path), re.MULTILINE)]


def _anchors(path):
  """What links into a page may name: its headings, as GitHub writes them."""
  return {re.sub(r'[^\w -]', '', heading.lower()).replace(' ', '-')
          for heading in re.findall(r'^#+ (.*)$', _prose(path), re.MULTILINE)}


def _config(arguments):
  flag_values = flags.FlagValues()
  define_flags(flag_values)
  rest = flag_values(['train_main.py', *arguments])
  if len(rest) > 1:
    raise ValueError(f'These are no flags: {rest[1:]}')
  return flag_values, config_from_flags(flag_values)


def _make_images():
  """The module that makes the pictures."""
  spec = importlib.util.spec_from_file_location(
      'make_images', os.path.join(_ROOT, 'docs', 'make_images.py'))
  module = importlib.util.module_from_spec(spec)
  spec.loader.exec_module(module)
  return module


class DocsTest(parameterized.TestCase, tf.test.TestCase):

  @parameterized.parameters(*_PAGES)
  def test_python_blocks_run(self, path):
    rng = np.random.default_rng(0)
    images = rng.integers(2, size=(_NUM_IMAGES, 28, 28, 1)).astype(np.float32)
    labels = np.eye(10, dtype=np.float32)[rng.integers(10, size=_NUM_IMAGES)]
    names = {'x_train': images, 'x_test': images[:8],
             'y_train': labels, 'y_test': labels[:8],
             'factors': np.arange(2 * _NUM_IMAGES).reshape(-1, 2) // 3 % 2}
    self.addCleanup(tf.config.run_functions_eagerly, False)
    self.addCleanup(os.chdir, os.getcwd())
    os.chdir(self.create_tempdir().full_path)  # For what the blocks write.
    blocks = _blocks(path, 'python')
    self.assertNotEmpty(blocks)
    for line, text in blocks:
      # README.md trains on real images, for seconds; the guides for minutes.
      text = re.sub(r'epochs=\d+', 'epochs=1', text)
      # A single step, unlike a loop, is quicker than the trace of one.
      tf.config.run_functions_eagerly(
          path != 'README.md' and 'num_steps' not in text)
      # Blank lines in front, so that a traceback has the guide's own lines.
      code = '\n' * (line - 1) + text
      exec(compile(code, os.path.join(_ROOT, path), 'exec'), names)
    if path == 'README.md':
      self.assertGreater(*matplotlib_image.imread('samples.png').shape[1::-1])
      self.assertAllInRange(names['samples'], 0, 1)
    if path == 'docs/models.md':
      self._check_shapes(names)

  def test_readme_shows_how_it_begins(self):
    """Eight lines of Python, and the graph of the model that they train."""
    (_, code), = _blocks('README.md', 'python')
    self.assertLen([line for line in code.splitlines() if line], 8)
    strings = re.search(r"parse\('(.*)', '(.*)', '(.*)'\)", code).groups()
    (_, shown), = _blocks('README.md', 'text')
    self.assertEqual(strings, tuple(
        line.split(maxsplit=1)[1] for line in shown.splitlines()))
    self.assertEqual(strings, tuple(_make_images().GRAPHS[
        'graph_readme.png'].values()))

  def test_readme_compares_with_what_was_measured(self):
    """Each row of its table has the figures of a row of docs/benchmarks.md."""
    measured = {row[1:3] for row in _rows('docs/benchmarks.md')}
    rows = [row for row in _rows('README.md') if len(row) == 3][2:]
    self.assertNotEmpty(rows)
    for row in rows:
      with self.subTest(row[0]):
        self.assertIn(row[1:3], measured)

  def _check_shapes(self, names):
    """What the comments of docs/models.md say of shapes."""
    self.assertEqual(names['z'].z1.shape, (5, 8, 100))
    self.assertEqual(names['z'].z2.shape, (5, 8, 50))
    self.assertEqual(names['log_q'].shape, (5, 8))
    inference = names['inference']
    self.assertEqual(inference.latents['z2'].shape, (5, 8, 50))
    self.assertEqual(inference.kl['z2'].shape, (5, 8))
    self.assertEqual(inference.log_ratio().shape, (5, 8))
    self.assertEqual(names['means']['z1'].shape, (8, 100))
    self.assertEqual(names['reconstructions'].shape, (8, 28, 28, 1))
    self.assertEqual(names['images'].shape, (64, 28, 28, 1))
    self.assertEqual(names['threes'].shape, (8, 28, 28, 1))
    self.assertEqual(names['nll'].values.shape, (8,))

  @parameterized.parameters(*_GUIDES, *_RUN_GUIDES)
  def test_commands_parse(self, path):
    commands = [arguments for _, text in _blocks(path, 'bash')
                for arguments in _commands(text)]
    self.assertNotEmpty(commands)
    trained = []
    for arguments in commands:
      with self.subTest(arguments):
        flag_values, _ = _config([
            argument.replace('--flagfile=', f'--flagfile={_ROOT}/')
            for argument in arguments])
        workdir = flag_values.workdir or re.sub(
            r'/export/\d+$', '', flag_values.model)
        if flag_values.mode in FIRST_MODES:
          self.assertNotIn(workdir, trained)  # None resumes another's run.
          trained.append(workdir)
        else:
          self.assertIn(workdir, trained)  # There is a run to work on.

  @parameterized.parameters(
      'docs/models.md', 'docs/evaluation.md', *_RUN_GUIDES)
  def test_flags_of_the_tables_parse(self, path):
    spans = re.findall(
        r'^\| `(--[^`]*)`', _without_beam(_prose(path)), re.MULTILINE)
    self.assertNotEmpty(spans)
    for span in spans:
      with self.subTest(span):
        _config(shlex.split(span))

  @parameterized.parameters('docs/scaling.md', *_BENCHMARKS)
  def test_benchmarks_and_their_flags_exist(self, path):
    commands = re.findall(
        r'python -m (benchmarks\.\w+)((?:\s+--[^\s`]+)*)', _read(path))
    self.assertNotEmpty(commands)
    for module, arguments in commands:
      with self.subTest(module + arguments):
        source = _read(module.replace('.', '/') + '.py')
        for name in re.findall(r'--(\w+)', arguments):
          self.assertRegex(
              source, rf"(DEFINE_\w+|add_argument)\(\s*'(--)?{name}'")

  @parameterized.parameters(*_GUIDES, *_RUN_GUIDES, 'docs/benchmarks.md')
  def test_flags_of_the_text_exist(self, path):
    spans = re.findall(r'`(--[^`]*)`', _without_beam(_prose(path)))
    for span in spans:
      with self.subTest(span):
        for name in re.findall(r'--(\w+)', span):
          self.assertIn(name, _config([])[0])

  def test_flags_and_commands_of_beam(self):
    names = {option for action in encode.flag_parser()._actions
             for option in action.option_strings} - {'-h', '--help'}
    _, section = _prose('docs/scaling.md').split('\n## Beam\n')
    table = re.search(r'^\| `--model`.*?\n\n', section,
                      re.DOTALL | re.MULTILINE)[0]
    self.assertEqual(set(re.findall(r'`(--\w+)`', table)), names)
    commands = [
        words[3:] for _, text in _blocks('docs/scaling.md', 'bash')
        for words in map(shlex.split, text.replace('\\\n', ' ').splitlines())
        if words[:3] == ['python', '-m', 'tfvae.pipelines.encode']]
    self.assertNotEmpty(commands)
    for command in commands:
      encode.parse_flags(command)

  @parameterized.parameters('preset', 'prior', 'likelihood', 'network',
                            'objective', 'kl_warm_up', 'free_bits_per')
  def test_no_choice_is_left_out(self, name):
    text = _read('docs/models.md')
    for choice in _config([])[0][name].parser.enum_values:
      if (name, choice) not in {
          ('kl_warm_up', 'none'), ('free_bits_per', 'latent')}:  # Defaults.
        self.assertIn(f'--{name}={choice}', text)

  def test_no_evaluation_is_left_out(self):
    text = _read('docs/evaluation.md')
    for name in MEASURES:
      self.assertIn(f'| `--evaluations={name}`', text)

  def test_keys_of_metrics_are_those_of_the_report(self):
    blocks = '|'.join(['test', *MEASURES])
    keys = re.findall(
        rf'`((?:{blocks})\.[\w.=]+)`', _prose('docs/evaluation.md'))
    self.assertNotEmpty(keys)
    for key in keys:
      self.assertIn(key.split('.')[-1], explanations(), key)

  def test_pictures_are_those_that_are_made(self):
    made = _make_images()
    pages = (*_PAGES, 'docs/architecture.md')
    shown = {os.path.basename(target) for path in pages
             for target in re.findall(r'[("]([^("\s]*\.png)[)"]', _prose(path))
             if 'images/' in target}
    self.assertEqual(shown, {*made.GRAPHS, made.OVERVIEW, *made.PARTS,
                             'architecture.png'})
    self.assertEqual(shown, {
        name for name in os.listdir(made.IMAGES) if name.endswith('.png')})

  def test_pictures_of_graphs_are_made(self):
    made, directory = _make_images(), self.create_tempdir().full_path
    made.make_graphs(directory)
    for name in made.GRAPHS:
      height, width, _ = matplotlib_image.imread(
          os.path.join(directory, name)).shape
      self.assertGreater(width, height)

  def test_errors_are_those_shown(self):
    blocks = _blocks('docs/models.md', 'console')
    self.assertNotEmpty(blocks)
    for _, text in blocks:
      command, shown = text.removeprefix('$ ').split('\n', 1)
      arguments, = _commands(command)
      with self.assertRaises(ValueError) as caught:
        _config(arguments)
      self.assertEqual(shown, 'train_main.py: error: '
                       f'{as_flags(str(caught.exception))}\n')

  def test_requests_of_the_guide_fit_their_signatures(self):
    signatures = serving.signatures(
        models.image_vae('z:2', (4, 4, 1), hidden_units=(3,)))
    words = [shlex.split(line.replace('\\\n', ' '))
             for _, text in _blocks('docs/serving.md', 'bash')
             for line in [text] if line.startswith('curl -d')]
    requests = [json.loads(line[2]) for line in words if line[2][0] != '@']
    self.assertLen(requests, 2)
    for request in requests:
      columns = request.get('inputs') or {
          name: [row[name] for row in request['instances']]
          for name in request['instances'][0]}
      outputs = signatures[request['signature_name']](**{
          name: tf.constant(value) for name, value in columns.items()})
      self.assertEqual(outputs['sample'].shape, (2, 4, 4, 1))

  def test_signatures_of_the_guide_are_those_there_are(self):
    table = re.findall(r'^\| (`serving_default`.*(?:\n\|.*)*)',
                       _read('docs/serving.md'), re.MULTILINE)
    named = re.findall(
        r'^\|? ?`(\w+)`(?:, `(\w+)`)? \|', table[0], re.MULTILINE)
    graph = GraphicalModel.parse('z:2', 'y|x; z|x', 'y; z; x|z,y')
    model = models.image_vae(graph, (4, 4, 1), hidden_units=(3,), num_classes=2,
                             missing=True)
    detector = anomaly.calibrate(
        model, np.zeros([9, 4, 4, 1], np.float32), false_alarm_rate=0.1)
    signatures = serving.signatures(
        model, image_input=serving.ImageInput(), imputation_draws=2,
        detector=detector, refine_steps=1)
    self.assertEqual({name for row in named for name in row if name},
                     set(signatures))

  @parameterized.parameters(*_PAGES, *_RUN_GUIDES, *_BENCHMARKS)
  def test_links_lead_somewhere(self, path):
    targets = re.findall(
        r'\]\(([^)\s]*)\)|<img src="([^"]*)"', _prose(path))
    for target in map(''.join, targets):
      with self.subTest(target):
        if not target.startswith('https://'):
          file, _, anchor = target.partition('#')
          file = os.path.join(os.path.dirname(path), file) if file else path
          self.assertTrue(os.path.exists(os.path.join(_ROOT, file)))
          if anchor:
            self.assertIn(anchor, _anchors(file))


class LanguageTest(parameterized.TestCase, tf.test.TestCase):

  @parameterized.parameters(*language.PATHS)
  def test_text_is_plain_american_english(self, path):
    self.assertEqual('', '\n'.join(
        f'{os.path.relpath(file, _ROOT)}:{line}: {words}: {advice}'
        for file in language.files([path])
        for line, words, advice in language.findings(file)))

  def test_files_are_found(self):
    self.assertContainsSubset(
        [os.path.join(_ROOT, path) for path in (
            *_PAGES, *_RUN_GUIDES, *_BENCHMARKS, 'CONTRIBUTING.md',
            'CHANGELOG.md', 'configs/digits.flags', 'tfvae/report/report.html',
            'tfvae/layers/__init__.py', 'train_main.py')],
        language.files())

  @parameterized.parameters(
      ('"""Bits, drawn\n\nanew."""', 3, 'anew'),
      ('x = "Whoever" \' calls.\'', 1, 'Whoever'),
      ('x = 0  # The run goes\n# on as before.', 1, 'goes\non'),
      ('def f(x):\n  """How x is binarized."""', 2, 'How x is'),
      ('"""Args: x: the images."""', 1, 'x: the images.'),
      ('def f():\n  """Draws.\n\n  Args:\n    n: of z.\n  """', 5, 'n: of z.'),
      ('"""S.\n\nArgs:\n  a: A\n    b.\n  c, d: the e.\n"""', 6,
       'c, d: the e.'),
      ('"""S.\n\nReturns:\n  an array.\n"""', 4, 'Returns: an array.'),
      ('x = f"{0} is Initialised"', 1, 'Initialised'),
      ('# Grey and labelled.', 1, 'Grey'))
  def test_findings(self, source, line, words):
    self.assertEqual(
        [(line, words)],
        [found[:2] for found in language.python_findings(source)][:1])

  @parameterized.parameters(
      '# It goes on to the next; precise, realistic and otherwise advised.',
      'x = "What is in the bits?"  # A color of the center.',
      '"""Returns z.\n\nArgs:\n  a: A number.\n  b: σ of x.\n  c: `d`.\n"""',
      '"""S.\n\nRaises:\n  ValueError: If x\n    is of no use.\n"""',
      '"""S.\n\nReturns:\n  A pair: x and\n  z.\n"""')
  def test_no_findings(self, source):
    self.assertEmpty(list(language.python_findings(source)))


if __name__ == '__main__':
  tf.test.main()
