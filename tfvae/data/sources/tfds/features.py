"""The features of a TFDS data set that are the image, the label and factors.

They are known before the data set is downloaded, except for the names that some
data sets, such as cifar10, give their labels only then.
"""

import dataclasses

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

from tfvae.data.sources.images.decoding import ImageFormat
from tfvae.data.sources.source import ExampleSpec
from tfvae.data.sources.source import LabelSpec

_FACTOR_PREFIX = 'label_'


# Channels of x by those of the feature, where the last of 2 and 4 is opacity.
_CHANNELS = {1: 1, 2: 1, 3: 3, 4: 3}


def image_spec(features: tfds.features.FeaturesDict, image_key: str,
               form: ImageFormat | None = None) -> ExampleSpec:
  """Returns the name, shape and dtype of the images.

  Args:
    features: Features of the data set, `builder.info.features`.
    image_key: Name of the image feature.
    form: Result of `image_form`.

  Returns:
    The `ExampleSpec`; a feature of shape (height, width) gets one channel.

  Raises:
    ValueError: If the feature is missing, is not an image, has no fixed size,
      or is neither uint8 nor floating.
  """
  shape = _image_shape(features, image_key)
  received = f'Received: image_key={image_key!r} of shape {shape}'
  dtype = tf.as_dtype(features[image_key].tf_dtype)
  if dtype != tf.uint8 and not dtype.is_floating:
    raise ValueError(
        'Images must be uint8, or floating in [0, 1]. Set `image_key` to '
        'another feature, or convert the images in the data set. '
        f'{received} and dtype {dtype.name}')
  if form is not None:
    return ExampleSpec(image_key, (*form.size, form.channels), np.uint8)
  if None in shape:
    raise ValueError(
        'The images vary in size, and a VAE needs one size. Set `image_size`, '
        "such as '64' or '64x48', or choose a data set that is already "
        f'resized, such as imagenet_resized/32x32. {received}')
  return ExampleSpec(
      image_key, shape, np.uint8 if dtype == tf.uint8 else np.float32)


def image_form(features: tfds.features.FeaturesDict, image_key: str,
               form: ImageFormat) -> ImageFormat | None:
  """Returns the format that the images are converted to.

  Args:
    features: Features of the data set, `builder.info.features`.
    image_key: Name of the image feature.
    form: Size and channels, each of them None for that of the feature.

  Returns:
    The format with a size and channels, or None if the images are in it.

  Raises:
    ValueError: If the feature is not an image, or its images cannot be
      converted.
  """
  shape = _image_shape(features, image_key)
  size = form.size or shape[:2]
  channels = form.channels or (
      _CHANNELS.get(shape[2]) if form.size else shape[2])
  if (*size, channels) == shape or None in size:
    return None
  received = f'Received: image_key={image_key!r} of shape {shape}'
  if channels is None or shape[2] not in (None, *_CHANNELS):
    raise ValueError(
        'Images with other than 1 to 4 channels cannot be converted; set '
        '`channels` where they vary, or choose another `image_key`. '
        f'{received}')
  dtype = tf.as_dtype(features[image_key].tf_dtype)
  if dtype != tf.uint8:
    raise ValueError(
        '`image_size` and `channels` convert uint8 images only. Leave them '
        f'out, or convert the images in the data set. {received} and dtype '
        f'{dtype.name}')
  return dataclasses.replace(form, size=size, channels=channels)


def _image_shape(features: tfds.features.FeaturesDict,
                 image_key: str) -> tuple[int | None, int | None, int | None]:
  """Returns the shape of an image feature; None where it varies."""
  if image_key not in features:
    raise ValueError(
        'The data set has no such feature. Set `image_key` to its image, one '
        f'of {_listed(features)}; if none of them is an image, choose another '
        f'data set. Received: image_key={image_key!r}')
  shape = features[image_key].shape
  received = f'Received: image_key={image_key!r} of shape {_short(shape)}'
  if not isinstance(shape, tuple) or len(shape) not in (2, 3):
    raise ValueError(
        'An image has the shape (height, width, channels) or (height, width). '
        f'Set `image_key` to such a feature, one of {_listed(features)}. '
        f'{received}')
  return shape if len(shape) == 3 else (*shape, 1)


def label_spec(features: tfds.features.FeaturesDict,
               label_key: str | None) -> LabelSpec | None:
  """Returns the label feature, or None if there are no labels to read.

  Args:
    features: Features of the data set, `builder.info.features`.
    label_key: Name of a feature that is one integer; None for no labels. The
      default name, 'label', may be missing.

  Returns:
    The `LabelSpec`, or None.

  Raises:
    ValueError: If `label_key` is not 'label' and is not a feature that is one
      integer.
  """
  if label_key in features and _is_integer(features[label_key]):
    feature = features[label_key]
    num_classes = getattr(feature, 'num_classes', None)
    # The names of a ClassLabel raise if it has no number of classes.
    names = tuple(feature.names) if num_classes else None
    return LabelSpec(label_key, num_classes, names)
  if label_key in (None, 'label'):  # No name was given.
    return None
  raise ValueError(
      'A label is a feature that is one integer. Set `label_key` to such a '
      f'feature, one of {_listed(features)}. Received: label_key={label_key!r}')


def factor_names(features: tfds.features.FeaturesDict) -> dict[str, str]:
  """Returns the generative factors of the images: their names by feature.

  Factors are the features that are one integer and whose name begins with
  'label_', if there are at least two of them: a single one is a label. dsprites
  has five, shapes3d six, smallnorb four, and mnist, whose only one is 'label',
  none.

  Args:
    features: Features of the data set, `builder.info.features`.

  Returns:
    Names such as 'x_position' by features such as 'label_x_position', in
    alphabetical order, which is the same in every run, unlike the order of a
    data set that is read back from its files. Empty if there are no factors.
  """
  keys = sorted(key for key, feature in features.items()
                if key.startswith(_FACTOR_PREFIX) and _is_integer(feature))
  return ({key: key.removeprefix(_FACTOR_PREFIX) for key in keys}
          if len(keys) > 1 else {})


def _is_integer(feature: tfds.features.FeatureConnector) -> bool:
  return feature.shape == () and tf.as_dtype(feature.tf_dtype).is_integer


def _listed(features: tfds.features.FeaturesDict) -> str:
  return ', '.join(f'{key} {_short(f.shape)}' for key, f in features.items())


def _short(shape: tuple[int | None, ...] | dict) -> str:
  return str(shape) if isinstance(shape, tuple) else '{...}'  # Nested ones.
