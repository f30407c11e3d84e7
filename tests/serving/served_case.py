"""Models of `model_matrix` for serving, with inputs of their signatures."""

import numpy as np
import tensorflow as tf
import tf_keras

from tests import model_matrix

# The objective does not affect an export.
CASES = tuple(model_matrix.pairwise({
    name: values for name, values in model_matrix.FACTORS.items()
    if name != 'objective'}))


def _covering(cases):
  """Yields a few cases in which every value of every factor occurs."""
  missing = set().union(*(case.items() for case in cases))
  while missing:
    best = max(cases, key=lambda case: len(missing & case.items()))
    missing -= best.items()
    yield best


COVERING_CASES = tuple(_covering(CASES))
# Batches of 64, 3 and 1, the last two of rows from within the first.
BATCHES = (slice(0, 64), slice(40, 43), slice(63, 64))


def make_model_and_rows(case):
  """Returns a model, and 64 rows of each input of its signatures, by name."""
  tf_keras.utils.set_random_seed(0)
  x, y = model_matrix.digits(case['likelihood'], 64)
  model = model_matrix.make_model(case, x.shape[1:])
  rng = np.random.default_rng(0)
  for weight in model.trainable_weights:  # Some start at zero.
    weight.assign_add(rng.normal(0, 0.1, weight.shape))
  latents = {name: rng.normal(size=[64, size]).astype(np.float32)
             for name, size in model.graph.latents}
  return model, latents | {
      'x': x, 'y': y, 'examples': examples(x=x, y=y),
      'seed': rng.integers(0, 2**31 - 1, [64, 2], np.int32)}


def examples(**features):
  """Returns serialized `tf.Example`s, one per row."""
  def feature(values):
    return tf.train.Feature(float_list=tf.train.FloatList(value=values.flat))

  return np.array([
      tf.train.Example(features=tf.train.Features(feature={
          name: feature(rows[index]) for name, rows in features.items()
      })).SerializeToString() for index in range(len(features['x']))], object)


def relative_difference(actual, expected):
  """Returns max |actual − expected| / max(1, max |expected|)."""
  return np.abs(actual - expected).max() / max(1, np.abs(expected).max())
