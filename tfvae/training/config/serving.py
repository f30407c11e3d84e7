"""Settings of the export, of samples and of imputation."""

import dataclasses

from tfvae.evaluation.imputation.impute import DRAWS
from tfvae.settings import check_settings
from tfvae.settings import setting


@dataclasses.dataclass(frozen=True)
class ServingConfig:
  """Export of a trained model, samples from it, and imputation by it.

  Raises:
    ValueError: If a value is out of range or has no effect; the message names
      the setting, the value and a remedy.
  """

  export: bool = setting(
      True, 'export of a SavedModel for TensorFlow Serving after the training',
      changes_result=False)
  export_dir: str | None = setting(
      None, 'directory of the exported versions, each a subdirectory named by '
      'a number; by default export in `workdir`', changes_result=False)
  export_keep: int | None = setting(
      None, 'number of exported versions to keep, the newest; by default all',
      changes_result=False, at_least=1)
  num_samples: int = setting(
      1000, 'number of samples that `mode=sample` writes to `workdir`, in the '
      'format of the data', changes_result=False, at_least=1)
  input: str | None = setting(
      None, 'file whose missing values `mode=impute` fills: a table with the '
      'columns of the data set, or a .npz or .npy file of x',
      changes_result=False)
  output: str | None = setting(
      None, 'file that `mode=impute` writes: a table like `input`, with means '
      'and most probable categories, and next to it a table of the filled '
      'cells with intervals and draws; or a .npz file of all of these',
      changes_result=False)
  num_imputations: int = setting(
      5, 'draws of each missing value that `mode=impute` writes',
      changes_result=False, at_least=1)
  imputation_draws: int = setting(
      DRAWS.default, 'draws K of z for each example whose missing values '
      '`mode=impute` and the exported signature impute fill',
      changes_result=False, at_least=2)
  refine_steps: int = setting(
      0, 'gradient steps k of the exported signature refine, which improves '
      'the posterior of each row; 0 for no such signature',
      changes_result=False, at_least=0)

  def __post_init__(self):
    """Validates each value, and values that depend on each other."""
    check_settings(self)
