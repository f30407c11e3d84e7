"""How a training step is compiled, and how many run between two returns."""

import tensorflow as tf

from tfvae.training.config import Config
from tfvae.training.config import TrainingConfig

# Of `--steps_per_execution=auto`: after so many the way back to Python is a
# small part of the time even of the smallest models.
_STEPS = 50


def uses_jit(config: Config) -> bool:
  """Returns whether XLA compiles the training step.

  `auto` is what `benchmarks/training_settings.py` found to be faster: XLA, but
  for convolutions on a CPU, which are slower with it.

  Args:
    config: the settings.
  """
  if config.training.jit != 'auto':
    return config.training.jit == 'true'
  return bool(
      config.model.network == 'mlp' or tf.config.list_logical_devices('GPU'))


def steps_per_execution(config: TrainingConfig, steps_per_epoch: int) -> int:
  """Returns the steps between two returns to Python.

  Args:
    config: Settings of the training.
    steps_per_epoch: at which a return is needed.
  """
  chosen = config.steps_per_execution
  return min(_STEPS if chosen == 'auto' else int(chosen), steps_per_epoch)
