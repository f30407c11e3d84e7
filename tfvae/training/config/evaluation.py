"""Settings of the evaluation."""

import dataclasses

from tfvae.evaluation import MEASURES
from tfvae.settings import check_settings
from tfvae.settings import extended_by
from tfvae.settings import setting


@dataclasses.dataclass(frozen=True)
@extended_by(evaluations=MEASURES)
class EvaluationConfig:
  """Evaluations of a run, their sizes and their seed.

  Raises:
    ValueError: If a value is out of range or has no effect; the message names
      the setting, the value and a remedy.
  """

  evaluations: tuple[str, ...] = setting(
      ('importance_weighted', 'latent_space', 'representation'),
      'measures to compute in addition to the ELBO, separated by commas; those '
      'that do not apply to the data are left out; for a table also columns, '
      'and where y has factors classification',
      choices=('all', MEASURES))
  eval_seed: int = setting(
      0, 'seed of the evaluation: binary pixels of the validation and test '
      'images, choice of carved validation images, and all draws; `seed` '
      'changes none of them', at_least=0, below=2**31)
  eval_batch_size: int = setting(
      200, 'examples per batch of the evaluation', at_least=1)

  def __post_init__(self):
    """Validates each value, and values that depend on each other."""
    check_settings(self)

  def chosen(self) -> tuple[str, ...]:
    """Returns the chosen evaluations in the order in which they run."""
    everything = 'all' in self.evaluations
    return tuple(name for name in MEASURES
                 if everything or name in self.evaluations)
