"""The guides say what is true: their code runs, their flags parse."""

import os
import re
import shlex

from absl import flags
from absl.testing import parameterized
import numpy as np
import tensorflow as tf

from tfvae.training import config_from_flags
from tfvae.training import define_flags

_ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_PROGRAM = ['python', 'train_main.py']
_NUM_IMAGES = 32


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


def _config(arguments):
  flag_values = flags.FlagValues()
  define_flags(flag_values)
  rest = flag_values(['train_main.py', *arguments])
  if len(rest) > 1:
    raise ValueError(f'These are no flags: {rest[1:]}')
  return flag_values, config_from_flags(flag_values)


class DocsTest(parameterized.TestCase, tf.test.TestCase):

  @parameterized.parameters('README.md', 'docs/models.md')
  def test_python_blocks_run(self, path):
    rng = np.random.default_rng(0)
    images = rng.integers(2, size=(_NUM_IMAGES, 28, 28, 1)).astype(np.float32)
    labels = np.eye(10, dtype=np.float32)[rng.integers(10, size=_NUM_IMAGES)]
    names = {'x_train': images, 'x_test': images[:8], 'y_train': labels}
    self.addCleanup(os.chdir, os.getcwd())
    os.chdir(self.create_tempdir().full_path)  # For what the blocks write.
    blocks = _blocks(path, 'python')
    self.assertNotEmpty(blocks)
    for line, text in blocks:
      # Blank lines in front, so that a traceback has the guide's own lines.
      code = '\n' * (line - 1) + text
      exec(compile(code, os.path.join(_ROOT, path), 'exec'), names)
    if path == 'docs/models.md':
      self._check_shapes(names)

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

  def test_commands_parse(self):
    commands = [arguments for _, text in _blocks('docs/models.md', 'bash')
                for arguments in _commands(text)]
    self.assertNotEmpty(commands)
    workdirs = []
    for arguments in commands:
      with self.subTest(arguments):
        flag_values, _ = _config(arguments)
        workdirs.append(flag_values.workdir)
    self.assertNotIn(None, workdirs)
    self.assertLen(set(workdirs), len(commands))  # None resumes another's run.

  def test_flags_of_the_tables_parse(self):
    spans = re.findall(r'^\| `(--[^`]*)`', _prose('docs/models.md'),
                       re.MULTILINE)
    self.assertNotEmpty(spans)
    for span in spans:
      with self.subTest(span):
        _config(shlex.split(span))

  def test_flags_of_the_text_exist(self):
    spans = re.findall(r'`(--[^`]*)`', _prose('docs/models.md'))
    for span in spans:
      with self.subTest(span):
        for name in re.findall(r'--(\w+)', span):
          self.assertIn(name, _config([])[0])

  @parameterized.parameters('preset', 'prior', 'likelihood', 'network',
                            'objective', 'kl_warm_up', 'free_bits_per')
  def test_no_choice_is_left_out(self, name):
    text = _read('docs/models.md')
    for choice in _config([])[0][name].parser.enum_values:
      if (name, choice) not in {
          ('kl_warm_up', 'none'), ('free_bits_per', 'latent')}:  # Defaults.
        self.assertIn(f'--{name}={choice}', text)

  def test_errors_are_those_shown(self):
    blocks = _blocks('docs/models.md', 'console')
    self.assertNotEmpty(blocks)
    for _, text in blocks:
      command, shown = text.removeprefix('$ ').split('\n', 1)
      arguments, = _commands(command)
      with self.assertRaises(ValueError) as caught:
        _config(arguments)
      self.assertEqual(shown, f'train_main.py: error: {caught.exception}\n')

  @parameterized.parameters('README.md', 'docs/models.md')
  def test_links_lead_somewhere(self, path):
    text = _prose(path)
    anchors = {re.sub(r'[^\w -]', '', heading.lower()).replace(' ', '-')
               for heading in re.findall(r'^#+ (.*)$', text, re.MULTILINE)}
    targets = re.findall(r'\]\(([^)\s]*)\)|<img src="([^"]*)"', text)
    for target in map(''.join, targets):
      with self.subTest(target):
        if target.startswith('#'):
          self.assertIn(target[1:], anchors)
        elif not target.startswith('https://'):
          self.assertTrue(os.path.exists(os.path.join(
              _ROOT, os.path.dirname(path), target)))


if __name__ == '__main__':
  tf.test.main()
