"""Compilation of the training step, and the steps per execution."""

import logging

import tf_keras

from tfvae.models.networks.acceleration import needs_xla
from tfvae.models.networks.acceleration import xla_pays_off
from tfvae.training.config import TrainingConfig

_LOGGER = logging.getLogger(__name__)

# Steps for `steps_per_execution='auto'`: with 50, the return to Python takes a
# small part of the time even in the smallest models.
_STEPS = 50


def uses_jit(config: TrainingConfig, model: tf_keras.Model) -> bool:
  """Returns whether XLA compiles the training step.

  With 'auto' it does where `benchmarks/training_settings.py` found it to be
  faster; see `xla_pays_off`; and where TensorFlow alone is wrong; see
  `needs_xla`.

  Args:
    config: Settings of the training.
    model: Model that is trained.
  """
  if config.jit == 'auto':
    return xla_pays_off(model) or needs_xla(model)
  if config.jit == 'false' and needs_xla(model):
    _LOGGER.warning(
        'On a CPU without XLA the gradients of biases are wrong in bfloat16: '
        'TensorFlow sums them in bfloat16. Leave out `jit`, or use '
        "`precision='float32'`. Received: jit=false, precision=%s",
        config.precision)
  return config.jit == 'true'


def steps_per_execution(config: TrainingConfig, steps_per_epoch: int) -> int:
  """Returns the steps between two returns to Python.

  Args:
    config: Settings of the training.
    steps_per_epoch: Steps after which a return is needed.
  """
  chosen = config.steps_per_execution
  return min(_STEPS if chosen == 'auto' else int(chosen), steps_per_epoch)
