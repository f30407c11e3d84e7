"""The Keras interface of a model, with checks of its arguments."""

import logging
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

from tfvae.inference.batches import observed
from tfvae.inference.batches import unpack_batch
from tfvae.inference.batches import without_masked_arrays
from tfvae.models.checks import batches as batch_checks
from tfvae.models.checks import keras_objects
from tfvae.models.checks.first_batch import FirstBatchChecked
from tfvae.models.checks.first_batch import StepFunction
from tfvae.models.checks.networks import last_layer
from tfvae.models.steps.skipped_steps import SkippedSteps

# Steps between two looks at the counts of skipped steps.
_LOOK_EVERY = 50

_LOGGER = logging.getLogger(__name__)


class CheckedModel(tf_keras.Model):
  """A `tf_keras.Model` that checks its data, callbacks and files.

  Bad input raises a `ValueError` with a remedy, instead of an error inside
  Keras or a silently wrong training. The shapes of all data are checked, and
  the values of the first batch of each pass, so a step has no extra cost;
  `compile(check_data=False)` leaves values unchecked.

  Attributes:
    trace_version: Number that changes when functions traced before no longer
      compute what the model computes now.

  A subclass has a `graph`, a `decoder`, `observed_shapes`, the method
  `build_from_batch`, and a `compile` that sets `_checks_data` and
  `_reads_rows`.
  """

  trace_version = 0
  _checks_data = True
  _reads_rows = False  # Whether data sets hold row numbers, not rows.
  _is_validation_checked = False  # For the validation data of this `fit`.

  @property
  def checks_data(self) -> bool:
    """Whether values of data must be finite and in the support."""
    return self._checks_data

  def likelihood_layer(self) -> Any:
    """Returns the layer that makes p(x|z), or None if it is unknown.

    It is not a property: Keras saves a layer under the first attribute at which
    it finds it, and saved files have it below the decoder.
    """
    return last_layer(self.decoder)

  @property
  def event_shape(self) -> tuple[int, ...] | None:
    """Shape of one example of p(x|z); None where it is not known."""
    return getattr(self.likelihood_layer(), 'event_shape', None)

  @property
  def allow_missing(self) -> bool:
    """Whether a NaN in x is a missing value."""
    return getattr(self.likelihood_layer(), 'allow_missing', False)

  def build_from_batch(self, spec: Any):
    """Builds weights whose shapes depend on the data.

    Args:
      spec: Structure of `tf.TensorSpec`s of a batch, as `fit` takes it.
    """
    raise NotImplementedError

  def fit(self, x: Any = None, y: Any = None, batch_size: int | None = None,
          epochs: int = 1, verbose: Any = 'auto', callbacks: Any = None,
          validation_split: float = 0.0, validation_data: Any = None,
          shuffle: bool = True, class_weight: Any = None,
          sample_weight: Any = None,
          **kwargs) -> tf_keras.callbacks.History:
    """Trains the model; see `tf_keras.Model.fit`.

    Logs a warning at the end of an epoch in which steps were skipped (see
    `SkippedSteps`), and at the end of training if a learned scale has reached
    its bound. A likelihood that needs adapting to the scale of the data is
    adapted to the first batch of the first `fit`. `validation_data=x` stands
    for `(x,)`.

    Sample weights w weigh the whole objective of an example, reconstruction and
    KL: with b examples in a batch, a step minimizes Σ_i w_i objective_i / b.
    The reported means are Σ_i w_i value_i / Σ_i w_i.

    Raises:
      ValueError: If the model does not take the data or a callback, weights are
        not finite and at least 0, or `class_weight` is given.
      FloatingPointError: If too many steps are skipped because their loss or
        gradient is not finite.
    """
    if class_weight is not None:
      raise ValueError(
          'A model of x has no class as its target that `class_weight` could '
          'weigh; pass `sample_weight`, the weight of each example. Received: '
          f'class_weight={class_weight!r}')
    keras_objects.check_callbacks(callbacks)
    if isinstance(validation_data, dict) or hasattr(
        validation_data, '__array__'):
      validation_data = (validation_data,)
    x, y, validation_data = without_masked_arrays((x, y, validation_data))
    y = _weighted_target(x, y, sample_weight)
    self._check_distributed(x, y, batch_size, sample_weight, is_training=True)
    self._expect_data('train_function')
    self._is_validation_checked = False
    history = super().fit(
        x, y, batch_size=batch_size, epochs=epochs, verbose=verbose,
        callbacks=_with_skipped_steps(callbacks),
        validation_split=validation_split, validation_data=validation_data,
        shuffle=shuffle, sample_weight=sample_weight, **kwargs)
    reached = getattr(self.likelihood_layer(), 'at_bound', lambda: None)()
    if reached:
      _LOGGER.warning('%s', reached)
    return history

  def evaluate(self, x: Any = None, y: Any = None,
               batch_size: int | None = None, verbose: Any = 'auto',
               sample_weight: Any = None, **kwargs) -> Any:
    """Estimates the ELBO; see `tf_keras.Model.evaluate`.

    The means are weighted by `sample_weight`, if it is given; see `fit`.

    Raises:
      ValueError: If the model does not take the data, or weights are not finite
        and at least 0.
    """
    x, y = without_masked_arrays((x, y))
    y = _weighted_target(x, y, sample_weight)
    # The validation data of a `fit` are checked once.
    is_validation = bool(kwargs.get('_use_cached_eval_dataset'))
    if not (is_validation and self._is_validation_checked):
      self._check_distributed(x, y, batch_size, sample_weight)
      self._expect_data('test_function')
      self._is_validation_checked = is_validation
    return super().evaluate(
        x, y, batch_size=batch_size, verbose=verbose,
        sample_weight=sample_weight, **kwargs)

  def predict(self, x: Any = None, *args, **kwargs) -> Any:
    """Returns E[x|z] at posterior means; see `tf_keras.Model.predict`.

    Raises:
      ValueError: If the model does not take the data.
    """
    self._expect_data('predict_function')
    return super().predict(without_masked_arrays(x), *args, **kwargs)

  def save(self, filepath: Any, overwrite: bool = True,
           save_format: str | None = None, **kwargs):
    """Saves the model as a `.keras` file; see `tf_keras.Model.save`.

    Raises:
      ValueError: If the path does not end in `.keras`, or a file with a layer
        could not be loaded.
    """
    keras_objects.check_saved_as_keras(filepath, save_format)
    keras_objects.check_can_be_saved(self.submodules)
    super().save(filepath, overwrite=overwrite, **kwargs)

  def _updated_config(self) -> dict[str, Any]:
    """Returns the content of `to_json`, under the registered name."""
    return super()._updated_config() | {
        'class_name': tf_keras.saving.get_registered_name(type(self))}

  def _trackable_children(self, save_type: str = 'checkpoint', **kwargs):
    if save_type == 'savedmodel':  # Before Keras changes anything.
      keras_objects.check_saved_as_keras('a SavedModel')
    return super()._trackable_children(save_type, **kwargs)

  @property
  def input_shape(self) -> Any:
    """Shape of a batch of x, or shapes by name for a conditional model."""
    shapes = {name: shape and (None, *shape)
              for name, shape in self.observed_shapes.items()}
    return shapes if len(shapes) > 1 else shapes['x']

  @property
  def output_shape(self) -> tuple[int | None, ...] | None:
    """Shape of a batch of p(x|z)."""
    return self.event_shape and (None, *self.event_shape)

  def check_batch(self, data: Any, needs_target: bool = True):
    """Raises unless a batch has the structure and shapes of the model's data.

    Args:
      data: Batch as `fit` takes it, of tensors, arrays or specs.
      needs_target: Whether p(x|z) is evaluated at the target.

    Raises:
      ValueError: If it has another structure or other shapes.
    """
    batch_checks.check_batch(
        data, self.observed_shapes, self.event_shape, needs_target,
        self.graph.infers_label, self.allow_missing)

  def check_values(self, data: Any):
    """Raises unless a batch is finite and in the support of the likelihood.

    Args:
      data: Batch as `fit` takes it, of tensors or arrays.

    Raises:
      ValueError: If it is not, unless `compile(check_data=False)` was called.
    """
    if self._checks_data:
      batch_checks.check_values(
          data, self.likelihood_layer(), self.graph.infers_label)

  def make_train_function(self, force: bool = False) -> StepFunction:
    """Makes the function of training steps; see `tf_keras.Model`."""
    if self.train_function is None or force:
      self.train_function = self._checked(
          self._make_step_function(force), is_training=True)
    return self.train_function

  def _make_step_function(self, force: bool) -> StepFunction:
    """Returns the function of training steps, without checks."""
    return super().make_train_function(force)

  def make_test_function(self, force: bool = False) -> StepFunction:
    """Makes the function of evaluation steps; see `tf_keras.Model`."""
    if self.test_function is None or force:
      self.test_function = self._checked(
          self._make_evaluation_function(force))
    return self.test_function

  def _make_evaluation_function(self, force: bool) -> StepFunction:
    """Returns the function of evaluation steps, without checks."""
    return super().make_test_function(force)

  def make_predict_function(self, force: bool = False) -> StepFunction:
    """Makes the function of prediction steps; see `tf_keras.Model`."""
    if self.predict_function is None or force:
      self.predict_function = self._checked(
          super().make_predict_function(force), needs_target=False)
    return self.predict_function

  def _checked(self, function: StepFunction, is_training: bool = False,
               needs_target: bool = True) -> StepFunction:
    """Returns a function that checks its first batch."""
    if self._reads_rows or self._cluster_coordinator is not None:
      return function

    def check_spec(spec):
      self.check_batch(spec, needs_target)
      if not self.built and needs_target:
        self.build_from_batch(spec)

    def check_values(data):
      self.check_values(data)
      if is_training:
        self._adapt(data)

    return FirstBatchChecked(
        function, check_spec,
        check_values if needs_target and self._checks_data else None)

  def _expect_data(self, function: str):
    """Makes the next call of a function check its first batch."""
    made = getattr(self, function, None)
    if isinstance(made, FirstBatchChecked):
      made.is_pending = True

  def _check_distributed(self, x: Any, y: Any, batch_size: int | None,
                         sample_weight: Any, is_training: bool = False):
    """Checks the first batch where a strategy distributes the data."""
    with self.distribute_strategy.scope():
      if not tf.distribute.has_strategy() or self._reads_rows:
        return
    if isinstance(x, tf.data.Dataset):
      batches = list(x.take(1))
    elif isinstance(x, dict) or hasattr(x, '__array__'):
      first = lambda part: part[:batch_size or 32]
      parts = (x, y) if sample_weight is None else (x, y, sample_weight)
      batches = [tf.nest.map_structure(first, x if y is None else parts)]
    else:
      return
    for batch in batches:
      self.check_batch(batch)
      if not self.built:
        self.build_from_batch(batch)
      self.check_values(batch)
      if is_training and self._checks_data:
        self._adapt(batch)

  def _adapt(self, data: Any):
    """Adapts a likelihood to the scale of the data before training begins."""
    likelihood = self.likelihood_layer()
    if not hasattr(likelihood, 'needs_adapting') or (
        int(self.optimizer.iterations)):
      return
    target = np.asarray(unpack_batch(data)[1])
    if likelihood.needs_adapting(target):
      likelihood.adapt(target)
      _LOGGER.info('%s is adapted to the scale of the first batch.',
                   likelihood.name)
      # They may have been traced with the previous scale.
      self.test_function = self.predict_function = None
      self.trace_version += 1


def _weighted_target(x: Any, y: Any, sample_weight: Any) -> Any:
  """Returns the target of weighted arrays, x itself where none is given.

  Keras leaves out the weights of data without a target.
  """
  if y is None and sample_weight is not None and (
      isinstance(x, dict) or hasattr(x, '__array__')):
    return observed(x).get('x')
  return y


def _with_skipped_steps(callbacks: Any) -> Any:
  """Returns the callbacks, one of which reports skipped steps."""
  if isinstance(callbacks, tf_keras.callbacks.CallbackList):
    return callbacks
  found = [] if callbacks is None else (
      list(callbacks) if isinstance(callbacks, list | tuple) else [callbacks])
  if any(isinstance(callback, SkippedSteps) for callback in found):
    return found
  return [SkippedSteps(every=_LOOK_EVERY), *found]
