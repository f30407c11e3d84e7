"""TensorBoard of a run that was killed and resumed, over HTTP."""

import csv
import json
import math
import os
import pathlib
import re
import shutil
import tempfile
import time
import types
from unittest import mock
import urllib.parse
import urllib.request

import numpy as np
from scipy import stats
import tensorflow as tf
import tensorflow_probability as tfp
import tf_keras

from tests import fresh_process
from tfvae import data
from tfvae import layers
from tfvae import models
from tfvae import tables
from tfvae.training import callbacks
from tfvae.training import Config
from tfvae.training import train
from tfvae.training import train_and_evaluate
from tfvae.training.callbacks.projector import write_projector
from tfvae.training.callbacks.tensorboard import TensorBoard

_EPOCHS = 4
_KILLED_IN = 3
_SECONDS = 120
_PLUGIN = '/data/plugin'
_SPLITS = {'train': '', 'validation': 'val_'}
_LAST_TAGS = {'train': 'samples', 'validation': 'reconstructions'}
_SCALARS = ('loss', 'elbo', 'reconstruction', 'kl')
_NAMES = ['zéro', 'one\tor\nI', 'two']
_PRINTED = ['zéro', 'one or I', 'two', *'3456789']


def _train_killed_and_resumed(config, workdir):
  """Leaves epoch 3 twice: in files cut short, and whole after resuming.

  There is no evaluation, which leaves nothing in TensorBoard.
  """
  save = callbacks.Checkpoint.on_epoch_end

  def save_or_die(self, epoch, logs=None):
    if epoch + 1 == _KILLED_IN:
      raise KeyboardInterrupt
    save(self, epoch, logs)

  try:
    with mock.patch.object(callbacks.Checkpoint, 'on_epoch_end', save_or_die):
      train_and_evaluate(config, workdir)
  except KeyboardInterrupt:
    pass
  for path in pathlib.Path(workdir, 'tensorboard').rglob('*tfevents*'):
    assert _KILLED_IN in [event.step for event in _events(path)]
    content = path.read_bytes()
    path.write_bytes(content + content[:20])  # A record's header and no more.
  with mock.patch.object(train, '_evaluate'):
    train_and_evaluate(config, workdir)


def _events(path):
  return [tf.compat.v1.Event.FromString(record) for record in
          tf.data.TFRecordDataset(str(path)).as_numpy_iterator()]


def _start(logdir, log):
  """Starts TensorBoard; returns its process and its address."""
  process = fresh_process.start(
      ['-m', 'tensorboard.main', '--logdir', logdir, '--host', '127.0.0.1',
       '--port', '0', '--reload_interval', '1'], log)
  said, deadline = '', time.monotonic() + _SECONDS
  while time.monotonic() < deadline and process.is_alive():
    said = pathlib.Path(log).read_text(encoding='utf-8')
    address = re.search(r'http://127\.0\.0\.1:\d+', said)
    if address:
      return process, address.group()
    time.sleep(0.1)
  process.kill()
  raise AssertionError(f'TensorBoard did not start:\n{said}')


def _stop(process):
  process.terminate()
  process.join(10)
  process.kill()
  process.join()


def _image(bytes_):
  return tf.io.decode_png(bytes_).numpy()


