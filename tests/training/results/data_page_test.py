"""The page of the data, without a model and next to a run."""

import contextlib
import io
import json
import os
import re
from unittest import mock

from absl import flags
import numpy as np
import tensorflow as tf

from tfvae import __main__ as program
from tfvae import data
from tfvae.training import Config
from tfvae.training import config_from_flags
from tfvae.training import define_flags
from tfvae.training import parse_flags
from tfvae.training import write_data_page
from tfvae.training.fit.batches import first_batch


def _page(workdir):
  with open(os.path.join(workdir, 'data.html'), encoding='utf-8') as file:
    return file.read()


class DataPageTest(tf.test.TestCase):

  def _main(self, *arguments):
    """Runs the program and returns what it prints; it must end normally."""
    values = flags.FlagValues()
    define_flags(values)
    flags.DEFINE_integer('verbosity', -1, 'of absl', flag_values=values)
    flags.DEFINE_string('flagfile', '', '', flag_values=values)
    parse_flags(['train_main.py', '--mode=data', *arguments], values)
    with (mock.patch.object(program.flags, 'FLAGS', values),
          mock.patch.object(program.training, 'config_from_flags',
                            lambda: config_from_flags(values)),
          contextlib.redirect_stdout(io.StringIO()) as stdout):
      self.assertIsNone(program.main(['train_main.py']))
    return stdout.getvalue()

  def test_missing_values_are_counted_without_a_setting(self):
    directory = self.create_tempdir().full_path
    path = os.path.join(directory, 'holes.csv')
    rows = [f'{i}.5,{i % 3}' for i in range(30)]
    rows[4:6] = [',1', ',2']
    with open(path, 'w', encoding='utf-8') as file:
      file.write('\n'.join(['a,b', *rows]))
    printed = self._main(f'--workdir={directory}', f'--dataset={path}')
    self.assertIn('missing in train: a 2; 2 rows left out', printed)
    self.assertIn('--missing=drop leaves them out', printed)

  def test_missing_values_are_shown(self):
    workdir = self.create_tempdir().full_path
    rng = np.random.default_rng(0)
    path = os.path.join(workdir, 'x.npz')
    x, mask = rng.random([60, 4, 3]), rng.random([60, 4, 3]) < 0.8
    x[7] = np.nan
    np.savez(path, x=x, mask=mask)
    printed = self._main(
        f'--workdir={workdir}', f'--dataset={path}', '--missing=allow',
        '--mask_key=mask', '--hide_fraction=0.25')
    self.assertRegex(printed, 'missing in train: [0-9.]+% of the values')
    page = _page(workdir)
    self.assertEqual(re.findall(r'<section id="(\w+)"', page),
                     ['splits', 'values', 'missing', 'batch'])
    self.assertIn('0.25 of the values are hidden', page)
    self.assertIn('Missing pixels are gray', page)
    holes = ~mask | np.isnan(x)
    self.assertIn('examples without any value', page)
    with open(os.path.join(workdir, 'description.json'),
              encoding='utf-8') as file:
      splits = json.load(file)['splits'].values()
    self.assertEqual(sum(split['num_missing'] for split in splits), holes.sum())
    self.assertEqual(sum(split['empty'] for split in splits), 1)
    # Without a setting, incomplete examples are left out and counted.
    np.savez(path, x=np.where(rng.random([60, 4, 3]) < 0.02, np.nan, 1 + x[:1]))
    printed = self._main(f'--workdir={workdir}', f'--dataset={path}')
    self.assertIn('--missing=allow learns from them', printed)

  def test_program(self):
    workdir = os.path.join(self.create_tempdir().full_path, 'new')
    printed = self._main(f'--workdir={workdir}', '--dataset=digits')
    self.assertIn("360  'test', given by the data", printed)
    self.assertEndsWith(printed, f'The page is {workdir}/data.html.\n')
    self.assertCountEqual(os.listdir(workdir),
                          ['data.html', 'description.json'])
    with open(os.path.join(workdir, 'description.json'),
              encoding='utf-8') as file:
      facts = json.load(file)
    self.assertEqual(facts['splits']['test']['examples'], 360)
    page = _page(workdir)
    self.assertEqual(re.findall(r'<section id="(\w+)"', page),
                     ['splits', 'values', 'classes', 'batch'])
    self.assertNotRegex(page, r'(?i)https?:(?!//www\.w3\.org/)')

  def test_flags_of_the_run_are_the_defaults_and_its_files_stay(self):
    workdir = self.create_tempdir().full_path
    rng = np.random.default_rng(0)
    # Numbers that the default likelihood has no density for.
    path = os.path.join(workdir, 'x.npz')
    np.savez(path, x=rng.normal(size=[50, 3]))
    files = {'flags.txt': f'# Repeats the run.\n--dataset={path}\n',
             'data.json': '{"name": "x", "content": {}}\n',
             'metrics.json': '{}\n'}
    for name, text in files.items():
      with open(os.path.join(workdir, name), 'w', encoding='utf-8') as file:
        file.write(text)
    self.assertIn('x: vectors', self._main(f'--workdir={workdir}'))
    for name, text in files.items():
      with open(os.path.join(workdir, name), encoding='utf-8') as file:
        self.assertEqual(file.read(), text)
    self.assertIn('Vectors of 3 numbers', _page(workdir))

  def test_names_are_escaped_and_the_page_needs_a_directory(self):
    rng = np.random.default_rng(0)
    folder = self.create_tempdir().full_path
    path = os.path.join(folder, 'a<b.csv')
    with open(path, 'w', encoding='utf-8') as file:
      file.write('<i>,"a & b",c\n' + ''.join(
          f'{a:.3f},{"<u>" if a > 0 else "v"},{i % 3}\n'
          for i, a in enumerate(rng.normal(size=80))))
    workdir = os.path.join(folder, 'page')
    write_data_page(Config(dataset=path), workdir)
    page = _page(workdir)
    for raw in ('<i>', '<u>', 'a & b', 'a<b'):
      self.assertNotIn(raw, page)
    self.assertIn('&lt;u&gt;', page)
    self.assertEqual(re.findall(r'<section id="(\w+)"', page),
                     ['splits', 'columns', 'categories'])
    with self.assertRaisesRegex(ValueError, 'choose another `workdir`'):
      write_data_page(Config(dataset=path), path)

  def test_first_batch_is_that_of_the_training(self):
    config = Config(batch_size=20, seed=4)
    x = np.random.default_rng(0).integers(0, 256, [50, 4, 3], np.uint8)
    loaded = data.load({'x': x})
    expected = next(iter(data.training_batches(
        loaded.train.images, 20, 4, 'dynamic')))
    self.assertAllEqual(
        first_batch(loaded, config, 8, 'dynamic'), expected[:8])
    config = Config(batch_size=20, seed=4, hide_fraction=0.3)
    hidden = next(iter(data.training_batches(
        loaded.train.images, 20, 4, 'dynamic', hide_fraction=0.3)))
    self.assertAllEqual(
        first_batch(loaded, config, 8, 'dynamic'), hidden[:8])
    self.assertAllEqual(
        first_batch(loaded, config, 8, 'dynamic', hides=False), expected[:8])


if __name__ == '__main__':
  tf.test.main()
