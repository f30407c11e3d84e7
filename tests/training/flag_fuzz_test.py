"""Command lines at random train, or say what is wrong."""

import os
import random
import shutil
import tempfile
from unittest import mock

from absl.testing import parameterized
import tensorflow as tf

from benchmarks import flag_draws
from benchmarks import flag_fuzz
from tfvae.training import train


class FlagFuzzTest(parameterized.TestCase, tf.test.TestCase):

  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.data_dir = tempfile.mkdtemp()
    cls.addClassCleanup(shutil.rmtree, cls.data_dir)

  def _run(self, *arguments):
    return flag_fuzz.run(
        [*flag_draws.base(self.data_dir), *arguments],
        os.path.join(self.create_tempdir().full_path, 'run'))

  def test_drawn_command_lines_train_or_are_refused(self):
    result = flag_fuzz.fuzz(4, 0, self.data_dir, whole=0, first=8)
    self.assertEmpty(result['failures'])
    self.assertEqual(sum(result['endings'].values()), 4)
    self.assertGreaterEqual(result['endings'][flag_fuzz.TRAINED], 1)

  @parameterized.parameters(
      ('--epochs=x', flag_fuzz.NOT_PARSED, "'x'"),
      ('--batch_size=0', flag_fuzz.REFUSED, 'batch_size=0'),
      ('--test_split=test[:0]', flag_fuzz.REFUSED, "test_split='test[:0]'"))
  def test_names_the_ending(self, argument, ending, named):
    ended, text = self._run(argument)
    self.assertEqual(ended, ending)
    self.assertIn(named, text)

  @parameterized.parameters(
      tf.errors.InvalidArgumentError(None, None, 'Received: 1'),
      ValueError('From elsewhere. Received: 1'), OverflowError('Received: 1'))
  def test_others_errors_are_failures(self, error):
    with mock.patch.object(train, 'load_images', side_effect=error):
      ending, text = self._run()
    self.assertEqual(ending, flag_fuzz.FAILED)
    self.assertIn('Traceback', text)

  def test_a_seed_gives_the_same_command_lines(self):
    one, other = ([flag_draws.command_line(rng, 'd') for _ in range(50)]
                  for rng in (random.Random(3), random.Random(3)))
    self.assertEqual(one, other)
    self.assertGreater(len({tuple(line) for line in one}), 40)


if __name__ == '__main__':
  tf.test.main()
