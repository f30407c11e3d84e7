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
      'objective', 'criterion of the epoch whose weights are kept: the best '
      'validation value of the trained objective, at the end of its KL '
      'schedule; the best validation elbo, at β = 1; or the last epoch',
      ('objective', 'elbo', 'last'))
  epochs: int = setting(100, 'passes over the training data', at_least=1)
  batch_size: int = setting(
      100, 'examples per training step, on all devices together', at_least=1)
  optimizer: str = setting(
      'adam', 'optimizer: Adam; adamw, with decoupled weight decay; or adamax, '
      'with the infinity norm instead of the second moment',
      ('adam', 'adamw', 'adamax'))
  weight_decay: float = setting(
      0.004, 'fraction of each weight that adamw subtracts per step, times the '
      'learning rate', only_with={'optimizer': ('adamw',)}, at_least=0)
  learning_rate: float = setting(
      1e-3, 'learning rate of the optimizer, after the warm-up', above=0)
  learning_rate_schedule: str = setting(
      'constant', 'schedule of the learning rate: constant; cosine, which '
      'decays to 0 over the epochs; or burda, which decays to a tenth in seven '
      'steps, each rate three times as long as the previous one (Burda et al., '
      '2016)', ('constant', 'cosine', 'burda'))
  learning_rate_warm_up_steps: int = setting(
      0, 'steps of a linear warm-up of the learning rate', at_least=0)
  clip_norm: float | None = setting(
      None, 'global norm to which gradients are clipped; by default they are '
      'not clipped', above=0)
  ema_decay: float | None = setting(
      None, 'decay of a moving average of the weights that is evaluated, saved '
      'and exported instead of them: at each step decay * average + (1 - '
      'decay) * weight, starting at the initial weights, whose share falls '
      'below 2 % after 4 / (1 - decay) steps; no average by default',
      above=0, below=1)
  max_skipped_steps: int = setting(
      10, 'consecutive steps that may be skipped because their loss or '
      'gradient is NaN or infinite, before training stops', at_least=1,
      changes_result=False)
  precision: str = setting(
      'float32', 'precision of the computations in the networks; weights, '
      'distributions and exports are always float32',
      ('float32', 'bfloat16', 'float16'))
  seed: int = setting(
      0, 'seed of the data order, binarization in training, initial weights '
      'and noise; evaluation has `eval_seed`', at_least=0, below=2**31)
  jit: str = setting(
      'auto', 'compilation of the training step with XLA, which draws other '
      'random normals; auto compiles, except for convolutions in float32 or '
      'float16 on a CPU',
      ('auto', 'true', 'false'))
  steps_per_execution: str = setting(
      'auto', 'number of training steps per call from Python; auto is 50',
      changes_result=False)
  strategy: str = setting(
      'auto', 'devices: mirrored trains on all GPUs of this machine, '
      'multi_worker on several machines in step, parameter_server on several '
      'machines at their own pace; the latter two read TF_CONFIG; auto is '
      'mirrored if there are several GPUs, otherwise default',
      ('auto', 'default', 'one_device', 'mirrored', 'multi_worker',
       'parameter_server'), changes_result=False)
  checkpoint_every_steps: int | None = setting(
      None, 'steps between checkpoints within an epoch', changes_result=False,
      at_least=1)
  checkpoint_every_minutes: float | None = setting(
      10.0, 'minutes between checkpoints within an epoch',
      changes_result=False, above=0)
  checkpoint_min_seconds: float = setting(
      5.0, 'seconds after a checkpoint in which the end of an epoch writes no '
      'other, so that short epochs are not spent on files; the last epoch '
      'writes one in any case', changes_result=False, at_least=0)
  checkpoint_keep: int = setting(
      2, 'number of checkpoints to keep, the newest', changes_result=False,
      at_least=1)

  def __post_init__(self):
    """Validates each value, and values that depend on each other."""
    check_settings(self)
    _check_steps_per_execution(self)


def _check_steps_per_execution(config: TrainingConfig):
  """Raises for a text that is neither 'auto' nor a number."""
  steps = config.steps_per_execution
  if steps != 'auto' and not (steps.isdecimal() and int(steps) >= 1):
    raise ValueError('`steps_per_execution` must be auto or at least 1. '
                     f'Received: steps_per_execution={steps}')
