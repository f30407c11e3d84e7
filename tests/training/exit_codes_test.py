"""Ends of a run: one line on stderr, and an exit code for schedulers."""

import contextlib
import errno
import io
from unittest import mock

from absl import flags
from absl.testing import parameterized
import tensorflow as tf

from tfvae import __main__ as program
from tfvae import training
from tfvae.training import define_flags


class ExitCodesTest(parameterized.TestCase, tf.test.TestCase):

  @parameterized.parameters(
      (ValueError('no such data'), 1, 'no such data'),
      (ValueError('`epochs` must be at least 1'), 1, '--epochs must be at'),
      (FloatingPointError('not finite'), 1, 'not finite'),
      (OSError(errno.ENOSPC, 'No space left', '/run/state'), 1,
       '/run/state: No space left; the files saved before are complete'),
      (tf.errors.ResourceExhaustedError(
          None, None, '{{node}} events; No space left on device\n\tflush'), 1,
       'run: No space left on device; the files saved before are complete'),
      (training.TrainingInterruptedError('after step 7'), 75, 'after step 7'),
      (KeyboardInterrupt(), 75, 'the same command resumes'),
      (tf.errors.UnavailableError(None, None, 'server is\ngone'), 75,
       'the same command resumes the run (gone)'))
  def test_code_and_line(self, error, code, text):
    with (contextlib.redirect_stderr(io.StringIO()) as stderr,
          self.assertRaises(SystemExit) as caught):
      self._main(error)
    self.assertEqual(caught.exception.code, code)
    self.assertStartsWith(stderr.getvalue(), 'train_main.py: error: ')
    self.assertIn(text, stderr.getvalue())
    self.assertLen(stderr.getvalue().splitlines(), 1)

  def test_figures_that_are_not_available_are_said(self):
    with contextlib.redirect_stdout(io.StringIO()) as stdout:
      self._main([{'test': {'elbo': -2.345, 'elbo_standard_error': None,
                            'kl_by_latent': {'z': 1.0}, 'examples': 1}}])
    self.assertEqual(stdout.getvalue().splitlines(), [
        'test elbo: -2.35', 'test elbo_standard_error: not available',
        'test examples: 1', 'Results are in run.'])

  def _main(self, effect):
    """Runs the program, whose run ends with an error, or with metrics."""
    values = flags.FlagValues()
    define_flags(values)
    flags.DEFINE_integer('verbosity', -1, 'of absl', flag_values=values)
    values(['train_main.py', '--workdir=run', '--strategy=parameter_server'])
    with (mock.patch.object(program.flags, 'FLAGS', values),
          mock.patch.object(program.training, 'config_from_flags'),
          mock.patch.dict(program.MODES, train=mock.Mock(side_effect=effect))):
      program.main(['train_main.py'])

  def test_what_is_no_user_s_mistake_is_not_hidden(self):
    error = tf.errors.ResourceExhaustedError(None, None, 'OOM of a tensor')
    with self.assertRaisesRegex(tf.errors.OpError, 'OOM of a tensor'):
      self._main(error)


if __name__ == '__main__':
  tf.test.main()
