"""Settings of the evaluation."""

import dataclasses

from tfvae.settings import check_settings
from tfvae.settings import setting

# Names of the evaluations in `tfvae.training.results.evaluations`.
EVALUATIONS = ('importance_weighted', 'latent_space', 'representation',
               'annealed', 'gaps', 'calibration', 'disentanglement')


@dataclasses.dataclass(frozen=True)
class EvaluationConfig:
  """Evaluations of a run, their sizes and their seed.

  Raises:
    ValueError: If a value is out of range or has no effect; the message names
      the setting, the value and a remedy.
  """

  evaluations: tuple[str, ...] = setting(
      ('importance_weighted', 'latent_space', 'representation'),
      'what is measured beside the ELBO, separated by commas; what does not '
      'apply to the data is left out', choices=('all', *EVALUATIONS))
  eval_seed: int = setting(
      0, 'seed of the evaluation: the binary pixels of the '
      'validation and test images, the choice of carved validation images, and '
      'every draw; --seed changes none of them', at_least=0, below=2**31)
  eval_batch_size: int = setting(
      200, 'examples at a time', at_least=1)
  eval_chunk: int = setting(
      50, 'samples decoded at a time for each example',
      at_least=1)
  eval_importance_samples: int = setting(
      500, 'K of the importance-weighted NLL of the test set',
      at_least=1)
  eval_importance_examples: int = setting(
      1000, 'first test images it is computed on; 0 for all',
      at_least=0)
  eval_costly_examples: int = setting(
      100, 'first test images that annealed and gaps are '
      'computed on; 0 for all', at_least=0)
  eval_ais_steps: int = setting(
      500, 'distributions on the way from q(z|x) to p(z|x)',
      at_least=2)
  eval_ais_chains: int = setting(
      16, 'annealing runs for each image', at_least=1)
  eval_simulations: int = setting(
      1000, 'pairs of z and x drawn for the calibration',
      at_least=100)

  def __post_init__(self):
    """Validates each value, and values that depend on each other."""
    check_settings(self)

  def chosen(self) -> tuple[str, ...]:
    """Returns the chosen evaluations in the order in which they run."""
    everything = 'all' in self.evaluations
    return tuple(name for name in EVALUATIONS
                 if everything or name in self.evaluations)
