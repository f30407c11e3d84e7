"""Flagfiles that come with the package, and the names of the program."""

import contextlib
import io
import os
import pathlib

from absl import flags
from absl.testing import parameterized
import pandas as pd
import tensorflow as tf

from tfvae.training import config_from_flags
from tfvae.training import define_flags
from tfvae.training import parse_flags
from tfvae.training.command_line import help_text

_PACKAGED = ('digits.flags', 'fashion_mnist.flags', 'mnist.flags',
             'mnist_conv.flags', 'mnist_m2.flags', 'patches.flags',
             'penguins.flags')


def _parse(*arguments, program='train_main.py'):
  flag_values = flags.FlagValues()
  define_flags(flag_values)
  # `flagfile` belongs to absl's global flags.
  flags.DEFINE_string('flagfile', '', '', flag_values=flag_values)
  parse_flags([program, *arguments], flag_values)
  return flag_values


class CommandLineTest(tf.test.TestCase, parameterized.TestCase):

  def setUp(self):
    super().setUp()
    self.addCleanup(os.chdir, os.getcwd())
    os.chdir(self.create_tempdir().full_path)  # Where there is no configs/.

  def _error(self, *arguments, program='train_main.py'):
    with contextlib.redirect_stderr(io.StringIO()) as stderr:
      with self.assertRaises(SystemExit) as caught:
        _parse(*arguments, program=program)
    self.assertEqual(caught.exception.code, 2)
    return stderr.getvalue()

  @parameterized.parameters(
      ['--flagfile=digits.flags'], ['-flagfile=configs/digits.flags'],
      ['--flagfile', 'digits.flags'])
  def test_packaged_flagfile_is_found_by_its_name(self, *arguments):
    flag_values = _parse('--seed=5', *arguments, '--epochs=3')
    config = config_from_flags(flag_values)
    self.assertEqual(flag_values.workdir, 'runs/digits')
    self.assertEqual(config.training.learning_rate_schedule, 'cosine')
    self.assertEqual((config.training.seed, config.training.epochs), (5, 3))

  def test_packaged_flagfile_finds_its_data(self):
    config = config_from_flags(_parse('--flagfile=penguins.flags'))
    self.assertEndsWith(config.data.dataset, '/configs/penguins.csv')
    self.assertLen(pd.read_csv(config.data.dataset), 344)
    # Only there: another file of this name is that of the user.
    config = config_from_flags(_parse('--dataset=penguins.csv'))
    self.assertEqual(config.data.dataset, 'penguins.csv')

  def test_a_file_that_is_there_comes_first(self):
    pathlib.Path('digits.flags').write_text('--epochs=7', encoding='utf-8')
    os.mkdir('configs')
    pathlib.Path('configs/mnist.flags').write_text(
        '--batch_size=9', encoding='utf-8')
    config = config_from_flags(
        _parse('--flagfile=digits.flags', '--flagfile=configs/mnist.flags'))
    self.assertEqual(
        (config.training.epochs, config.training.batch_size), (7, 9))
    self.assertEqual(config.data.dataset, 'digits')

  @parameterized.parameters('mnits.flags', 'runs/digits.flags', 'digits',
                            '/configs/digits.flags')
  def test_error_names_the_packaged_ones(self, path):
    self.assertEqual(
        self._error('--flagfile', path),
        f'train_main.py: error: there is no flagfile {path}; those that come '
        f'with tfvae are {", ".join(_PACKAGED)}\nTry --help.\n')

  def test_error_is_one_line_whatever_the_value(self):
    self.assertRegex(self._error('--epochs=1\n2'),
                     r'\A\S+: error: .*epochs=1\\n2.*\nTry --help.\n\Z')

  def test_error_of_a_flagfile_without_a_name(self):
    self.assertIn('flagfile', self._error('--flagfile'))
    self.assertEqual(config_from_flags(_parse('--flagfile=')),
                     config_from_flags(_parse()))

  @parameterized.parameters(
      ('/somewhere/train_main.py', 'train_main.py', 'python train_main.py'),
      ('/somewhere/bin/tfvae-train', 'tfvae-train', 'tfvae-train'),
      ('/somewhere/tfvae/__main__.py', 'python -m tfvae', 'python -m tfvae'))
  def test_program_has_the_name_that_it_was_called_by(
      self, path, name, command):
    self.assertStartsWith(self._error('--no_such', program=path),
                          f'{name}: error: Unknown command line flag')
    self.assertIn(f'\n  {command} --flagfile=configs/digits.flags\n',
                  help_text(path))

  def test_help_names_the_packaged_flagfiles(self):
    text = ' '.join(help_text().split())
    self.assertIn(f'These files come with tfvae: {", ".join(_PACKAGED)}.', text)


if __name__ == '__main__':
  tf.test.main()
