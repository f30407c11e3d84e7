"""Compilation of the training step, and the steps per execution."""

import tf_keras

from tfvae.models.networks.acceleration import xla_pays_off
from tfvae.training.config import TrainingConfig

# Steps for `steps_per_execution='auto'`: with 50, the return to Python takes a
# small part of the time even in the smallest models.
_STEPS = 50


def uses_jit(config: TrainingConfig, model: tf_keras.Model) -> bool:
  """Returns whether XLA compiles the training step.

  With 'auto' it does where `benchmarks/training_settings.py` found it to be
  faster; see `xla_pays_off`.

  Args:
    config: Settings of the training.
    model: Model that is trained.
  """
  if config.jit != 'auto':
    return config.jit == 'true'
  return xla_pays_off(model)


def steps_per_execution(config: TrainingConfig, steps_per_epoch: int) -> int:
  """Returns the steps between two returns to Python.

  Args:
    config: Settings of the training.
    steps_per_epoch: Steps after which a return is needed.
  """
  chosen = config.steps_per_execution
  return min(_STEPS if chosen == 'auto' else int(chosen), steps_per_epoch)
