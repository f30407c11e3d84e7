"""Files that are complete or not there, before and after interruptions."""

import json
import os
import pathlib

import numpy as np
import pandas as pd
import pyarrow as pa
import tensorflow as tf

from tfvae import lock
from tfvae.prediction.shards import Shards

_SETTINGS = {'data': 'd', 'outputs': ('elbo',)}


def _table(start, stop):
  return pa.table({'id': np.arange(start, stop)})


def _content(folder):
  return {path.name: path.read_bytes()
          for path in pathlib.Path(folder).iterdir()}


class ShardsTest(tf.test.TestCase):

  def setUp(self):
    super().setUp()
    self.output = os.path.join(self.create_tempdir().full_path, 'out')

  def _write(self, name='out', table=_table, rows=10):
    output = os.path.join(os.path.dirname(self.output), name)
    shards = Shards(output, rows, 4, _SETTINGS)
    self.assertFalse(shards.prepare())
    shards.write(table)
    return output

  def test_rows_are_in_order(self):
    output = self._write()
    self.assertCountEqual(os.listdir(output), [
        '_job.json', 'part-00000-of-00003.parquet',
        'part-00001-of-00003.parquet', 'part-00002-of-00003.parquet'])
    frame = pd.read_parquet(output)  # Without the file of the job.
    self.assertAllEqual(frame['id'], np.arange(10))
    self.assertTrue(Shards(output, 10, 4, _SETTINGS).prepare())
    self.assertEmpty([name for name in os.listdir(os.path.dirname(output))
                      if name != 'out'])

  def test_an_interrupted_job_continues(self):
    calls = []

    def fails(start, stop):
      calls.append(start)
      if start == 4 and calls.count(4) < 3:
        raise KeyboardInterrupt
      return _table(start, stop)

    for _ in range(2):
      with self.assertRaises(KeyboardInterrupt):
        self._write(table=fails)
      self.assertFalse(os.path.exists(self.output))
      self.assertEqual(Shards(self.output, 10, 4, _SETTINGS).rows_done(), 4)
    # A kill within a file leaves a temporary one.
    leftover = os.path.join(
        self.output + '.incomplete', 'tmp.part-00001-of-00003.parquet')
    pathlib.Path(leftover).write_bytes(b'PAR1')
    self._write(table=fails)
    self.assertEqual(calls, [0, 4, 4, 4, 8])
    self.assertEqual(_content(self.output), _content(self._write('other')))

  def test_other_results_are_not_touched(self):
    self._write()
    before = _content(self.output)
    for rows, settings, words in (
        (11, _SETTINGS, 'values of rows;'),
        (10, _SETTINGS | {'outputs': ['kl']}, 'values of outputs;')):
      with self.assertRaisesRegex(ValueError, f'{words}.*`output`'):
        Shards(self.output, rows, 4, settings).prepare()
    self.assertEqual(_content(self.output), before)
    os.mkdir(self.output + '2.incomplete')
    pathlib.Path(self.output + '2.incomplete', 'mine.txt').touch()
    for name, words in (('2', 'files of something else'),
                        ('3', 'no results of such a job')):
      if name == '3':
        os.mkdir(self.output + name)
      with self.assertRaisesRegex(ValueError, words):
        Shards(self.output + name, 10, 4, _SETTINGS).prepare()

  def test_two_processes_do_not_write_the_same_files(self):
    shards = Shards(self.output, 10, 4, _SETTINGS)
    shards.prepare()
    with lock.held(shards.incomplete):
      with self.assertRaisesRegex(ValueError, 'choose another `output`'):
        shards.write(_table)
    self.assertEqual(os.listdir(shards.incomplete), ['_job.json'])

  def test_rows_done_count_a_short_last_file(self):
    shards = Shards(self.output, 10, 4, _SETTINGS)
    shards.prepare()
    for number, done in ((2, 2), (0, 6), (1, 10)):
      pathlib.Path(shards.incomplete, f'part-{number:05d}-of-00003.parquet'
                   ).touch()
      self.assertEqual(shards.rows_done(), done)
    with open(os.path.join(shards.incomplete, '_job.json'),
              encoding='utf-8') as file:
      self.assertEqual(json.load(file), {
          'rows': 10, 'rows_per_file': 4, 'data': 'd', 'outputs': ['elbo']})


if __name__ == '__main__':
  tf.test.main()