class ServedTest(tf.test.TestCase):

  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    directory = tempfile.mkdtemp()
    cls.addClassCleanup(shutil.rmtree, directory)
    cls.workdir = os.path.join(directory, 'run')
    cls.config = Config(
        data_dir=directory, latents='z1:4,z2:2', inference='z1|x,y; z2|z1',
        generative='z2; z1|z2; x|z1,y', hidden_units=(16,), factor_units=(8,),
        epochs=_EPOCHS, learning_rate_schedule='cosine', jit='false',
        steps_per_execution='1', eval_importance_samples=5,
        eval_importance_examples=20, evaluations=('importance_weighted',),
        export=False, checkpoint_min_seconds=0)
    _train_killed_and_resumed(cls.config, cls.workdir)
    cls.images = data.load_images('digits', data_dir=directory)
    cls.model = tf_keras.models.load_model(
        os.path.join(cls.workdir, 'model.keras'))
    labels = cls.images.test.labels
    cls.inputs = {'x': np.float32(cls.images.test.images / 255),
                  'y': np.eye(10, dtype=np.float32)[labels]}
    for _ in range(2):  # The second time in place of the first.
      write_projector(cls.workdir, cls.model, cls.inputs, labels, _NAMES)
    process, cls.address = _start(
        cls.workdir, os.path.join(directory, 'log'))
    cls.addClassCleanup(_stop, process)
    cls._wait_until_loaded()

  @classmethod
  def _get(cls, path, **query):
    # Without proxies, which an environment may name.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    url = f'{cls.address}{path}?{urllib.parse.urlencode(query)}'
    with opener.open(url, timeout=30) as response:
      return response.read()

  @classmethod
  def _wait_until_loaded(cls):
    deadline = time.monotonic() + _SECONDS
    while not cls._is_loaded():
      if time.monotonic() > deadline:
        raise AssertionError('TensorBoard did not load the run')
      time.sleep(0.2)

  @classmethod
  def _is_loaded(cls):
    tags = json.loads(cls._get(f'{_PLUGIN}/images/tags'))
    return 'tensorboard/projector' in json.loads(cls._get('/data/runs')) and (
        all(tag in tags.get(f'tensorboard/{split}', ())
            and cls._pictures(split, tag)[-1]['step'] == _EPOCHS
            for split, tag in _LAST_TAGS.items()))

  @classmethod
  def _pictures(cls, split, tag):
    return json.loads(cls._get(
        f'{_PLUGIN}/images/images', run=f'tensorboard/{split}', tag=tag,
        sample=0))

  def _decoded(self, split, tag):
    """Returns the picture of each epoch, in order."""
    served = self._pictures(split, tag)
    self.assertEqual([picture['step'] for picture in served], [1, 2, 3, 4])
    return [_image(self._get(
        f'{_PLUGIN}/images/individualImage',
        **dict(urllib.parse.parse_qsl(picture['query']))))
            for picture in served]

  def _scalars(self, split, tag):
    return json.loads(self._get(
        f'{_PLUGIN}/scalars/scalars', run=f'tensorboard/{split}', tag=tag))

  def _projector(self, route, **query):
    return self._get(f'{_PLUGIN}/projector/{route}',
                     run='tensorboard/projector', **query)

  def _file(self, name):
    return pathlib.Path(
        self.workdir, 'tensorboard', 'projector', name).read_bytes()

  def test_scalars_are_those_of_the_history(self):
    with open(os.path.join(self.workdir, 'history.csv'),
              encoding='utf-8') as file:
      rows = list(csv.DictReader(file))
    for split, prefix in _SPLITS.items():
      for tag in _SCALARS:
        _, steps, values = zip(*self._scalars(split, tag), strict=True)
        self.assertEqual(steps, (1, 2, 3, 4))
        self.assertAllClose(
            values, [float(row[prefix + tag]) for row in rows], rtol=1e-6)

  def test_learning_rate_is_that_of_the_last_step_of_each_epoch(self):
    training = self.config.training
    steps = math.ceil(len(self.images.train.images) / training.batch_size)
    done = (np.arange(1, _EPOCHS + 1) * steps - 1) / (_EPOCHS * steps)
    self.assertAllClose(
        [value for _, _, value in self._scalars('train', 'learning_rate')],
        training.learning_rate * (1 + np.cos(np.pi * done)) / 2, rtol=1e-4)

  def test_no_event_is_there_twice(self):
    for split in _SPLITS:
      steps = {}
      directory = pathlib.Path(self.workdir, 'tensorboard', split)
      self.assertLen(list(directory.iterdir()), 2)  # One for each start.
      for path in sorted(directory.iterdir()):
        for event in _events(path):
          for value in event.summary.value:
            steps.setdefault(value.tag, []).append(event.step)
      self.assertEqual(set(map(tuple, steps.values())), {(1, 2, 3, 4)})

  def test_reconstructions_are_under_the_same_images_each_epoch(self):
    pictures = self._decoded('validation', 'reconstructions')
    validation = data.evaluation_batches(
        self.images.validation.images, 10, self.config.evaluation.eval_seed,
        self.config.data_binarization(), split='validation')
    originals = next(iter(validation)).numpy()
    for picture in pictures:
      self.assertEqual(picture.shape, (2 * 9 - 1, 10 * 9 - 1, 1))
      for column, original in enumerate(originals):
        self.assertAllClose(
            picture[:8, 9 * column:9 * column + 8], 255 * original, atol=1)
    self.assertNotAllClose(pictures[0][9:], pictures[-1][9:])

  def test_samples_have_their_size(self):
    pictures = self._decoded('train', 'samples')
    for picture in pictures:
      self.assertEqual(picture.shape, (6 * 9 - 1, 10 * 9 - 1, 1))
    self.assertNotAllClose(pictures[0], pictures[-1])

  def test_projector_serves_the_posterior_means(self):
    self.assertEqual(json.loads(self._get(f'{_PLUGIN}/projector/runs')),
                     ['tensorboard/projector'])
    tensors = json.loads(self._projector('info'))['embeddings']
    means = self.model.infer(
        self.inputs, tfp.distributions.Distribution.mean).latents
    self.assertEqual(
        {tensor['tensorName']: tensor['tensorShape'] for tensor in tensors},
        {'z1': [360, 4], 'z2': [360, 3]})
    for name, columns in (('z1', 4), ('z2', 2)):
      points = np.frombuffer(
          self._projector('tensor', name=name), np.float32).reshape(360, -1)
      self.assertAllClose(points[:, :columns], means[name], atol=1e-6)
      self.assertAllEqual(points[:, columns:], 0 * points[:, columns:])

  def test_projector_serves_the_labels(self):
    served = self._projector('metadata', name='z1')
    self.assertEqual(served, self._file('metadata.tsv'))
    header, *lines = served.decode().splitlines()
    self.assertEqual(header, 'label\tindex')
    self.assertEqual(lines, [
        f'{_PRINTED[label]}\t{index}'
        for index, label in enumerate(self.images.test.labels)])

  def test_projector_serves_the_images(self):
    sprite = json.loads(self._projector('info'))['embeddings'][0]['sprite']
    self.assertEqual(sprite['singleImageDim'], [8, 8])
    served = self._projector('sprite_image', name='z1')
    self.assertEqual(served, self._file('sprite.png'))
    atlas = _image(served)
    self.assertEqual(atlas.shape, (19 * 8, 19 * 8, 1))  # 360 <= 19 * 19
    for index, image in enumerate(self.images.test.images):
      top, left = 8 * (index // 19), 8 * (index % 19)
      self.assertAllEqual(atlas[top:top + 8, left:left + 8], image)


class TensorBoardTest(tf.test.TestCase):

  def _workdir(self):
    return self.create_tempdir().full_path

  def test_samples_have_a_column_for_each_class(self):
    def sample(n, seed, mean, inputs):
      del mean
      self.assertEqual((n, seed), (18, 7))
      gray = tf.argmax(inputs['y'], axis=1) / 2
      return tf.ones([n, 2, 2, 1]) * tf.reshape(
          tf.cast(gray, tf.float32), [-1, 1, 1, 1])

    workdir = self._workdir()
    inputs = {'x': np.ones([4, 2, 2, 1], np.float32),
              'y': np.eye(3, dtype=np.float32)[[0, 1, 2, 0]]}
    callback = TensorBoard(workdir, inputs, seed=7)
    likelihood = tfp.distributions.Deterministic(tf.ones([4, 2, 2, 1]))
    model = mock.Mock(return_value=likelihood, sample=sample)
    model.optimizer = types.SimpleNamespace(
        learning_rate=tf.Variable(0.1), use_ema=False)
    callback.set_model(model)
    callback.on_epoch_end(0, {'loss': 1.0})
    [path] = pathlib.Path(workdir, 'tensorboard', 'train').iterdir()
    [picture] = [
        _image(value.tensor.string_val[2]) for event in _events(path)
        for value in event.summary.value if value.tag == 'samples']
    for column, gray in enumerate((0, 255 / 2, 255)):
      for row in range(6):
        self.assertAllClose(
            picture[3 * row:3 * row + 2, 3 * column:3 * column + 2],
            np.full([2, 2, 1], gray), atol=1)

  def test_large_images_become_thumbnails(self):
    workdir = self._workdir()
    model = models.image_vae('z:3', (3000, 1, 1), hidden_units=(2,))
    halves = np.repeat(np.float32([1, 0]), 1500).reshape(1, 3000, 1, 1)
    write_projector(workdir, model, np.repeat(halves, 4, axis=0))
    directory = pathlib.Path(workdir, 'tensorboard', 'projector')
    self.assertNotIn('metadata', (directory / 'projector_config.pbtxt')
                     .read_text(encoding='utf-8'))
    atlas = _image((directory / 'sprite.png').read_bytes())
    self.assertEqual(atlas.shape, (4096, 2, 1))
    self.assertAllEqual(
        atlas[:, 0, 0], np.tile(np.repeat([255, 0], 1024), 2))

  def test_a_label_for_each_image(self):
    model = models.image_vae('z:3', (2, 2, 1), hidden_units=(2,))
    with self.assertRaisesRegex(ValueError, '3 labels, 4 images'):
      write_projector(self._workdir(), model, np.ones([4, 2, 2, 1]), [0, 1, 2])

  def _summaries(self, workdir, split):
    """Returns the last value of each tag with the name of its plugin."""
    [path] = pathlib.Path(workdir, 'tensorboard', split).iterdir()
    return {value.tag: (value.metadata.plugin_data.plugin_name,
                        tf.make_ndarray(value.tensor))
            for event in _events(path) for value in event.summary.value}

  def _run_on_table(self, columns, x, missing=None):
    """Returns a workdir with the first epoch of a table, and the model.

    With weights of 0, p(x_c|z) is that of the training data.
    """
    workdir = self._workdir()
    model = models.image_vae(
        'z:2', (2,), hidden_units=(4,), missing=missing,
        likelihood=layers.IndependentColumns(columns=columns))
    model.decoder.set_weights(
        [np.zeros_like(w) for w in model.decoder.get_weights()])
    model.compile('sgd')
    callback = TensorBoard(workdir, x, columns=columns)
    callback.set_model(model)
    callback.on_epoch_end(0, {'loss': 1.0})
    return workdir, model

  def test_tables_have_columns(self):
    columns = (
        tables.Column('size', 'real', loc=5., scale=2.),
        tables.Column('kind | of', 'categorical', 'string', ('a', 'b')))
    x = np.float32([[4, 1], [6.5, 2], [5, 0]])
    workdir, model = self._run_on_table(columns, x)
    found = self._summaries(workdir, 'validation')
    self.assertEqual({tag: plugin for tag, (plugin, _) in found.items()}, {
        'columns/size': 'scalars', 'columns/kind | of': 'scalars',
        'reconstructions': 'text'})
    self.assertAllClose(found['columns/size'][1],
                        stats.norm.logpdf(x[:, 0], 5, 2).mean(), rtol=1e-5)
    self.assertAllClose(found['columns/kind | of'][1], -np.log(3), rtol=1e-5)
    self.assertEqual(found['reconstructions'][1].item().decode().splitlines(), [
        r'|  | size | kind \| of |', '| --- | --- | --- |',
        '| data | 4 | a |', '| reconstruction | 5 | other |',
        '| data | 6.5 | b |', '| reconstruction | 5 | other |',
        '| data | 5 | other |', '| reconstruction | 5 | other |'])
    plugin, text = self._summaries(workdir, 'train')['samples']
    self.assertEqual(plugin, 'text')
    self.assertLen(text.item().decode().splitlines(), 2 + 10)
    write_projector(workdir, model, x, np.array([0, 1, 0]), ['no', 'yes'])
    directory = pathlib.Path(workdir, 'tensorboard', 'projector')
    self.assertEqual(
        (directory / 'metadata.tsv').read_text(encoding='utf-8').splitlines(),
        ['label\tsize\tkind | of\tindex', 'no\t4\ta\t0', 'yes\t6.5\tb\t1',
         'no\t5\tother\t2'])
    self.assertFalse((directory / 'sprite.png').exists())

  def test_missing_values(self):
    columns = (tables.Column('size', 'real', loc=5., scale=2.),
               tables.Column('kind', 'categorical', 'string', ('a', 'b')))
    x = np.float32([[4, np.nan], [np.nan, 2], [5, 0]])
    workdir, model = self._run_on_table(columns, x, missing=True)
    found = self._summaries(workdir, 'validation')
    self.assertAllClose(found['columns/size'][1],
                        stats.norm.logpdf([4., 5.], 5, 2).mean(), rtol=1e-5)
    self.assertAllClose(found['columns/kind'][1], -np.log(3), rtol=1e-5)
    lines = found['reconstructions'][1].item().decode().splitlines()
    self.assertEqual(lines[2::2], [
        '| data | 4 | missing |', '| data | missing | b |',
        '| data | 5 | other |'])
    write_projector(workdir, model, x)
    self.assertIn('missing', pathlib.Path(
        workdir, 'tensorboard', 'projector', 'metadata.tsv').read_text('utf-8'))

  def test_missing_pixels(self):
    workdir = self._workdir()
    x = np.ones([3, 2, 2, 1], np.float32)
    x[0, 0, 0] = np.nan
    model = models.image_vae('z:2', (2, 2, 1), hidden_units=(2,), missing=True)
    model.compile('sgd')
    callback = TensorBoard(workdir, x)
    callback.set_model(model)
    callback.on_epoch_end(0, {'loss': 1.0})
    png = self._summaries(workdir, 'validation')['reconstructions'][1][2]
    shown = _image(png)
    self.assertEqual(shown[0, :5, 0].tolist(), [127, 255, 255, 255, 255])

  def test_vectors_have_no_pictures(self):
    workdir = self._workdir()
    model = models.image_vae('z:3', (5,), hidden_units=(2,))
    model.compile('sgd')
    callback = TensorBoard(workdir, np.ones([4, 5], np.float32))
    callback.set_model(model)
    callback.on_epoch_end(0, {'loss': 1.0, 'val_loss': 2.0})
    for split in ('train', 'validation'):
      self.assertEqual({plugin for plugin, _ in self._summaries(
          workdir, split).values()}, {'scalars'})
    write_projector(workdir, model, np.ones([4, 5], np.float32))
    self.assertNotIn('sprite', pathlib.Path(
        workdir, 'tensorboard', 'projector', 'projector_config.pbtxt'
    ).read_text(encoding='utf-8'))


if __name__ == '__main__':
  tf.test.main()
