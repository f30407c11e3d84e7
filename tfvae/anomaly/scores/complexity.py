"""The negative ELBO less the nats of a general compressor."""

import dataclasses
import math
from typing import Any

import tensorflow as tf

from tfvae.anomaly.scores.elbo import elbo_parts
from tfvae.anomaly.scores.score import Score
from tfvae.anomaly.scores.score import SCORES
from tfvae.inference import observed
from tfvae.inference import RowSeededSample
from tfvae.layers import Likelihood
from tfvae.models import LatentVariableModel

_NATS_PER_BYTE = 8 * math.log(2)


@SCORES.register('complexity')
@dataclasses.dataclass(frozen=True)
class Complexity(Score):
  """The nats that the model needs beyond those of the PNG file of an image.

  Any model gives simple images a high likelihood. The file is the shorter one
  of those that TensorFlow writes, at the highest compression and with 8 bits
  per value, of the image and of its pixels in a single row. The filters of PNG
  compress photographs, but of two levels they leave more values than there are.

  Attributes:
    shapes: 2 to compare both files, 1 for that of the image alone.
  """

  shapes: int = 2

  formula = '−ELBO(x) − L(x), L the length of the PNG file'
  source = ('Serrà et al., Input Complexity and Out-of-distribution Detection '
            'with Likelihood-based Generative Models, 2020')

  def why_not(self, model: LatentVariableModel) -> str | None:
    """Returns why a model is unsuitable: x is no image, or incomplete."""
    if len(model.event_shape) != 3 or not 1 <= model.event_shape[2] <= 4:
      return 'complexity is a score of images with 1 to 4 channels'
    if model.allow_missing:
      return 'complexity is a score of images without missing pixels'
    return None

  def __call__(self, model: LatentVariableModel, inputs: Any,
               draw: RowSeededSample) -> tf.Tensor:
    """Returns −ELBO(x) − L(x); see `Score`."""
    layer = model.likelihood_layer()
    is_count = isinstance(layer, Likelihood) and layer.kind_of_data().is_count
    return -elbo_parts(model, inputs, draw)['elbo'] - png_nats(
        observed(inputs)['x'], 1. if is_count else 255., self.shapes)


def png_nats(x: tf.Tensor, scale: float, shapes: int = 2) -> tf.Tensor:
  """Returns the length of the PNG file of each image in nats, `[b]`.

  Args:
    x: Images, `[b, height, width, channels]`.
    scale: Factor that makes levels from 0 to 255 of x; others are clipped.
    shapes: See `Complexity`.
  """
  levels = tf.clip_by_value(tf.round(scale * tf.cast(x, tf.float32)), 0., 255.)
  levels = tf.cast(levels, tf.uint8)
  height, width, channels = x.shape[1:]
  lengths = [
      tf.strings.length(tf.io.encode_png(image, compression=9)) for image in (
          levels, tf.reshape(levels, [-1, 1, height * width, channels])
      )[:shapes]]
  return _NATS_PER_BYTE * tf.cast(tf.reduce_min(lengths, axis=0), tf.float32)
