"""Exports for pipelines, their inputs, and a runner without network."""

import os

import numpy as np
import tensorflow as tf
import tf_keras

from tests import incomplete_rows
from tfvae import models
from tfvae import serving

# DirectRunner would first download another runner.
RUNNER = ('--runner='
          'apache_beam.runners.portability.fn_api_runner.FnApiRunner')


def save(model, path, names, **settings):
  """Writes a SavedModel with these signatures."""
  tf.saved_model.save(
      serving.ServedModel(model), path,
      signatures=serving.signatures(model, names, **settings))


def image_export(path):
  """Writes a model of 8x8 pixels, and returns it as loaded."""
  tf_keras.utils.set_random_seed(0)
  model = models.image_vae('code:3', (8, 8, 1), hidden_units=(16,))
  save(model, path, ['encode', 'decode', 'score', 'parse_image'],
       image_input=serving.ImageInput())
  return tf.saved_model.load(path)


def table_export(path, missing=False):
  """Writes a model of a table, and returns it as loaded."""
  model = incomplete_rows.table_vae(missing)
  save(model, path, ['encode', 'decode', 'score'] + ['impute'] * missing)
  return tf.saved_model.load(path)


def table_columns(n, seed=0):
  """Returns columns of n valid rows as the signatures take them, by name."""
  x, _ = incomplete_rows.rows_of_table(n, seed=seed)
  days = np.datetime64('1970-01-01') + x[:, 6].astype('timedelta64[D]')
  return {
      'length': x[:, 0], 'mass': x[:, 1], 'eggs': x[:, 2],
      'sex': np.array(['f', 'm'])[x[:, 3].astype(int)],
      'island': np.array(['other', 'a', 'b'])[x[:, 4].astype(int)],
      'size': x[:, 5] + 1, 'day': days.astype(str)}


def read_lines(directory, name):
  """Returns the lines of all files of a directory that begin with a name."""
  return [line for path in sorted(os.listdir(directory))
          if path.startswith(name)
          for line in open(os.path.join(directory, path), encoding='utf-8')]
