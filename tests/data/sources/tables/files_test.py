"""Tables as pandas writes them, and files that are none."""

import os
import pathlib

from absl.testing import parameterized
import pandas as pd
import tensorflow as tf

from tfvae import data
from tfvae.data.sources.tables.files import read_tables
from tfvae.data.sources.tables.files import table_files

_FRAME = pd.DataFrame({
    'name': ['Ann, "A."', 'Łukasz', 'line\nbreak'], 'size': [1.5, -2.0, 1e-3],
    'alive': [True, False, True]})
_WRITERS = {
    '.csv': lambda frame, path: frame.to_csv(path, index=False),
    '.TSV': lambda frame, path: frame.to_csv(path, sep='\t', index=False),
    '.parquet': lambda frame, path: frame.to_parquet(path, index=False)}


class FilesTest(parameterized.TestCase, tf.test.TestCase):

  def setUp(self):
    super().setUp()
    self.folder = pathlib.Path(self.create_tempdir().full_path)

  def write(self, name, frame=_FRAME):
    path = self.folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    _WRITERS[os.path.splitext(name)[1]](frame, path)
    return str(path)

  @parameterized.parameters(*_WRITERS)
  def test_is_as_it_was_written(self, extension):
    path = self.write(f'table{extension}')
    self.assertTrue(data.names_table(path))
    pd.testing.assert_frame_equal(read_tables([path]), _FRAME)

  def test_folder_of_parts(self):
    for name in ('train.csv', 'test.csv', 'validation/0.parquet',
                 'validation/1.parquet'):
      self.write(name)
    (self.folder / '.hidden.csv').touch()
    files = table_files(str(self.folder))
    self.assertEqual({part: len(paths) for part, paths in files.items()},
                     {'train': 1, 'validation': 2, 'test': 1})
    self.assertLen(read_tables(files['validation']), 6)

  def test_folder_of_images_is_none(self):
    self.write('labels.csv')
    self.assertTrue(data.names_table(self.folder))
    for name in ('cats', 'train/cats'):
      (self.folder / name).mkdir(parents=True)
      self.assertFalse(data.names_table(self.folder))
      (self.folder / name).rmdir()
    (self.folder / 'train' / '0.JPG').touch()
    self.assertFalse(data.names_table(self.folder))

  def test_folder_of_one_table(self):
    paths = [self.write(f'part-{i}.parquet') for i in range(3)]
    self.assertEqual(table_files(str(self.folder)), {'train': paths})
    self.assertTrue(data.names_table(self.folder))

  def test_folders_that_are_unclear(self):
    self.write('test.csv')
    with self.assertRaisesRegex(ValueError, "needs the part 'train'.*test"):
      table_files(str(self.folder))
    self.write('more.csv')
    with self.assertRaisesRegex(ValueError, 'more.csv.*next to test'):
      table_files(str(self.folder))

  @parameterized.parameters(
      ('', 'No columns'), ('a,b\n', 'no rows'), ('a,b,a\n1,2,3\n', "'a' repea"),
      ('1.5,2,x\n3,4,y\n', 'names of the columns.*1.5'),
      ('a,b\n1,2\n1,2,3\n', 'Expected 2 fields'),
      (b'a\n\xff\xfe\n', 'UTF-8'))
  def test_broken_files_are_named(self, content, message):
    path = self.folder / 'broken.csv'
    path.write_bytes(content if isinstance(content, bytes) else
                     content.encode())
    with self.assertRaisesRegex(ValueError, f'(?s){message}.*broken.csv'):
      read_tables([str(path)])

  def test_files_of_other_columns(self):
    one = self.write('one.csv')
    other = self.write('other.csv', _FRAME.rename(columns={'size': 'length'}))
    with self.assertRaisesRegex(ValueError, "differ in 'length', 'size'"):
      read_tables([one, other])

  def test_parquet_that_is_none(self):
    path = self.folder / 'broken.parquet'
    path.write_text('no')
    with self.assertRaisesRegex(ValueError, 'broken.parquet'):
      read_tables([str(path)])


if __name__ == '__main__':
  tf.test.main()
