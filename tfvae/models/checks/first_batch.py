"""A check of the first batch of a function of a Keras model."""

from collections.abc import Callable, Iterator
from typing import Any

import tensorflow as tf

StepFunction = Callable[[Iterator[Any]], Any]


class FirstBatchChecked:
  """A train, test or predict function that checks its first batch.

  The function that Keras calls takes an iterator. The first batch of each pass
  is taken from it, checked in Python, and put back in front of the others: no
  data are read twice, no random number is drawn twice, and the function itself
  is unchanged.

  Attributes:
    function: Function that is called.
    is_pending: Whether the next call checks its first batch.
  """

  def __init__(self, function: StepFunction, check_spec: Callable[[Any], None],
               check_batch: Callable[[Any], None] | None):
    """Initializes the function.

    Args:
      function: Function from an iterator to logs.
      check_spec: Check of the `element_spec` of the iterator.
      check_batch: Check of its first element; None leaves the values unchecked.
    """
    self.function, self.is_pending = function, True
    self._check_spec, self._check_batch = check_spec, check_batch

  def __call__(self, iterator: Iterator[Any]) -> Any:
    """Calls the function, after a check if one is pending."""
    # Iterators of several devices are no `tf.data.Iterator`: their data are
    # checked before they are distributed.
    if self.is_pending and isinstance(iterator, tf.data.Iterator):
      iterator = self._checked(iterator)
    self.is_pending = False
    return self.function(iterator)

  def _checked(self, iterator: Iterator[Any]) -> Iterator[Any]:
    self._check_spec(iterator.element_spec)
    if self._check_batch is None:
      return iterator
    try:
      first = next(iterator)
    except StopIteration:
      return iterator  # Keras reports that there are no data.
    self._check_batch(first)
    return iter(_in_front(first, iterator))


def _in_front(first: Any, rest: Iterator[Any]) -> tf.data.Dataset:
  """Returns a lazy data set of an element and those of an iterator."""
  def elements():
    yield first
    yield from rest

  options = tf.data.Options()
  # They could read ahead elements that belong to the next call.
  options.autotune.enabled = False
  options.experimental_optimization.apply_default_optimizations = False
  return tf.data.Dataset.from_generator(
      elements, output_signature=rest.element_spec).with_options(options)
