"""Settings of the data."""

import dataclasses

from tfvae.data import BINARIZATIONS
from tfvae.data import CACHES
from tfvae.data import ImageFormat
from tfvae.data import MISSING
from tfvae.data import RESIZE_METHODS
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
      'digits', 'data set of TensorFlow Datasets, such as mnist or '
      'fashion_mnist (digits comes with tfvae and needs no download); or a '
      'folder of images, or a .npy, .npz or .h5ad file, or a table, .csv, .tsv '
      'or .parquet, such as ./flowers, data.npz or penguins.csv')
  data_dir: str | None = setting(
      None, 'directory of TensorFlow Datasets; by default '
      '~/tensorflow_datasets', changes_result=False)
  train_split: str = setting(
      'train', "split to train on, such as 'train[:90%]'")
  validation_split: str | None = setting(
      None, 'split that selects the best epoch; by default the part '
      '"validation" of a folder or an archive, otherwise a part of the '
      'training split, see `validation_fraction`')
  test_split: str = setting(
      'test', 'split of the final metrics, used for nothing else; where the '
      'data set has no part "test", see `test_fraction`')
  validation_fraction: float = setting(
      0.1, 'fraction of the training split that is held out for validation',
      above=0, below=1)
  test_fraction: float = setting(
      0.1, 'fraction of the training split that is held out for the test, the '
      'same of every class, where the data set has no part "test"',
      above=0, below=1)
  image_key: str = setting(
      'image', 'name of the image feature; of a .npz file, the array of x, by '
      'default x or the only array; of a .h5ad file, a layer, by default X')
  label_key: str = setting(
      'label', 'name of the label feature, for models with y; of a .npz file, '
      'by default y; of a table, a column, which is then not part of x; of a '
      '.h5ad file, a column of obs')
  num_labels: int | None = setting(
      None, 'number of training labels to keep, the same of each class; the '
      'others count as missing, for models in which y has factors; by default '
      'all', at_least=1)
  label_seed: int | None = setting(
      None, 'seed of the choice of these labels; by default `eval_seed`',
      at_least=0, below=2**31)
  weight_key: str | None = setting(
      None, 'name of the sample weights, an array of a .npz file or a column '
      'of a table, which is then not part of x; they weigh the objective of '
      'each example and all means')
  mask_key: str | None = setting(
      None, 'name of the mask, an array of a .npz file that is true where x is '
      'observed: of the shape of x, or [n, height, width] of images',
      only_with={'missing': ('allow',)})
  image_size: str | None = setting(
      None, 'height and width of the images of a folder or of TensorFlow '
      'Datasets, such as 64 or 64x48; by default their size, if it is the same '
      'for all')
  resize: str = setting(
      'crop', 'change of images of another size: crop covers the size and cuts '
      'the center, pad fits and fills the rest, stretch changes the ratio of '
      'the sides', RESIZE_METHODS)
  channels: int | None = setting(
      None, 'channels of the images of a folder or of TensorFlow Datasets: '
      '1 (gray) or 3 (RGB); by default 1 if all of them are gray')
  background: str = setting(
      'white', 'color below transparent pixels and around padded images, such '
      "as white or '#8090a0'")
  skip_corrupt: bool = setting(
      False, 'whether images of a folder that cannot be read are left out, '
      'with a warning')
  schema: str | None = setting(
      None, 'file that describes the columns of a table, as `mode=schema` '
      'writes it; by default they are recognized')
  missing: str = setting(
      'refuse', 'treatment of rows with missing values (NaN, or an empty cell '
      'of a table): refuse, an error with their number by column; drop, which '
      'leaves them out; or allow, which learns from their observed values',
      MISSING)
  hide_fraction: float = setting(
      0.0, 'fraction of the observed values of x, of an image whole pixels, '
      'that is hidden at random: drawn again in every epoch of the training, '
      'and fixed by `eval_seed` in the evaluation', at_least=0, below=1)
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

  @property
  def takes_missing(self) -> bool:
    """Whether x of a batch may have missing values."""
    return self.missing == 'allow' or self.hide_fraction > 0

  def __post_init__(self):
    """Validates each value, and values that depend on each other."""
    check_settings(self)
    ImageFormat.of(
        self.image_size, self.resize, self.channels, self.background)
