"""Runs on tables: from the file to metrics, samples and a served model."""

import json
import os
import pathlib
import re
import shutil
from unittest import mock

from absl.testing import parameterized
import numpy as np
import pandas as pd
from sklearn import datasets
import tensorflow as tf
import tf_keras

from tests.serving.cpp_loader import CppLoader
from tfvae.tables import Schema
from tfvae.training import Config
from tfvae.training import sample_run
from tfvae.training import train_and_evaluate
from tfvae.training import write_data_page
from tfvae.training import write_schema
from tfvae.training.fit import fitting

_SMALL = dict(latents='z:2', hidden_units=(8,), epochs=2, batch_size=30,
              jit='false', learning_rate=0.01, eval_importance_samples=2,
              evaluations=('importance_weighted', 'columns'), eval_samples=50)
# Names of the inputs of a signature, where they are not those of the columns.
_NAMES = {'alcohol (%)': 'alcohol____', 'Traube.1': 'Traube_1',
          'is dry': 'is_dry', 'seed': 'seed_column', 'class': 'class_column',
          'self': 'self_column', 'z': 'z_column'}


def _wine():
  """Wine with its class as text, a flag, a date, and names that are hard."""
  wine = datasets.load_wine(as_frame=True).frame
  rng = np.random.default_rng(0)
  return pd.DataFrame({
      'alcohol (%)': wine['alcohol'], 'seed': wine['proline'],
      'Traube.1': wine['target'].map({0: 'rot', 1: 'weiß', 2: 'rosé'}),
      'is dry': rng.random(len(wine)) < 0.5,
      'z': pd.date_range('2020-01-01', periods=len(wine)).strftime(
          '%Y-%m-%d'),
      'class': rng.poisson(9, len(wine)),
      'self': rng.integers(1, 6, len(wine))})


