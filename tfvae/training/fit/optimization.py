"""Optimizer of a run, with the schedule of its learning rate."""

import tf_keras

from tfvae.schedules import BurdaStaircase
from tfvae.schedules import Schedule
from tfvae.schedules import WarmUp
from tfvae.training.config import TrainingConfig

_OPTIMIZERS = {'adam': tf_keras.optimizers.Adam,
               'adamw': tf_keras.optimizers.AdamW,
               'adamax': tf_keras.optimizers.Adamax}


def make_optimizer(config: TrainingConfig,
                   num_steps: int) -> tf_keras.optimizers.Optimizer:
  """Returns the optimizer that the settings describe.

  Args:
    config: Settings of the training.
    num_steps: Number of training steps.

  Raises:
    ValueError: If the warm-up takes all steps.
  """
  settings = {'global_clipnorm': config.clip_norm}
  if config.optimizer == 'adamw':
    settings['weight_decay'] = config.weight_decay
  if config.ema_decay is not None:
    settings |= {'use_ema': True, 'ema_momentum': config.ema_decay}
  optimizer = _OPTIMIZERS[config.optimizer](
      make_learning_rate(config, num_steps), **settings)
  if config.precision == 'float16':
    return tf_keras.mixed_precision.LossScaleOptimizer(optimizer)
  return optimizer


def make_learning_rate(config: TrainingConfig,
                       num_steps: int) -> float | Schedule:
  """Returns the learning rate, or its schedule; see `make_optimizer`."""
  warm_up_steps = config.learning_rate_warm_up_steps
  rest = num_steps - warm_up_steps
  if rest < 1:
    raise ValueError('`learning_rate_warm_up_steps` must be below the number '
                     f'of training steps, {num_steps}; lower it, or raise '
                     '`epochs`. Received: '
                     f'learning_rate_warm_up_steps={warm_up_steps}')
  rate = config.learning_rate
  if config.learning_rate_schedule == 'cosine':
    rate = tf_keras.optimizers.schedules.CosineDecay(rate, rest)
  elif config.learning_rate_schedule == 'burda':
    rate = BurdaStaircase(rate, rest)
  return WarmUp(rate, warm_up_steps) if warm_up_steps else rate
