"""Likelihood layer of the rows of a table."""

from collections.abc import Callable, Mapping, Sequence
import functools
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp
import tf_keras

from tfvae.layers.base import conversion
from tfvae.layers.base.operations import TENSORFLOW
from tfvae.layers.columns.column_features import ColumnFeatures
from tfvae.layers.columns.layout import Layout
from tfvae.layers.likelihoods.likelihood import Likelihood
from tfvae.layers.likelihoods.likelihood import LIKELIHOODS
from tfvae.layers.likelihoods.likelihood import Shape
from tfvae.layers.likelihoods.partly_observed import log_prob_of_observed
from tfvae.tables.column import Column
from tfvae.tables.column import KINDS

tfd = tfp.distributions


class RowDistribution(tfd.Distribution):
  """Π_c p(x_c), with a distribution of its own for each column of a table."""

  def __init__(self, params: tf.Tensor, layout: Layout,
               allow_missing: bool = False,
               validate_args: bool = False, allow_nan_stats: bool = True,
               name: str = 'RowDistribution'):
    """Initializes the distribution.

    Args:
      params: Parameters of all blocks, `[..., layout.num_params]`.
      layout: Blocks of the columns.
      allow_missing: Whether a NaN is a missing code, whose column contributes
        no factor; see `PartlyObserved`.
      validate_args: As for every `tfd.Distribution`.
      allow_nan_stats: As for every `tfd.Distribution`.
      name: Name of the distribution.
    """
    parameters = dict(locals())
    with tf.name_scope(name) as name:
      self._params, self._layout = tf.convert_to_tensor(params), layout
      self._allow_missing = allow_missing
      super().__init__(
          dtype=self._params.dtype, validate_args=validate_args,
          allow_nan_stats=allow_nan_stats, parameters=parameters, name=name,
          reparameterization_type=tfd.NOT_REPARAMETERIZED)

  @classmethod
  def _parameter_properties(cls, dtype, num_classes=None):
    return {'params': tfp.util.ParameterProperties(event_ndims=1)}

  def _event_shape(self):
    return tf.TensorShape([len(self._layout.order)])

  def _event_shape_tensor(self):
    return tf.constant([len(self._layout.order)])

  def log_prob_of_elements(self, x: tf.Tensor) -> tf.Tensor:
    """Returns log p(x_c) of each column in nats, `[..., d]`.

    Args:
      x: Codes `[..., d]`. A missing one has 0 nats.
    """
    x = tf.convert_to_tensor(x, self.dtype)

    def nats(i, part):
      codes = tf.gather(x, self._layout.indices[i], axis=-1)

      def log_prob(codes):
        return part.log_prob(tf.cast(codes, part.dtype))

      return log_prob_of_observed(
          log_prob, codes, self._layout.blocks[i].fill
      ) if self._allow_missing else log_prob(codes)

    return self._by_column(nats)

  def of_observed(self) -> 'RowDistribution':
    """Returns the distribution of rows of which codes may be missing."""
    return RowDistribution(self._params, self._layout, allow_missing=True)

  def _log_prob(self, x):
    return tf.reduce_sum(self.log_prob_of_elements(x), axis=-1)

  def _sample_n(self, n, seed=None):
    seeds = tfp.random.split_seed(
        seed, n=len(self._layout.blocks), salt='RowDistribution')
    return self._by_column(lambda i, part: tf.cast(
        part.sample(n, seed=seeds[i]), self.dtype))

  def _mean(self):
    return row_mean(self._layout, self._params)

  @property
  def is_unordered(self) -> np.ndarray:
    """Whether each column has categories without an order, `[d]`."""
    return np.concatenate([
        [block.is_unordered] * len(indices) for block, indices in zip(
            self._layout.blocks, self._layout.indices, strict=True)
    ])[self._layout.order]

  def mixture_mean(self, weights: tf.Tensor) -> tf.Tensor:
    """Returns the mean or mode of each column under mixtures of rows, `[b, d]`.

    Args:
      weights: Weights of the components of b mixtures, `[b, K]`, which add up
        to 1 over K. The batch shape is `[b K]`.
    """
    def mixed(values):
      values = tf.reshape(values, tf.concat(
          [tf.shape(weights), tf.shape(values)[1:]], axis=0))
      return tf.einsum('bk,bk...->b...', weights, values)

    parts = []
    for block, params in zip(self._layout.blocks,
                             self._layout.params_of(self._params), strict=True):
      probabilities = block.probabilities(params)
      parts.append(
          mixed(block.mean(params)) if probabilities is None else
          tf.cast(tf.argmax(mixed(probabilities), axis=-1), self.dtype))
    return tf.gather(tf.concat(parts, axis=-1), self._layout.order, axis=-1)

  def _by_column(
      self, values: Callable[[int, tfd.Distribution], tf.Tensor]) -> tf.Tensor:
    parts = [values(i, block.distribution(params)) for i, (block, params) in
             enumerate(zip(self._layout.blocks,
                           self._layout.params_of(self._params), strict=True))]
    return tf.gather(tf.concat(parts, axis=-1), self._layout.order, axis=-1)


def log_prob_by_column(likelihood: tfd.Distribution, x: tf.Tensor) -> tf.Tensor:
  """Returns log p(x_c|z) of each column in nats, `[..., d]`.

  Args:
    likelihood: Distribution that `IndependentColumns` emitted.
    x: Codes `[..., d]`.
  """
  likelihood = getattr(likelihood, 'tensor_distribution', likelihood)
  return likelihood.log_prob_of_elements(x)


