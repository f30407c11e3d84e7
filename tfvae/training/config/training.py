"""Settings of the training."""

import dataclasses

from tfvae.settings import check_settings
from tfvae.settings import setting


@dataclasses.dataclass(frozen=True)
class TrainingConfig:
  """Optimization, devices and checkpoints of a run.

  Raises:
    ValueError: If a value is out of range or has no effect; the message names
      the setting, the value and a remedy.
  """

  select_by: str = setting(
      'objective', 'validation figure whose best epoch is kept: '
      'the objective that is trained, at the end of its KL schedule; the ELBO '
      'at β = 1, whatever is trained; or last, which keeps the last epoch',
      choices=('objective', 'elbo', 'last'))
  epochs: int = setting(100, 'passes over the data', at_least=1)
  batch_size: int = setting(100, 'examples a step', at_least=1)
  optimizer: str = setting(
      'adam', 'adamw is adam with weight decay of its own, adamax '
      'adam with the largest of the past gradients for their mean square',
      choices=('adam', 'adamw', 'adamax'))
  weight_decay: float = setting(
      0.004, 'part of every weight that adamw takes off in a step, '
      'times the learning rate', only_with={'optimizer': ('adamw',)},
      at_least=0)
  learning_rate: float = setting(
      1e-3, 'of the optimizer, after the warm-up', above=0)
  learning_rate_schedule: str = setting(
      'constant', 'cosine falls to 0 over the epochs; burda falls '
      'to a tenth in seven steps, each rate three times as long as the one '
      'before, as in Burda et al. 2016',
      choices=('constant', 'cosine', 'burda'))
  learning_rate_warm_up_steps: int = setting(
      0, 'steps in which the learning rate first rises linearly',
      at_least=0)
  clip_norm: float | None = setting(
      None, 'scales gradients down to this global norm; by default '
      'they are left alone', above=0)
  ema_decay: float | None = setting(
      None, 'evaluate, save and export the moving average of the '
      'weights: at each step decay * average + (1 - decay) * weight, from the '
      'initial weights on, which fade in a few times 1 / (1 - decay) steps; '
      'none by default', above=0, below=1)
  max_skipped_steps: int = setting(
      10, 'steps in a row that may be skipped, their loss or '
      'gradient being NaN or infinite, before training stops', at_least=1,
      changes_result=False)
  precision: str = setting(
      'float32', 'in which the networks compute; weights and '
      'distributions are float32 always, and exports compute in it',
      choices=('float32', 'bfloat16', 'float16'))
  seed: int = setting(
      0, 'seed of data order, binarization in training, initial '
      'weights and noise; evaluation has --eval_seed', at_least=0, below=2**31)
  jit: str = setting(
      'auto', 'compile the step with XLA, whose random normals are '
      'others; auto does, but on a CPU not for convolutions',
      choices=('auto', 'true', 'false'))
  steps_per_execution: str = setting(
      'auto', 'steps between two returns to Python, a number; auto '
      'is 50', changes_result=False)
  strategy: str = setting(
      'auto', 'mirrored trains on all GPUs of this machine, '
      'multi_worker on several machines in step, parameter_server on several '
      'at their own pace, both as TF_CONFIG says; auto is mirrored where there '
      'are several GPUs, else default. The batch size is that of all together',
      choices=('auto', 'default', 'one_device', 'mirrored', 'multi_worker',
               'parameter_server'), changes_result=False)
  checkpoint_every_steps: int | None = setting(
      None, 'steps between two checkpoints within an epoch; there '
      'is one after each epoch in any case', changes_result=False, at_least=1)
  checkpoint_every_minutes: float | None = setting(
      10.0, 'the same, in minutes', changes_result=False, above=0)
  checkpoint_keep: int = setting(
      2, 'checkpoints to keep, the newest', changes_result=False,
      at_least=1)

  def __post_init__(self):
    """Validates each value, and values that depend on each other."""
    check_settings(self)
    _check_steps_per_execution(self)


def _check_steps_per_execution(config: TrainingConfig):
  """Refuses what is neither auto nor a number."""
  steps = config.steps_per_execution
  if steps != 'auto' and not (steps.isdecimal() and int(steps) >= 1):
    raise ValueError('--steps_per_execution must be auto or at least 1. '
                     f'Received: steps_per_execution={steps}')
