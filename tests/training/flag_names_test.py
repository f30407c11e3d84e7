"""Messages of the library in the words of the program."""

import logging

from absl.testing import parameterized
import tensorflow as tf

from tfvae.training import Config
from tfvae.training import flag_names


class FlagNamesTest(parameterized.TestCase, tf.test.TestCase):

  @parameterized.parameters(
      ('`epochs` must be at least 1. Received: epochs=0',
       '--epochs must be at least 1. Received: epochs=0'),
      ("use `optimizer='adamw'` or `jit='auto'`",
       'use --optimizer=adamw or --jit=auto'),
      ("keep a part, `train_split='train[:50%]'`",
       "keep a part, --train_split='train[:50%]'"),
      ('set `hidden_units=(32, 64)` and `export=False`',
       'set --hidden_units=32,64 and --export=false'),
      ('pass `data_dir=DIR`', 'pass --data_dir=DIR'),
      ('another `workdir`, or `evaluate_run`',
       'another --workdir, or --mode=evaluate'),
      ('repeat it with the settings in `runs/a/flags.txt`:',
       'repeat it with --flagfile=runs/a/flags.txt:'),
      ('raise `capacity`; `loc` and `x|z` stay, and so does epochs',
       'raise --kl_capacity; `loc` and `x|z` stay, and so does epochs'))
  def test_as_flags(self, message, expected):
    self.assertEqual(flag_names.as_flags(message), expected)

  def test_setting_of_a_choice(self):
    with self.assertRaises(ValueError) as caught:
      Config(objective='info_vae', info_alpha=.5, info_lambda=.25)
    self.assertIn(
        '--info_lambda must be', flag_names.as_flags(str(caught.exception)))

  def test_texts_of_metrics(self):
    self.assertEqual(
        flag_names.texts_as_flags(
            {'a': 1.5, 'b': {'c': ['try `free_bits`', None]}}),
        {'a': 1.5, 'b': {'c': ['try --free_bits', None]}})

  @parameterized.parameters(('tfvae.data.loading', 'name it by --image_key'),
                            ('tfvaes', 'name it by `image_key`'))
  def test_records(self, logger, expected):
    record = logging.LogRecord(
        logger, logging.INFO, '', 0, 'name it by %s', ('`image_key`',), None)
    self.assertTrue(flag_names.FlagNames().filter(record))
    self.assertEqual(record.getMessage(), expected)


if __name__ == '__main__':
  tf.test.main()
