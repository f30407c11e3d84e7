"""Rows of a table with a column of each kind, complete and incomplete."""

import numpy as np
import tf_keras

from tfvae.layers import IndependentColumns
from tfvae.models import image_vae
from tfvae.tables import Column

COLUMNS = (
    Column('length', 'real', loc=3., scale=2.), Column('mass', 'positive'),
    Column('eggs', 'count'), Column('sex', 'binary', 'string', ('f', 'm')),
    Column('island', 'categorical', 'string', ('a', 'b')),
    Column('size', 'ordinal', 'number', (1, 2, 3)),
    Column('day', 'date', 'string', loc=10000., scale=100.))


def rows_of_table(n=40, fraction=0.3, seed=0):
  """Returns codes of `COLUMNS`, complete and with missing ones."""
  rng = np.random.default_rng(seed)
  x = np.float32(np.stack([
      rng.normal(3, 2, n), rng.lognormal(size=n), rng.poisson(3, n),
      rng.integers(0, 2, n), rng.integers(0, 3, n), rng.integers(0, 3, n),
      rng.normal(10000, 100, n)], axis=1))
  return x, np.where(rng.random(x.shape) < fraction, np.nan, x)


def table_vae(missing=True):
  tf_keras.utils.set_random_seed(0)
  return image_vae('z:2', (7,), likelihood=IndependentColumns(columns=COLUMNS),
                   hidden_units=(8,), missing=missing)
