"""The base of tfvae's objectives."""

from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from tfvae.inference import LatentVariableModel
from tfvae.regularizers import KLDivergenceRegularizer


class Objective:
  """What `VAE.compile(objective=…)` takes; None there is the ELBO.

  An objective of your own registers itself with
  `@tf_keras.saving.register_keras_serializable` and has `get_config`.

  Attributes:
    uses_kl_penalty: whether it minimises the model's `kl_penalty`; where it
      does not, `compile` refuses KL weights, free bits and capacities.
    uses_kl_schedule: whether it multiplies anything by `kl_factor`; where it
      does not, `compile` refuses a KL schedule.
  """

  uses_kl_penalty: bool = True
  uses_kl_schedule: bool = True

  def __call__(self, model: LatentVariableModel, inputs: Any, target: tf.Tensor,
               seed: tf.Tensor, kl_factor: Any,
               training: bool) -> dict[str, tf.Tensor]:
    """Returns what is minimised, and the ELBO.

    Args:
      model: whose θ and φ are trained.
      inputs: a batch of x, or a dictionary of 'x' and 'y'.
      target: what p(x|z) is to explain, `[b, *event_shape]`.
      seed: int tensor `[2]`, of the draws.
      kl_factor: the value of the KL schedule, a scalar.
      training: passed on to the networks.

    Returns:
      Tensors `[b]`, in nats: 'objective', whose batch mean is minimised, and
      the true 'elbo', 'reconstruction' and 'kl', which are reported.
    """
    raise NotImplementedError(f'{type(self).__name__} has no __call__.')

  def check_kl_controls(
      self, kl_regularizers: Mapping[str, KLDivergenceRegularizer],
      kl_schedule: Any):
    """Refuses KL controls that would have no effect; `compile` calls it.

    Args:
      kl_regularizers: of the model's latents, by name.
      kl_schedule: as `compile` takes it.

    Raises:
      ValueError: if there are any.
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
          f'{type(self).__name__} leaves these without effect; leave them out, '
          'or use objective=None, the ELBO. Received: ' + ', '.join(ignored))

  def get_config(self) -> dict[str, Any]:
    """Returns the settings as plain data."""
    raise NotImplementedError(f'{type(self).__name__} has no get_config.')

  @classmethod
  def from_config(cls, config: dict[str, Any]) -> 'Objective':
    """Makes the objective from what `get_config` returned."""
    return cls(**config)


def _controls(regularizer: KLDivergenceRegularizer) -> list[str]:
  """Returns the settings that tell the penalty from the KL."""
  weight, free_bits, capacity = (
      regularizer.weight, regularizer.free_bits, regularizer.capacity)
  return [text for text, is_set in (
      # A variable is there to be moved, whatever its value.
      (f'weight={weight}', isinstance(weight, tf.Variable) or weight != 1),
      (f'free_bits={free_bits}', free_bits > 0),
      (f'capacity={capacity}', capacity is not None)) if is_set]