class TableRunTest(parameterized.TestCase, tf.test.TestCase):

  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.frame = _wine()
    cls.directory = cls().create_tempdir().full_path
    cls.path = os.path.join(cls.directory, 'wine.csv')
    cls.frame.to_csv(cls.path, index=False)
    cls.workdir = os.path.join(cls.directory, 'run')
    cls.config = Config(dataset=cls.path, **_SMALL)
    with mock.patch.object(fitting, 'TensorBoard'):
      cls.metrics = train_and_evaluate(cls.config, cls.workdir)

  def test_figures_of_each_column(self):
    columns = self.metrics['columns']
    self.assertEqual(list(columns['reconstruction']), list(self.frame))
    self.assertAllClose(sum(columns['reconstruction'].values()),
                        self.metrics['test']['reconstruction'], rtol=1e-5)
    self.assertNotIn('bits_per_dim', self.metrics['test'])
    with open(os.path.join(self.workdir, 'report', 'index.html'),
              encoding='utf-8') as file:
      page = file.read()
    self.assertIn('Real and generated columns', page)
    # The data come first, with the rows that the run read.
    self.assertEqual(re.findall(r'<section id="(\w+)"', page.split(
        'id="warnings"')[-1])[0], 'data')
    self.assertIn('First training rows', page)
    self.assertIn('alcohol (%)', page)
    with open(os.path.join(self.workdir, 'flags.txt'),
              encoding='utf-8') as file:
      self.assertIn('--likelihood=columns\n', file.read())

  def test_page_of_the_data_leaves_the_run_as_it_is(self):
    def content():
      return {path: path.read_bytes()
              for path in pathlib.Path(self.workdir).rglob('*')
              if path.is_file() and path.name not in (
                  'data.html', 'description.json', 'samples.csv')}

    before = content()
    write_data_page(self.config, self.workdir)
    self.assertEqual(content(), before)
    with open(os.path.join(self.workdir, 'description.json'),
              encoding='utf-8') as file:
      splits = json.load(file)['splits']
    with np.load(os.path.join(self.workdir, 'splits.npz')) as rows:
      self.assertEqual({name: split['examples']
                        for name, split in splits.items()},
                       {name: len(rows[name]) for name in rows})

  def test_units_are_those_of_the_training_rows(self):
    model = tf_keras.models.load_model(
        os.path.join(self.workdir, 'model.keras'))
    with np.load(os.path.join(self.workdir, 'splits.npz')) as rows:
      train = self.frame.iloc[rows['train']]
    found = {c.name: c for c in model.likelihood_layer().columns}
    for name, values in (
        ('alcohol (%)', train['alcohol (%)']),
        ('class', np.log1p(train['class'])), ('self', train['self'] - 1)):
      self.assertAllClose([found[name].loc, found[name].scale],
                          [values.mean(), values.std(ddof=0)], rtol=1e-6)
    counts = train['self'].value_counts().sort_index().to_numpy() + 1
    self.assertAllClose(found['self'].frequencies, counts / counts.sum())

  def test_server_takes_and_gives_rows(self):
    """The C++ loader equals Python, and the model on the codes of the rows."""
    path = os.path.join(self.workdir, 'export', '1')
    rows = {name: self.frame[name].to_numpy()[:5] for name in self.frame}
    inputs = {_NAMES.get(name, name): _sent(values)
              for name, values in rows.items()}
    seeds = np.int32([[i, 7] for i in range(5)])
    model = tf_keras.models.load_model(
        os.path.join(self.workdir, 'model.keras'))
    x = np.stack([_coded(column, rows[column.name])
                  for column in model.likelihood_layer().columns], axis=1)
    served = tf.saved_model.load(path).signatures
    with CppLoader() as loader:
      for name, request in (
          ('reconstruct', inputs), ('encode', inputs),
          ('decode', {'z': np.zeros([5, 2], np.float32)}),
          ('generate', {'seed': seeds}),
          # Its seed is not the column of this name.
          ('score', inputs | {'seed': seeds})):
        outputs = loader.run(path, name, request)
        expected = served[name](**{
            key: tf.constant(value) for key, value in request.items()})
        self.assertCountEqual(outputs, expected)
        for key, value in outputs.items():
          if value.dtype == np.float32:
            self.assertAllClose(value, expected[key], rtol=1e-5, msg=key)
          else:
            self.assertAllEqual(value, expected[key].numpy())
        if name == 'encode':
          q = model.infer(x, lambda q: q.mean()).posteriors['z']
          self.assertAllClose(outputs['loc'], q.mean(), atol=1e-4)
        if name in ('reconstruct', 'decode', 'generate'):
          self.assertCountEqual(
              outputs, [_NAMES.get(name, name) for name in self.frame])
      with self.assertRaisesRegex(RuntimeError, 'column self is ordinal'):
        loader.run(path, 'encode',
                   inputs | {'self_column': np.full(5, 9.5, 'f')})

  def test_samples_are_such_a_table(self):
    sample_run(Config(**self.config.flat() | {'num_samples': 30}),
               self.workdir)
    samples = pd.read_csv(os.path.join(self.workdir, 'samples.csv'))
    self.assertLen(samples, 30)
    self.assertEqual(list(samples), list(self.frame))
    for name in ('Traube.1', 'is dry', 'self'):
      self.assertContainsSubset(
          samples[name].unique(), {'other', *self.frame[name].unique()})
    self.assertTrue((samples['class'] % 1 == 0).all())
    pd.to_datetime(samples['z'])

  def test_schema_is_written_edited_and_used(self):
    workdir = os.path.join(self.directory, 'schema')
    write_schema(self.config, workdir)
    path = os.path.join(workdir, 'schema.json')
    with open(path, encoding='utf-8') as file:
      content = json.load(file)
    self.assertEqual(
        {column['name']: column['kind'] for column in content['columns']}, {
            'alcohol (%)': 'real', 'seed': 'real', 'Traube.1': 'categorical',
            'is dry': 'binary', 'z': 'date', 'class': 'count',
            'self': 'ordinal'})
    content['columns'] = content['columns'][:2]
    with open(path, 'w', encoding='utf-8') as file:
      json.dump(content, file)
    self.assertLen(list(Schema.load(path)), 2)
    with self.assertRaisesRegex(ValueError, '`schema`: '):
      train_and_evaluate(
          Config(dataset=self.path, schema=path, **_SMALL), self.workdir)

  def test_another_schema_at_the_same_path_is_a_change(self):
    known = os.path.join(self.workdir, 'data.json')
    with open(known, encoding='utf-8') as file:
      content = json.load(file)
    self.assertCountEqual(content['content'], ['wine.csv', 'schema'])
    workdir = os.path.join(self.directory, 'changed')
    shutil.copytree(self.workdir, workdir)
    content['content']['schema'] = '0'
    with open(os.path.join(workdir, 'data.json'), 'w',
              encoding='utf-8') as file:
      json.dump(content, file)
    with self.assertRaisesRegex(ValueError, r'1 changed \(schema\)'):
      train_and_evaluate(self.config, workdir)

  @parameterized.parameters(
      (dict(dataset='digits', likelihood='columns'), "likelihood='columns'"),
      (dict(dataset='/nowhere/tables', likelihood='columns'), 'not exist'),
      (dict(dataset='t.csv', likelihood='normal'), 'likelihood=normal'))
  def test_likelihood_is_that_of_the_data(self, settings, message):
    with self.assertRaisesRegex(ValueError, message):
      Config(**settings)

  def test_only_tables_have_a_schema(self):
    with self.assertRaisesRegex(ValueError, "dataset='digits'"):
      write_schema(Config(), self.directory)


def _sent(values):
  """Values as a client sends them."""
  if values.dtype == bool:
    return values
  return np.float32(values) if values.dtype.kind in 'if' else np.array(
      [text.encode() for text in values], object)


def _coded(column, values):
  """Codes of a column by a plain loop."""
  if column.kind == 'date':
    return [(np.datetime64(v) - np.datetime64('1970-01-01')).astype(float)
            for v in values]
  if not column.categories:
    return np.float32(values)
  first = column.kind == 'categorical'
  return [first + list(column.categories).index(v) for v in values]


if __name__ == '__main__':
  tf.test.main()
