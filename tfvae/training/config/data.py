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
      'digits', 'image data set of TensorFlow Datasets, such as mnist or '
      'fashion_mnist; digits comes with tfvae and needs no download')
  data_dir: str | None = setting(
      None, 'directory of TensorFlow Datasets; by default '
      '~/tensorflow_datasets', changes_result=False)
  train_split: str = setting(
      'train', "split to train on, such as 'train[:90%]'")
  validation_split: str | None = setting(
      None, 'split that selects the best epoch; by default a part of the '
      'training split, see `validation_fraction`')
  test_split: str = setting(
      'test', 'split of the final metrics, used for nothing else')
  validation_fraction: float = setting(
      0.1, 'fraction of the training split that is held out for validation',
      above=0, below=1)
  image_key: str = setting('image', 'name of the image feature')
  label_key: str = setting(
      'label', 'name of the label feature, for models with y')
  binarization: str = setting(
      'auto', 'binarization of the pixels, x ~ Bernoulli(pixel): new draws in '
      'every epoch (dynamic), one fixed draw (static), or none; auto is '
      'dynamic for the likelihood bernoulli and none for the others. '
      'Evaluation always uses one fixed draw, with the seed `eval_seed`',
      ('auto', *BINARIZATIONS))
  cache: str = setting(
      'memory', 'storage of the decoded images: memory; disk, in files that '
      'are written once, with the same results; or none, which reads the '
      'training images from the data set in every epoch and shuffles them '
      'within `shuffle_buffer`', CACHES, same_result=('memory', 'disk'))
  cache_dir: str | None = setting(
      None, "directory of the files of `cache='disk'`; by default that of the "
      'data set in `data_dir`', only_with={'cache': ('disk',)},
      changes_result=False)
  shuffle_buffer: int = setting(
      10_000, 'number of encoded images in the shuffle buffer',
      only_with={'cache': ('none',)}, at_least=1)
  deterministic: bool = setting(
      True, 'same order of the images for the same `seed`; false reads the '
      'files in any order, which is faster on slow storage',
      only_with={'cache': ('none',)})

  def __post_init__(self):
    """Validates each value, and values that depend on each other."""
    check_settings(self)
