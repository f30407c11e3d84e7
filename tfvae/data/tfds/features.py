"""Which features of a TFDS data set are the image, the label and the factors.

All that is here is known before anything is downloaded, but for the names that
some data sets (cifar10) give their labels only then.
"""

import dataclasses

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

_FACTOR_PREFIX = 'label_'


@dataclasses.dataclass(frozen=True)
class ImageSpec:
  """The image feature of a data set.

  Attributes:
    key: its name.
    shape: (height, width, channels).
    dtype: np.uint8, or np.float32 for floating images of any precision.
  """

  key: str
  shape: tuple[int, int, int]
  dtype: type[np.number]


@dataclasses.dataclass(frozen=True)
class LabelSpec:
  """The label feature of a data set.

  Attributes:
    key: its name.
    num_classes: the number of labels, or None if the data set does not say.
    names: those of the labels in turn, '0', '1', ... where TFDS only numbers
      them, or None if there is no number.
  """

  key: str
  num_classes: int | None
  names: tuple[str, ...] | None


def image_spec(features: tfds.features.FeaturesDict,
               image_key: str) -> ImageSpec:
  """Returns the shape and dtype of a feature that a VAE of images can take.

  Args:
    features: `builder.info.features`.
    image_key: the name of the image feature.

  Returns:
    Its `ImageSpec`; a feature of shape (height, width) gets one channel.

  Raises:
    ValueError: if the feature is missing, of varying size, not an image, or
      neither uint8 nor floating.
  """
  if image_key not in features:
    raise ValueError(
        'The data set has no such feature. Name its image by --image_key, one '
        f'of {_listed(features)}; without any image among them choose another '
        f'data set. Received: image_key={image_key!r}')
  shape = features[image_key].shape
  received = f'Received: image_key={image_key!r} of shape {_short(shape)}'
  if not isinstance(shape, tuple) or len(shape) not in (2, 3):
    raise ValueError(
        'An image has the shape (height, width, channels) or (height, width). '
        f'Name one by --image_key: the features are {_listed(features)}. '
        f'{received}')
  if None in shape:
    raise ValueError(
        'The images vary in size, and a VAE needs one size. Choose a data set '
        f'that is already resized, such as imagenet_resized/32x32. {received}')
  dtype = tf.as_dtype(features[image_key].tf_dtype)
  if dtype != tf.uint8 and not dtype.is_floating:
    raise ValueError(
        'Images must be uint8, or floating in [0, 1]. Choose another feature '
        'by --image_key, or convert them in the builder. '
        f'{received} and dtype {dtype.name}')
  return ImageSpec(image_key, shape if len(shape) == 3 else (*shape, 1),
                   np.uint8 if dtype == tf.uint8 else np.float32)


def label_spec(features: tfds.features.FeaturesDict,
               label_key: str | None) -> LabelSpec | None:
  """Returns the label feature, or None where there is none to read.

  Args:
    features: `builder.info.features`.
    label_key: the name of a feature that is one integer; None for no labels.
      Under the usual name, 'label', it may be missing.

  Returns:
    Its `LabelSpec`, or None.

  Raises:
    ValueError: if another name than 'label' is not that of one integer.
  """
  if label_key in features and _is_integer(features[label_key]):
    feature = features[label_key]
    num_classes = getattr(feature, 'num_classes', None)
    # Without a number of classes, the names of a ClassLabel raise.
    names = tuple(feature.names) if num_classes else None
    return LabelSpec(label_key, num_classes, names)
  if label_key in (None, 'label'):  # Nobody asked for labels by name.
    return None
  raise ValueError(
      'A label is a feature that is one integer. Name it by --label_key: the '
      f'features are {_listed(features)}. Received: label_key={label_key!r}')


def factor_keys(features: tfds.features.FeaturesDict) -> tuple[str, ...]:
  """Returns the features that are the generative factors of the images.

  They are those that are one integer and whose name begins with 'label_', if
  there are two of them or more: a single one is a label. dsprites has five,
  shapes3d six, smallnorb four, and mnist, whose only one is 'label', none.

  Args:
    features: `builder.info.features`.

  Returns:
    Their names in alphabetical order, which unlike that of a data set read back
    from its files is the same in every run; empty if there are no factors.
  """
  keys = sorted(key for key, feature in features.items()
                if key.startswith(_FACTOR_PREFIX) and _is_integer(feature))
  return tuple(keys) if len(keys) > 1 else ()


def factor_name(key: str) -> str:
  """Returns what a factor is called: 'x_position' of 'label_x_position'."""
  return key.removeprefix(_FACTOR_PREFIX)


def _is_integer(feature: tfds.features.FeatureConnector) -> bool:
  """Returns whether a feature is one integer."""
  return feature.shape == () and tf.as_dtype(feature.tf_dtype).is_integer


def _listed(features: tfds.features.FeaturesDict) -> str:
  return ', '.join(f'{key} {_short(f.shape)}' for key, f in features.items())


def _short(shape: tuple[int | None, ...] | dict) -> str:
  return str(shape) if isinstance(shape, tuple) else '{...}'  # Nested ones.
