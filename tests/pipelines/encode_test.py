"""Pipelines of Beam compared with one call of the SavedModel."""

import contextlib
import io
import json
import os
import pathlib
import tempfile
import unittest
from unittest import mock

from absl.testing import parameterized
import numpy as np
import pandas as pd
from PIL import Image
import tensorflow as tf

from tests.pipelines import exports
from tests.serving import served_case
from tfvae import pipelines
from tfvae.inference.rows import row_seeds
from tfvae.pipelines import encode

try:
  import apache_beam
except ImportError:
  apache_beam = None


def _run(*arguments):
  """Runs the program; returns its exit code, output and errors."""
  output, errors = io.StringIO(), io.StringIO()
  with contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors):
    try:
      code = encode.main([*arguments, exports.RUNNER])
    except SystemExit as error:
      code = error.code
  return code, output.getvalue(), errors.getvalue()


@unittest.skipUnless(apache_beam, 'apache-beam is not installed')
class EncodeTest(parameterized.TestCase, tf.test.TestCase):

  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.directory = pathlib.Path(cls.enterClassContext(
        tempfile.TemporaryDirectory()))
    cls.image = exports.image_export(str(cls.directory / 'image'))
    cls.table = exports.table_export(str(cls.directory / 'table'))
    columns = exports.table_columns(250)
    cls.frame = pd.DataFrame({'key': np.arange(250) * 10**9, **columns})
    for index, name in enumerate(('a', 'b', 'c')):
      cls.frame[index * 100:(index + 1) * 100].to_parquet(
          cls.directory / f'{name}.parquet')
    (cls.directory / 'notes.txt').touch()

  def _job(self, export, pattern, *arguments):
    """Runs a job; returns its table by id, its failures and its output."""
    output = os.path.join(self.create_tempdir().full_path, 'results')
    code, printed, errors = _run(
        f'--model={self.directory / export}', f'--output={output}',
        f'--input={pattern}', *arguments)
    self.assertEqual(code, 0, errors)
    failures = [json.loads(line)
                for line in exports.read_lines(output, 'failed')]
    rows = pd.read_parquet(
        [os.path.join(output, name) for name in os.listdir(output)
         if name.endswith('.parquet')]).set_index('id').sort_index()
    self.assertEqual(printed.splitlines()[0],
                     f'{len(rows)} rows are in {output}/part-*.parquet')
    self.assertStartsWith(printed.splitlines()[1], f'{len(failures)} rows fail')
    return rows, sorted(failures, key=lambda failure: str(failure['id']))

  def test_table_by_two_workers_that_cannot_import_tfvae(self):
    blocked = self.create_tempdir()
    blocked.create_file('tfvae/__init__.py', 'raise ImportError("blocked")')
    self.addCleanup(os.chdir, os.getcwd())
    os.chdir(blocked.full_path)  # Where workers look for modules first.
    with mock.patch.dict(os.environ, TF_CPP_MIN_LOG_LEVEL='3',
                         PYTHONPATH=blocked.full_path):
      rows, failures = self._job(
          'table', self.directory / '*.parquet', '--id_key=key', '--task=score',
          '--eval_seed=7', '--direct_num_workers=2',
          '--direct_running_mode=multi_processing')
    self.assertEmpty(failures)
    self.assertAllEqual(rows.index, self.frame['key'])
    expected = self.table.signatures['score'](
        seed=tf.constant(row_seeds(self.frame['key'].to_numpy(), 7)),
        **{name: tf.constant(self.frame[name].to_numpy())
           for name in self.frame if name != 'key'})
    self.assertEqual(list(rows), sorted(expected))
    for name, values in expected.items():
      self.assertAllClose(rows[name], values, rtol=1e-5, atol=1e-5)

  def test_images_one_of_which_is_corrupt(self):
    directory = pathlib.Path(self.create_tempdir().full_path)
    pixels = np.random.default_rng(0).integers(
        0, 256, [9, 8, 8], np.uint8)
    for index, image in enumerate(pixels):
      Image.fromarray(image).save(directory / f'{index}.png')
    corrupt = directory / '4.png'
    corrupt.write_bytes(corrupt.read_bytes()[:40])
    rows, (failure,) = self._job('image', directory / '*.png', '--task=score')
    self.assertEqual(failure['id'], str(corrupt))
    self.assertEqual(failure['source'], str(corrupt))
    self.assertRegex(failure['error'], 'PNG')
    self.assertNotIn('node', failure['error'])
    good = np.delete(np.arange(9), 4)
    paths = [str(directory / f'{index}.png') for index in good]
    self.assertAllEqual(rows.index, paths)
    expected = self.image.signatures['score'](
        x=tf.constant(np.float32(pixels[good, :, :, np.newaxis] >= 128)),
        seed=tf.constant(row_seeds(paths)))
    for name, values in expected.items():
      self.assertAllClose(rows[name], values, rtol=1e-5, atol=1e-5)

  def test_examples_in_tfrecords(self):
    directory = self.create_tempdir().full_path
    x = np.float32(np.random.default_rng(0).integers(0, 2, [6, 8, 8, 1]))
    records = [tf.train.Example.FromString(record)
               for record in served_case.examples(x=x)]
    for index, record in enumerate(records):
      record.features.feature['name'].bytes_list.value.append(b'row %d' % index)
    records[1].features.feature['x'].float_list.value[5] = np.nan
    del records[2].features.feature['x'].float_list.value[0]
    del records[3].features.feature['name']
    for index, half in enumerate((records[:3], records[3:])):
      path = os.path.join(directory, f'{index}.tfrecord.gz')
      with tf.io.TFRecordWriter(path, 'GZIP') as writer:
        for record in half:
          writer.write(record.SerializeToString())
    rows, failures = self._job(
        'image', f'{directory}/*.tfrecord.gz', '--id_key=name')
    self.assertAllEqual(rows.index, ['row 0', 'row 4', 'row 5'])
    code = self.image.signatures['encode'](x=tf.constant(x[[0, 4, 5]]))
    for name, column in (('loc', 'code_mean'), ('scale_diag', 'code_stddev')):
      self.assertAllClose(
          np.stack(rows[column]), code[name], rtol=1e-5, atol=1e-5)
    self.assertEqual([failure['id'] for failure in failures],
                     [None, 'row 1', 'row 2'])
    for failure, error in zip(failures, (
        "feature 'name', must be", 'Received: nan', 'length 64'), strict=True):
      self.assertIn(error, failure['error'])

  def test_csv(self):
    frame = self.frame[:4].assign(key=['1', '2', '3', '4'])
    path = pathlib.Path(self.create_tempdir().full_path, 'rows.csv')
    header, *lines = frame.to_csv(index=False).splitlines()
    self.assertStartsWith(header, 'key,length,')
    lines[1] = '2,long,' + lines[1].split(',', 2)[2]
    lines[2] = 'x' + lines[2]
    path.write_text('\n'.join([header, *lines, '5,1']) + '\n')
    rows, failures = self._job('table', path, '--id_key=key')
    self.assertAllEqual(rows.index, ['1', '4', 'x3'])
    code = self.table.signatures['encode'](**{
        name: tf.constant(frame[name].to_numpy()[[0, 3, 2]])
        for name in frame if name != 'key'})
    self.assertAllClose(np.stack(rows['z_mean']), code['loc'], rtol=1e-5)
    self.assertEqual([failure['id'] for failure in failures], ['2', None])
    self.assertIn("Received: 'long'", failures[0]['error'])
    self.assertIn("'5,1' has 2 values", failures[1]['error'])

  @parameterized.parameters(
      ('image/3', 'a.parquet', (), 'such as runs/mnist/export/1'),
      ('table', 'a.parquet', ('--id_key=key', '--log_likelihood'),
       "no signature 'log_likelihood'"),
      ('table', 'a.parquet', (), '--id_key must name the column'),
      ('table', 'a.parquet', ('--id_key=id',), 'lacks the columns id'),
      ('table', 'a.parquet', ('--id_key=mass',), 'must have integers or'),
      ('image', 'a.parquet', ('--id_key=key',), 'lacks the columns x'),
      ('table', 'd.parquet', ('--id_key=key',), 'No file matches'),
      ('table', '*', ('--id_key=key',), 'kind of the files is unknown'),
      ('table', 'a.parquet', ('--id_key=key', '--id_kye=key'), '--id_kye'))
  def test_errors_before_the_job(self, export, pattern, arguments, error):
    output = os.path.join(self.create_tempdir().full_path, 'results')
    code, printed, errors = _run(
        f'--model={self.directory / export}', f'--output={output}',
        f'--input={self.directory / pattern}', *arguments)
    self.assertEqual(code, 1)
    self.assertIn(error, errors)
    self.assertEmpty(printed)
    self.assertFalse(os.path.exists(output))

  def test_output_that_exists(self):
    output = self.create_tempdir()
    output.create_file('part-00000-of-00001.parquet')
    code, _, errors = _run(
        f'--model={self.directory}/table', f'--output={output.full_path}',
        f'--input={self.directory}/a.parquet', '--id_key=key')
    self.assertEqual(code, 1)
    self.assertIn('The output exists', errors)


class FlagsTest(parameterized.TestCase, tf.test.TestCase):

  @parameterized.parameters(
      (('--task=decode',), 'invalid choice'),
      (('--eval_seed=-1',), '--eval_seed must be from 0'),
      (('--max_batch_size=8',), '--min_batch_size must'),
      ((), 'required'))
  def test_errors(self, arguments, error):
    required = [f'--{name}=x' for name in ('model', 'input', 'output')
                if arguments]
    code, _, errors = _run(*required, *arguments)
    self.assertEqual(code, 2)
    self.assertIn(error, errors)

  def test_without_beam(self):
    with mock.patch.dict('sys.modules', {
        'apache_beam': None, 'tfvae.pipelines.job': None}), mock.patch.dict(
            vars(pipelines)):
      vars(pipelines).pop('job', None)  # Of the tests above.
      code, _, errors = _run('--model=x', '--input=x', '--output=x')
    self.assertEqual(code, 1)
    self.assertIn('pip install "tfvae[beam]"', errors)


if __name__ == '__main__':
  tf.test.main()
