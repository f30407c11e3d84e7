"""Summaries of examples for TensorBoard: pictures, or rows of a table."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tfvae import autograph
from tfvae.inference import observed
from tfvae.layers import SeededSample
from tfvae.layers.columns.independent_columns import log_prob_by_column
from tfvae.models import LatentVariableModel
from tfvae.report import Display
from tfvae.report import image_grid
from tfvae.tables import Column
from tfvae.tables import texts

_ROWS, _COLUMNS = 6, 10  # Grid of samples.
_MAX_CLASSES = 50  # Columns of a conditional model, one per class.
_FEW = 5  # Rows of a table that are shown with their reconstructions.

Writers = dict[str, tf.summary.SummaryWriter]


class PictureSummaries:
  """Grids of reconstructions and of samples.

  The reconstructed images and the noise of the samples are the same each time.
  """

  def __init__(self, inputs: Any, seed: int):
    """Initializes the scale of the pictures; see `TensorBoard`."""
    self._inputs, self._labels, self._columns = inputs, None, _COLUMNS
    labels = observed(inputs).get('y')
    if labels is not None:
      one_hot = np.eye(labels.shape[1], dtype=np.float32)[:_MAX_CLASSES]
      self._columns = len(one_hot)
      self._labels = {'y': np.tile(one_hot, [_ROWS, 1])}
    self._seed = seed
    self._display = Display(observed(inputs)['x'])
    # Compiled, because an autoregressive posterior is slow in eager mode.
    self._means = autograph.function(self._means_of_x)

  def write(self, model: LatentVariableModel, writers: Writers, step: int):
    """Writes the pictures of a model, the same in each call."""
    reconstructions, samples = self._means(model)
    x = np.asarray(observed(self._inputs)['x'])
    with writers['train'].as_default(step=step):
      _write_grid('samples', self._display(samples.numpy()), self._columns)
    with writers['validation'].as_default(step=step):
      _write_grid('reconstructions',
                  self._display(np.concatenate([x, reconstructions])), len(x))

  def _means_of_x(self, model) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns E[x|z] at the posterior means, and at draws of the prior."""
    return (model(self._inputs, training=False).mean(),
            model.sample(_ROWS * self._columns, self._seed, mean=True,
                         inputs=self._labels))


class RowSummaries:
  """Log-likelihoods by column, and rows as tables of text.

  The rows and all noise are the same each time.
  """

  def __init__(self, inputs: Any, columns: Sequence[Column], seed: int):
    """Initializes the rows; see `TensorBoard`."""
    self._inputs, self._columns, self._seed = inputs, columns, seed
    labels, self._labels = observed(inputs).get('y'), None
    if labels is not None:
      classes = labels.shape[1]
      self._labels = {'y': np.eye(classes, dtype=np.float32)[
          np.arange(_COLUMNS) % classes]}
    self._values = autograph.function(self._values_of_rows)

  def write(self, model: LatentVariableModel, writers: Writers, step: int):
    """Writes E[log p(x_c|z)] of each column, reconstructions and samples."""
    nats, means, samples = (part.numpy() for part in self._values(model))
    x = np.asarray(observed(self._inputs)['x'])[:_FEW]
    pairs = np.stack([x, means[:_FEW]], axis=1).reshape(-1, x.shape[1])
    with writers['train'].as_default(step=step):
      tf.summary.text('samples', self._table(samples, ['sample']))
    with writers['validation'].as_default(step=step):
      for column, value in zip(self._columns, nats, strict=True):
        tf.summary.scalar(f'columns/{column.name}', value)
      tf.summary.text('reconstructions', self._table(
          pairs, ['data', 'reconstruction']))

  def _values_of_rows(self, model) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Returns nats by column, E[x|z] at the posterior means, and draws of x."""
    inputs = model.completed(self._inputs)
    inference = model.infer(
        inputs, SeededSample(tf.constant([self._seed, 0])))
    likelihood = model.decode(inference.latents, inputs)
    x = observed(self._inputs)['x']
    nats = log_prob_by_column(likelihood, x)
    # A missing code has 0 nats.
    known = tf.cast(~tf.math.is_nan(tf.cast(x, tf.float32)), nats.dtype)
    return (tf.reduce_sum(nats, axis=0) / tf.reduce_sum(known, axis=0),
            model(self._inputs, training=False).mean(),
            model.sample(_COLUMNS, self._seed, inputs=self._labels))

  def _table(self, x: np.ndarray, kinds: Sequence[str]) -> str:
    """Returns rows of codes `[n, d]` as a table in Markdown.

    Args:
      x: Codes.
      kinds: Names of the rows, in turn.
    """
    values = zip(*(texts(column, codes) for column, codes in zip(
        self._columns, x.T, strict=True)), strict=True)
    lines = [['', *(column.name for column in self._columns)],
             ['---'] * (1 + len(self._columns)),
             *([kinds[i % len(kinds)], *row] for i, row in enumerate(values))]
    return '\n'.join('| ' + ' | '.join(map(_cell, line)) + ' |'
                     for line in lines)


def _cell(text: str) -> str:
  """Returns text without the marks that end a cell."""
  return ' '.join(text.replace('|', r'\|').split())


def _write_grid(tag: str, images: np.ndarray, columns: int):
  tf.summary.image(tag, image_grid(images, columns)[np.newaxis])
