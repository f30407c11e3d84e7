"""The base of tfvae's objectives, and their registry."""

from collections.abc import Mapping
from typing import Any, ClassVar

import tensorflow as tf

from tfvae.graph import GraphicalModel
from tfvae.inference import LatentVariableModel
from tfvae.registry import Registry
from tfvae.regularizers import KLDivergenceRegularizer

OBJECTIVES = Registry('objective')


class Objective:
  """Quantity that training maximizes: an argument of `compile(objective=…)`.

  A subclass defines `__call__` and `get_config`. It registers with
  `@tf_keras.saving.register_keras_serializable`, so that models save it, and
  with `@OBJECTIVES.register`, so that a run can choose it by name.

  Attributes:
    uses_kl_penalty: Whether it uses the model's `kl_penalty`; if not, `compile`
      raises for KL weights, free bits and capacities, which have no effect.
    uses_kl_schedule: Whether it multiplies a term by `kl_factor`; if not,
      `compile` raises for a KL schedule.
    compares_examples: Whether an example's objective depends on the others of
      its batch; if so, a run needs at least two and does not divide batches
      among replicas.
    sums_over_labels: Whether it takes the sum over the classes of a missing
      label, by `LatentVariableModel.infer_classes`; if not, `compile` raises
      for a graph that infers the label.
    stratifies: Whether it draws by `tfvae.inference.StratifiedSample` in place
      of `SeededSample`; if not, `compile` raises for a mixture posterior.
  """

  uses_kl_penalty: ClassVar[bool] = True
  uses_kl_schedule: bool = True
  compares_examples: ClassVar[bool] = False
  sums_over_labels: ClassVar[bool] = False
  stratifies: bool = False

  def __call__(self, model: LatentVariableModel, inputs: Any, target: tf.Tensor,
               seed: tf.Tensor, kl_factor: Any,
               training: bool) -> dict[str, tf.Tensor]:
    """Returns the quantity to minimize, and the parts of the ELBO.

    Args:
      model: Model whose θ and φ are trained.
      inputs: Batch of x, or a dictionary of 'x' and 'y'.
      target: x that p(x|z) explains, `[b, *event_shape]`.
      seed: Seed of the draws, int tensor `[2]`.
      kl_factor: Value of the KL schedule, a scalar.
      training: Whether networks run in training mode.

    Returns:
      Tensors `[b]` in nats: 'objective', whose batch mean is minimized, and
      'elbo', 'reconstruction' and 'kl', which are reported, as
      `Inference.elbo_parts(log_likelihood).per_example()` returns them.
    """
    raise NotImplementedError(f'{type(self).__name__} has no __call__.')

  def for_training_set(self, num_examples: int) -> 'Objective':
    """Returns the objective for a training set of a known size.

    A run calls it on the objective that `OBJECTIVES` makes.

    Args:
      num_examples: Number of training examples.
    """
    del num_examples
    return self

  def for_labeled_fraction(self, fraction: float) -> 'Objective':
    """Returns the objective for a training set with labels for a fraction.

    A run calls it where the graph infers the label.

    Args:
      fraction: Fraction of the training examples that have a label.
    """
    del fraction
    return self

  def check_label(self, graph: GraphicalModel):
    """Raises if the graph infers a label that the objective does not sum over.

    `compile` calls it, and a run does before it reads data.

    Args:
      graph: Factorization of the model.

    Raises:
      ValueError: If it does.
    """
    if graph.infers_label and not self.sums_over_labels:
      raise ValueError(
          f'{type(self).__name__} does not sum over the classes of a missing '
          "label; use `objective='elbo'`, or a graph without factors of y, in "
          f'which y is always given. Received: {graph}')

  def check_model(self, graph: GraphicalModel, posteriors: Mapping[str, Any]):
    """Raises unless the objective is defined for a model.

    `compile` calls it, and a run does before it reads data.

    Args:
      graph: Factorization of the model.
      posteriors: Posterior layer of each latent, or its class, by name; latents
        whose layer is unknown are missing.

    Raises:
      ValueError: If the graph or a posterior is not one the objective takes.
    """

  def check_mixtures(self, graph: GraphicalModel,
                     posteriors: Mapping[str, Any]):
    """Raises for a mixture posterior that would not train.

    `compile` calls it, and a run does before it reads data.

    Args:
      graph: Factorization of the model.
      posteriors: Posterior layer of each latent, or its class, by name.

    Raises:
      ValueError: If the objective does not draw from each component, or the
        graph has several latents or infers the label.
    """
    if not any(getattr(layer, 'is_mixture', False)
               for layer in posteriors.values()):
      return
    if not self.stratifies:
      raise ValueError(
          f'{type(self).__name__} does not draw from each component of a '
          "mixture posterior; use `objective='elbo'`, `objective='stl'` or "
          "`objective='iwae'`, or another posterior such as "
          "`posterior='spline'`. Received: "
          f'posteriors={_names(posteriors)}')
    if len(graph.latent_names) > 1 or graph.infers_label:
      raise ValueError(
          'A mixture posterior needs a graph with a single latent and without '
          "factors of y; use another posterior such as `posterior='spline'`. "
          f'Received: {graph}, posteriors={_names(posteriors)}')

  def check_batch_size(self, batch_size: int):
    """Raises if batches are too small for the objective.

    Args:
      batch_size: Number of examples of a batch.

    Raises:
      ValueError: If it compares examples, and there is only one.
    """
    if self.compares_examples and batch_size < 2:
      raise ValueError(
          f'{type(self).__name__} compares the examples of a batch: '
          '`batch_size` must be at least 2. Received: '
          f'batch_size={batch_size}')

  def check_replicas(self, num_replicas: int):
    """Raises if replicas would divide batches that must stay whole.

    Args:
      num_replicas: Number of replicas in training.

    Raises:
      ValueError: If it compares examples, and there are several replicas.
    """
    if self.compares_examples and num_replicas > 1:
      raise ValueError(
          f'{type(self).__name__} compares the examples of a batch, which '
          "replicas divide among them; use `strategy='one_device'`. Received: "
          f'{num_replicas} replicas')

  def check_kl_controls(
      self, kl_regularizers: Mapping[str, KLDivergenceRegularizer],
      kl_schedule: Any):
    """Raises for KL controls that would have no effect; `compile` calls it.

    Args:
      kl_regularizers: Regularizer of each latent, by name.
      kl_schedule: KL schedule that `compile` takes.

    Raises:
      ValueError: If there are any.
    """
    ignored = []
    if kl_schedule is not None and not self.uses_kl_schedule:
      ignored.append(f'kl_schedule={type(kl_schedule).__name__}')
    if not self.uses_kl_penalty:
      ignored += [f'{control} of {name}'
                  for name, regularizer in kl_regularizers.items()
                  for control in _controls(regularizer)]
    if ignored:
      raise ValueError(
          f'These have no effect with the objective {type(self).__name__}; '
          'leave them out, or use the ELBO, objective=None. Received: '
          + ', '.join(ignored))

  def get_config(self) -> dict[str, Any]:
    """Returns the arguments of the constructor as plain data."""
    raise NotImplementedError(f'{type(self).__name__} has no get_config.')

  @classmethod
  def from_config(cls, config: dict[str, Any]) -> 'Objective':
    """Makes the objective from the result of `get_config`."""
    return cls(**config)


def _names(posteriors: Mapping[str, Any]) -> str:
  """Returns the name of the class of each posterior layer."""
  kinds = {getattr(layer, '__name__', type(layer).__name__)
           for layer in posteriors.values()}
  return ','.join(sorted(kinds))


def _controls(regularizer: KLDivergenceRegularizer) -> list[str]:
  """Returns the settings that make the penalty differ from the KL."""
  weight, free_bits, capacity = (
      regularizer.weight, regularizer.free_bits, regularizer.capacity)
  return [text for text, is_set in (
      # A callback moves a variable, whatever its value is now.
      (f'weight={weight}', isinstance(weight, tf.Variable) or weight != 1),
      (f'free_bits={free_bits}', free_bits > 0),
      (f'capacity={capacity}', capacity is not None)) if is_set]
