"""The base of the blocks: columns of one kind, and their distribution."""

import abc
from collections.abc import Sequence
import dataclasses
from typing import Any, ClassVar

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae.layers.base.operations import TENSORFLOW
from tfvae.layers.base.soft_bound import soft_bound
from tfvae.registry import Registry
from tfvae.tables.column import Column

tfd = tfp.distributions

# Classes of blocks by the kind of their columns.
BLOCKS = Registry('kind')

# Bounds of log σ in units of the standard deviation of the training data.
LOG_SCALE_BOUNDS = (-5.0, 3.0)


class Block(abc.ABC):
  """Columns of one kind: what a network sees of them, and what it emits.

  A subclass in its own file, registered with `@BLOCKS.register(kind)`.

  Attributes:
    columns: Columns of the block, n of them.
    has_one_column: Whether each column gets a block of its own, a class
      attribute.
    is_unordered: Whether the codes are categories without an order, a class
      attribute.
  """

  has_one_column: ClassVar[bool] = False
  is_unordered: ClassVar[bool] = False

  def __init__(self, columns: Sequence[Column]):
    """Initializes the block; see the attributes."""
    self.columns = tuple(columns)
    # Plain float32 constants of a graph, `[n]`.
    self.loc = np.float32([column.loc for column in columns])
    self.scale = np.float32([column.scale for column in columns])
    # Codes in place of missing ones, which have no effect on results.
    self.fill = np.zeros_like(self.loc)

  @classmethod
  def fitted(cls, column: Column, loc: float, scale: float,
             counts: np.ndarray) -> Column:
    """Returns the description with the unit of the training data.

    Args:
      column: Description.
      loc: Mean of the transformed codes.
      scale: Standard deviation of the transformed codes, or 1 of a constant.
      counts: Count of each code, `[num_codes]`.
    """
    del counts
    return dataclasses.replace(column, loc=float(loc), scale=float(scale))

  @staticmethod
  def transformed(codes: Any, ops: Any = TENSORFLOW) -> Any:
    """Returns the codes on the scale of `Column.loc` and `Column.scale`.

    Args:
      codes: Codes of any shape.
      ops: Namespace of the operations; NumPy is one.
    """
    del ops
    return codes

  @property
  @abc.abstractmethod
  def num_params(self) -> int:
    """Number of parameters that a decoder emits for the block."""

  def features(self, codes: Any, ops: Any = TENSORFLOW) -> Any:
    """Returns numbers of order 1 that a network sees, `[b, f]`.

    By default (t(x) − loc) / scale, with t the transformation of the kind.

    Args:
      codes: Codes `[b, n]`.
      ops: Namespace of the operations, such as `keras.ops`.
    """
    return (self.transformed(codes, ops) - self.loc) / self.scale

  @property
  def feature_columns(self) -> np.ndarray:
    """Position in the block of the column of each feature, `[f]`."""
    return np.arange(len(self.columns))

  @abc.abstractmethod
  def distribution(self, params: tf.Tensor) -> tfd.Distribution:
    """Returns the distribution of the codes, batch shape `[..., n]`.

    Args:
      params: Parameters `[..., num_params]`.
    """

  def probabilities(self, params: tf.Tensor) -> tf.Tensor | None:
    """Returns P(x = c|z) of each code c, `[..., n, codes]`; None of numbers.

    Args:
      params: Parameters `[..., num_params]`.
    """
    del params
    return None

  @abc.abstractmethod
  def mean(self, params: Any, ops: Any = TENSORFLOW) -> Any:
    """Returns the mean of numbers and the mode of categories, `[..., n]`.

    Args:
      params: Parameters `[..., num_params]`.
      ops: Namespace of the operations, such as `keras.ops`.
    """


class LocationScale(Block):
  """Columns with a location and a scale, two parameters m and s each.

  The location is loc + scale m, its logarithmic scale log scale + b(s) with b
  the soft bound to `LOG_SCALE_BOUNDS`.
  """

  def __init__(self, columns: Sequence[Column]):
    """Initializes the block; see `Block`."""
    super().__init__(columns)
    self.fill = self.loc

  @property
  def num_params(self) -> int:
    """Two parameters a column: first all m, then all s."""
    return 2 * len(self.columns)

  def location(self, params: Any) -> Any:
    """Returns loc + scale m, `[..., n]`."""
    return params[..., :len(self.columns)] * self.scale + self.loc

  def log_scale(self, params: Any, ops: Any = TENSORFLOW) -> Any:
    """Returns log scale + b(s), `[..., n]`."""
    return soft_bound(params[..., len(self.columns):], *LOG_SCALE_BOUNDS,
                      ops) + np.log(self.scale)