def row_mean(layout: Layout, params: Any, ops: Any = TENSORFLOW) -> Any:
  """Returns the mean or mode of each column, `[..., d]`.

  Args:
    layout: Blocks of the columns.
    params: Parameters `[..., layout.num_params]`.
    ops: Namespace of the operations, such as `keras.ops`.
  """
  parts = [block.mean(part, ops) for block, part in zip(
      layout.blocks, layout.params_of(params), strict=True)]
  return ops.take(ops.concatenate(parts, axis=-1), layout.order, axis=-1)


@LIKELIHOODS.register('columns')
@tf_keras.saving.register_keras_serializable(package='tfvae')
class IndependentColumns(Likelihood):
  """Emits p(x|z) = Π_c p(x_c|z), a family for each column of a table.

  log p(x|z) = Σ_c log p(x_c|z), in nats, x_c in the unit of its column: a
  density of a real, positive or date column, a probability of the others. The
  families are in `tfvae.layers.columns`, one for each kind of column; see
  `tfvae.tables.Column` for the codes in x. The mean of the layer's
  distribution is the mean of numbers and the mode of categories.

  Reference: A. Nazábal, P. M. Olmos, Z. Ghahramani and I. Valera, Handling
  Incomplete Heterogeneous Data Using VAEs, Pattern Recognition 2020.

  Call arguments:
    params: Float tensor `[..., params_size]`.

  Returns, when called:
    A `RowDistribution`, event shape `[d]`.
  """

  support = 'table'
  is_discrete = False
  parameters = 'parameters of columns'

  def __init__(
      self,
      event_shape: Shape | None = None,
      columns: Sequence[Column | Mapping[str, Any]] = (),
      convert_to_tensor_fn: str | conversion.Conversion = 'mean',
      activity_regularizer: Any = None,
      **kwargs,
  ):
    """Initializes the layer.

    Args:
      event_shape: `[d]`, the number of columns; it may be left out.
      columns: Columns of x in order, `tfvae.tables.Column`s or their arguments.
      convert_to_tensor_fn: Conversion to a tensor, 'mean' by default.
      activity_regularizer: Function of the distribution.
      **kwargs: Arguments of `tf_keras.layers.Layer`.

    Raises:
      ValueError: If there are no columns, or their number is not that of x.
    """
    self.columns = tuple(
        column if isinstance(column, Column) else Column(**column)
        for column in columns)
    if not self.columns:
      raise ValueError(
          'IndependentColumns needs the columns of a table: give it `columns`, '
          'or name a table as the `dataset` of a run. Received: columns=()')
    shape = (len(self.columns),)
    if event_shape is not None and tuple(
        [event_shape] if isinstance(event_shape, int) else event_shape
    ) != shape:
      raise ValueError(
          'x must have a number for each column. Received: '
          f'event_shape={event_shape}, {len(self.columns)} columns')
    super().__init__(
        shape, convert_to_tensor_fn, activity_regularizer, **kwargs)

  @property
  def settings(self) -> dict[str, Any]:
    """The columns, as plain data."""
    return {'columns': [column.to_dict() for column in self.columns]}

  def _new_settings(self) -> dict[str, Any]:
    return {'columns': self.columns}

  @classmethod
  def params_shape(cls, event_shape: Shape, columns: Any) -> tuple[int, ...]:
    """Returns the number of parameters of all columns."""
    del event_shape
    return (_layout(columns).num_params,)

  @classmethod
  def new(cls, params: tf.Tensor, event_shape: Shape,
          columns: Any) -> RowDistribution:
    """Returns the distribution of `params`; see `Likelihood.new`."""
    del event_shape
    return RowDistribution(params, _layout(columns))

  def check_data(self, x: np.ndarray, first: int = 0,
                 allow_missing: bool = False) -> None:
    """Raises a ValueError unless all of x are finite codes of their columns."""
    super().check_data(x, first, allow_missing)
    for i, column in enumerate(self.columns):
      bad = ~(column.has_code(x[:, i]) | np.isnan(x[:, i]))
      if bad.any():
        row = int(np.argmax(bad))
        values = f'a code below {column.num_codes}' if column.categories else (
            KINDS[column.kind])
        raise ValueError(
            f'The column {column.name!r} of kind {column.kind} takes {values}. '
            'Code raw rows with tfvae.tables.coded. Received: '
            f'x[{first + row}, {i}] = {x[row, i]}')

  def keras3_mean(self, *parameters: Any, ops: Any) -> Any:
    """Returns the mean or mode of each column; see the base class."""
    return row_mean(_layout(self.columns), parameters[0], ops)

  def input_layer(self, mask_inputs: Any = None) -> ColumnFeatures:
    """Returns the layer through which the encoder sees x."""
    return ColumnFeatures(self.columns, mask_inputs, name='columns')

  def _of_observed(self, distribution: RowDistribution) -> RowDistribution:
    return distribution.of_observed()


def _layout(columns: Sequence[Column | Mapping[str, Any]]) -> Layout:
  return _layout_of(tuple(column if isinstance(column, Column)
                          else Column(**column) for column in columns))


@functools.lru_cache
def _layout_of(columns: tuple[Column, ...]) -> Layout:
  return Layout(columns)


def columns_of(head: tf_keras.layers.Layer) -> tuple[Column, ...]:
  """Returns the columns of x, or none where it is not the row of a table.

  Args:
    head: Layer that emits p(x|z).
  """
  return head.columns if isinstance(head, IndependentColumns) else ()
