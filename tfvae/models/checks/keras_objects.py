"""Checks of the Keras objects that a model is given."""

from collections.abc import Iterable
import os
from typing import Any

import numpy as np
import tensorflow_probability as tfp
import tf_keras

from tfvae.layers import DistributionLayer

_HIGHER_IS_BETTER = ('elbo', 'reconstruction')


def check_is_tf_keras(**objects: Any):
  """Raises a ValueError if an object is one of Keras 3.

  Args:
    **objects: Objects by the name of the argument that they were given for.
  """
  for name, value in objects.items():
    parts = value if isinstance(value, list | tuple) else [value]
    for part in parts:
      # The learning rate of an optimizer may be a schedule.
      for candidate in (part, getattr(part, '_learning_rate', None)):
        if _is_keras3(candidate):
          raise ValueError(
              'This is an object of Keras 3 (what tf.keras is today), and '
              'tfvae trains on tf_keras: create it after `import tf_keras`. '
              'tfvae.serving.to_keras3 turns a trained model into one of Keras '
              f'3. Received: {name}={candidate!r}')


def _is_keras3(value: Any) -> bool:
  return any(kind.__module__.split('.')[0] == 'keras'
             for kind in type(value).__mro__)


def check_callbacks(callbacks: Any):
  """Raises a ValueError if a callback does not work with a VAE.

  With `mode='auto'` Keras treats lower values of a metric as better unless its
  name contains 'acc': a callback that monitors the ELBO would keep the worst
  epoch. A checkpoint in a format other than `.keras` would fail only at the end
  of the first epoch.

  Args:
    callbacks: Argument of `fit`.
  """
  if isinstance(callbacks, tf_keras.callbacks.CallbackList):
    callbacks = callbacks.callbacks
  if not isinstance(callbacks, list | tuple):
    callbacks = [] if callbacks is None else [callbacks]
  check_is_tf_keras(callbacks=callbacks)
  for callback in callbacks:
    _check_monitor(callback)
    if isinstance(callback, tf_keras.callbacks.ModelCheckpoint) and (
        not callback.save_weights_only):
      check_saved_as_keras(callback.filepath)


def _check_monitor(callback: Any):
  monitor = getattr(callback, 'monitor', None)
  operator = getattr(callback, 'monitor_op', None)
  if not isinstance(monitor, str) or not callable(operator) or (
      monitor.removeprefix('val_') not in _HIGHER_IS_BETTER):
    return
  is_used = getattr(callback, 'save_best_only', True)
  # `ReduceLROnPlateau` has a function of its own: is a fall an improvement?
  if is_used and operator(np.float64(-1e9), np.float64(1e9)):
    raise ValueError(
        f'Higher values of {monitor} are better, and this callback keeps lower '
        "ones, as mode='auto' does: pass mode='max', or monitor val_loss. "
        f'Received: {type(callback).__name__}(monitor={monitor!r})')


def check_saved_as_keras(filepath: Any, save_format: str | None = None):
  """Raises a ValueError unless a model is saved as a `.keras` file.

  Args:
    filepath: Path that `save` takes.
    save_format: Format that `save` takes.
  """
  path = os.fspath(filepath)
  if not str(path).endswith('.keras') or save_format not in (None, 'keras'):
    raise ValueError(
        "A VAE is saved as one '.keras' file: end the path in .keras, or write "
        'a SavedModel with tfvae.serving.export_saved_model(model, path); '
        f'nothing was written. Received: filepath={path!r}, '
        f'save_format={save_format!r}')


def check_can_be_saved(layers: Iterable[Any]):
  """Raises a ValueError if a file with these layers could not be loaded.

  Args:
    layers: All layers of a model.
  """
  for layer in layers:
    if isinstance(layer, tfp.layers.DistributionLambda) and not isinstance(
        layer, DistributionLayer):
      raise ValueError(
          'A file with a layer of tfp.layers cannot be loaded, as it holds '
          'Python code: use the layer of tfvae.layers in its place, such as '
          'MultivariateNormalDiag, MultivariateNormalTriL or '
          f'IndependentBernoulli. Received: {type(layer).__name__} '
          f'{layer.name!r}')


def check_half_precision(layers: Iterable[Any], optimizer: Any):
  """Raises a ValueError if float16 gradients are not scaled.

  Args:
    layers: All layers of a model.
    optimizer: Optimizer of the model.
  """
  scales = isinstance(
      optimizer, tf_keras.mixed_precision.LossScaleOptimizer)
  for layer in layers:
    policy = getattr(layer, 'dtype_policy', None)
    if getattr(policy, 'compute_dtype', None) != 'float16':
      continue
    if policy.variable_dtype == 'float16':
      raise ValueError(
          'Weights of float16 do not train: use the policy mixed_float16, or '
          f'mixed_bfloat16. Received: {layer.name!r} of policy {policy.name!r}')
    if not scales:
      raise ValueError(
          'Gradients of float16 underflow without loss scaling: pass '
          'optimizer=tf_keras.mixed_precision.LossScaleOptimizer(optimizer), '
          'or use mixed_bfloat16. Received: '
          f'optimizer={type(optimizer).__name__}, {layer.name!r} of policy '
          f'{policy.name!r}')
