"""Settings of the use of a trained model: codes, scores and imputation."""

import dataclasses

from tfvae.prediction import OUTPUTS
from tfvae.settings import check_settings
from tfvae.settings import extended_by
from tfvae.settings import setting


@dataclasses.dataclass(frozen=True)
@extended_by(changes_result=False, outputs=OUTPUTS)
class PredictionConfig:
  """Data that a trained model is used on, and what is written of them.

  Raises:
    ValueError: If a value is out of range or has no effect; the message names
      the setting, the value and a remedy.
  """

  input: str | None = setting(
      None, 'data that a trained model is used on: for `mode=encode` and '
      '`mode=score` any data set that `dataset` can be; for `mode=impute` a '
      'table with the columns of the data set, or a .npz or .npy file of x, '
      'whose missing values are filled', changes_result=False)
  input_split: str | None = setting(
      None, "split of `input`, such as test or 'train+test'; by default its "
      'only part', changes_result=False)
  output: str | None = setting(
      None, 'folder of Parquet files that `mode=encode` and `mode=score` '
      'write; or file that `mode=impute` writes: a table like `input`, with '
      'means and most probable categories, and next to it a table of the '
      'filled cells with intervals and draws; or a .npz file of all of these',
      changes_result=False)
  outputs: tuple[str, ...] = setting(
      ('auto',), 'what is written of each example, separated by commas: '
      'posterior, means and standard deviations of the latents; draws of them; '
      'refined, the posterior after `refine_steps`; '
      'elbo, with its parts; log_likelihood, by `eval_importance_samples`; '
      'contributions of each column or pixel to the reconstruction; detection, '
      'p-value and alarm; explanation of the alarm by column or pixel; auto is '
      'posterior for `mode=encode`, with `refine_steps` refined, elbo for '
      '`mode=score` and detection for `mode=detect`',
      choices=('auto', OUTPUTS), changes_result=False)
  id_key: str | None = setting(
      None, 'column of the table `input` that names its rows; by default they '
      'have numbers, and images of a folder their paths', changes_result=False)
  rows_per_file: int | None = setting(
      None, 'rows of each file in `output`; by default up to 262,144, fewer of '
      'large examples', changes_result=False, at_least=1)

  def __post_init__(self):
    """Validates each value, and values that depend on each other."""
    check_settings(self)
