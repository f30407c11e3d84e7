"""Compiled functions that are kept with a model between evaluations.

A new `tf.function` for each call would be traced each time, which takes
seconds, and TensorFlow never frees all memory of a trace.
"""

from collections.abc import Callable, Hashable
import functools
from typing import Any
import weakref

from tfvae import autograph
from tfvae.models import LatentVariableModel

_ATTRIBUTE = '_evaluation_functions'


class _Kept:
  """Results by key, valid for one model and its current variables.

  Keras and TensorFlow do not track an object of this class, so it is neither
  saved nor exported, and a copy of a model starts without it.
  """

  def __init__(self, model: LatentVariableModel):
    # Model and functions refer to each other, which the garbage collector
    # resolves. A module-level table would keep every model alive: its values
    # refer to its keys.
    self.results: dict[Hashable, Any] = {}
    self._model = weakref.ref(model)
    self._variables = list(model.variables)
    self._version = model.trace_version

  def is_of(self, model: LatentVariableModel) -> bool:
    """Returns whether the model is the same, with the same variables."""
    variables = model.variables
    return (self._model() is model and self._version == model.trace_version
            and len(variables) == len(self._variables)
            and all(map(lambda a, b: a is b, variables, self._variables)))

  def __reduce__(self):
    return object, ()  # Copies and pickles of a model have no results.


def kept(model: LatentVariableModel, make: Callable[..., Any],
         *settings: Hashable) -> Any:
  """Returns `make(model, *settings)`, made once for each model and settings.

  The functions read the model's variables, so they remain valid when weights
  change. A model whose networks are replaced gets new functions. Other changes
  after the first evaluation, such as a new `layer.activation`, have no effect,
  as with `predict`.

  Args:
    model: Model that keeps the result.
    make: Function of a module, not a lambda, from the model and the settings.
    *settings: Further arguments of `make`.

  Raises:
    ValueError: If the model is not built.
  """
  if not model.built:
    raise ValueError('The model has no weights yet: train it first, or call it '
                     f'on a batch. Received: {model.name!r}')
  holder = vars(model).get(_ATTRIBUTE)
  if not isinstance(holder, _Kept) or not holder.is_of(model):
    holder = _Kept(model)
    setattr(model, _ATTRIBUTE, holder)
  key = (make, *settings)
  if key not in holder.results:
    holder.results[key] = make(model, *settings)
  return holder.results[key]


def compiled(model: LatentVariableModel, function: Callable[..., Any],
             *settings: Hashable, jit_compile: bool) -> Callable[..., Any]:
  """Returns `function(model, *settings, …)` as a `tf.function`.

  It is traced once for each shape of its other arguments, which are tensors or
  nested structures of them, and for each value of those that are numbers.

  Args:
    model: First argument of `function`; see `kept`.
    function: Function of a module, not a lambda.
    *settings: Its next arguments, hashable.
    jit_compile: Whether to compile with XLA.
  """
  return kept(model, _tf_function, function, jit_compile, *settings)


def _tf_function(model, function, jit_compile, *settings):
  return autograph.function(
      functools.partial(function, model, *settings), jit_compile=jit_compile)
