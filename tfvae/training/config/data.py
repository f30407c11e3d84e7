"""Settings of the data."""

import dataclasses

from tfvae.data import BINARIZATIONS
from tfvae.data import CACHES
from tfvae.settings import check_settings
from tfvae.settings import setting


@dataclasses.dataclass(frozen=True)
class DataConfig:
  """Data set, splits, binarization and cache of a run.

  Raises:
    ValueError: If a value is out of range or has no effect; the message names
      the setting, the value and a remedy.
  """

  dataset: str = setting(
      'digits', 'any image data set of TensorFlow Datasets, such as '
      'mnist or fashion_mnist; digits is bundled and needs no network')
  data_dir: str | None = setting(
      None, 'where TensorFlow Datasets keeps its files; by default '
      '~/tensorflow_datasets', changes_result=False)
  train_split: str = setting(
      'train', "split to train on, such as 'train[:90%]'")
  validation_split: str | None = setting(
      None, 'split to choose the best epoch on; by default carved from '
      'the train split, see --validation_fraction')
  test_split: str = setting(
      'test', 'split for the final numbers, used for nothing else')
  validation_fraction: float = setting(
      0.1, 'part of the train split to validate on', above=0, below=1)
  image_key: str = setting('image', 'feature that holds the image')
  label_key: str = setting(
      'label', 'feature that holds y, for models that have it')
  binarization: str = setting(
      'auto', 'x ~ Bernoulli(pixel): dynamic draws anew every epoch, '
      'static once, none keeps the pixels; auto is dynamic for the bernoulli '
      'likelihood, none for others. Evaluation is on one fixed draw, that of '
      '--eval_seed',
      choices=('auto', *BINARIZATIONS))
  cache: str = setting(
      'memory', 'where the decoded images are: in memory; on the disk, '
      'in files written once and read as they are needed, with the same '
      'results; or nowhere, when each epoch reads the training images from '
      'the data set anew, shuffled within --shuffle_buffer',
      choices=CACHES, same_result=('memory', 'disk'))
  cache_dir: str | None = setting(
      None, 'directory for the files of --cache=disk; by default in '
      "the data set's own, in --data_dir", only_with={'cache': ('disk',)},
      changes_result=False)
  shuffle_buffer: int = setting(
      10_000, 'images, as they are in the files, that are shuffled at '
      'a time', only_with={'cache': ('none',)}, at_least=1)
  deterministic: bool = setting(
      True, 'the same order for the same --seed; without it the files '
      'are read as they come, which is faster where they are slow',
      only_with={'cache': ('none',)})

  def __post_init__(self):
    """Validates each value, and values that depend on each other."""
    check_settings(self)
