"""Which features of a TFDS data set are the image and the label.

All that is here is known before anything is downloaded.
"""

import dataclasses

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds


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
  """

  key: str
  num_classes: int | None


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
  if label_key in features:
    feature = features[label_key]
    if feature.shape == () and tf.as_dtype(feature.tf_dtype).is_integer:
      return LabelSpec(label_key, getattr(feature, 'num_classes', None))
  if label_key in (None, 'label'):  # Nobody asked for labels by name.
    return None
  raise ValueError(
      'A label is a feature that is one integer. Name it by --label_key: the '
      f'features are {_listed(features)}. Received: label_key={label_key!r}')


def _listed(features: tfds.features.FeaturesDict) -> str:
  return ', '.join(f'{key} {_short(f.shape)}' for key, f in features.items())


def _short(shape: tuple[int | None, ...] | dict) -> str:
  return str(shape) if isinstance(shape, tuple) else '{...}'  # Nested ones.
