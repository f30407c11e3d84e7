"""Keeps AutoGraph away from the code of this package.

AutoGraph rewrites the source of each Python function that a `tf.function`
reaches, so that `if` and `for` of tensors become operations. The code of tfvae
has `tf.cond` and `tf.while_loop` where they are needed, and rewriting it would
take longer than tracing it. Keras layers of others are rewritten as ever, also
where tfvae calls them.

TensorFlow has such rules for NumPy, Keras and TensorFlow Probability. Its
public means are no substitute: neither `do_not_convert` nor `autograph=False`
would rewrite the layers of others.
"""

from collections.abc import Callable
from typing import Any

import tensorflow as tf
from tensorflow.python.autograph.core import config

_RULE = config.DoNotConvert(__name__.split('.', maxsplit=1)[0])


def leave_out_this_package():
  """Adds a rule to those of AutoGraph; a second call does nothing."""
  if _RULE not in config.CONVERSION_RULES:
    config.CONVERSION_RULES = (_RULE, *config.CONVERSION_RULES)


def function(python_function: Callable[..., Any],
             **options: Any) -> tf.types.experimental.PolymorphicFunction:
  """Returns a `tf.function` of a function of this package.

  AutoGraph rewrites what `tf.function` is given, whatever the rules. Here it is
  given the same two lines each time, which it rewrites once in a process.

  Args:
    python_function: Function to trace.
    **options: Arguments of `tf.function`.
  """
  def call(*args, **kwargs):
    return python_function(*args, **kwargs)

  call.__name__ = getattr(python_function, '__name__', call.__name__)
  return tf.function(call, **options)
