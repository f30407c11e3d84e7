"""Export of a model as a SavedModel for TF Serving."""

from collections.abc import Iterable
import os

import numpy as np
import tensorflow as tf

from tfvae.anomaly import Detector
from tfvae.evaluation.importance_weighted_measure import SAMPLES
from tfvae.evaluation.imputation.impute import DRAWS
from tfvae.models import LatentVariableModel
from tfvae.models.networks.precision import in_float32
from tfvae.serving.images.image_input import ImageInput
from tfvae.serving.saved_model import lint
from tfvae.serving.saved_model import publishing
from tfvae.serving.saved_model import warm_up
from tfvae.serving.saved_model.signatures import input_shapes
from tfvae.serving.saved_model.signatures import ServedModel
from tfvae.serving.saved_model.signatures import signatures
from tfvae.serving.saved_model.table_rows import TableRows


def export_saved_model(model: LatentVariableModel,
                       base_path: str | os.PathLike[str],
                       keep: int | None = None,
                       batch_sizes: Iterable[int] | None = None,
                       image_input: ImageInput | None = None,
                       imputation_draws: int = DRAWS.default,
                       importance_samples: int = SAMPLES.default,
                       refine_steps: int = 0,
                       detector: Detector | None = None) -> str:
  """Writes a model as the next version under a base path.

  The version has the functions of `signatures` and warm-up requests, has passed
  `check_saved_model`, and appears complete or not at all, also after a kill. It
  needs TensorFlow alone, or its C++ library without Python; see
  `docs/serving.md`.

  Args:
    model: `GraphVAE` or `VAE` with a known shape of x. A model in mixed
      precision is exported with float32 networks.
    base_path: Directory of the model, the `base_path` in the configuration of a
      server.
    keep: Number of versions to keep, including this one; by default all. Keep
      at least 2 if exports follow each other faster than a server loads them.
    batch_sizes: Numbers of rows of the warm-up requests. By default 1 and 256,
      the largest batch with `serving/batching.config`, or fewer for large
      images. A server with batching enabled and a `max_batch_size` below 256
      does not load such a model: use (1,) for it.
    image_input: Conversion of image files to x. With it there are signatures
      that take files, `parse_image` and `encode_image`.
    imputation_draws: Draws of z for each example of `impute`, where x may have
      missing values.
    importance_samples: K, draws of z for each example of `log_likelihood`.
    refine_steps: Steps k of `refine`, for which the posteriors must be
      Gaussian; 0 for no such signature.
    detector: Detector that was calibrated with this model, for the signature
      `detect`.

  Returns:
    The path of the version, `<base_path>/<N>`.

  Raises:
    ValueError: If the model cannot be served, for example because a network
      runs Python code; the detector was calibrated with other weights; `keep`
      or a batch size is below 1; or the base path cannot be written.
    OSError: If the disk is full or broken. After any error the versions are
      unchanged.
  """
  model = in_float32(model)
  functions = signatures(model, image_input=image_input,
                         imputation_draws=imputation_draws,
                         importance_samples=importance_samples,
                         refine_steps=refine_steps,
                         detector=detector)
  module = ServedModel(model)
  values = TableRows.of(model).example()
  if image_input is not None:
    shape = input_shapes(model)['reconstruct']['x']
    values['image'] = np.array([image_input.example(shape)], object)

  def write(path: str):
    try:
      tf.saved_model.save(module, path, signatures=functions)
      lint.check_saved_model(path)
      warm_up.write_warm_up_requests(path, warm_up.default_requests(
          path, batch_sizes, values))
    except tf.errors.OpError as error:  # From TensorFlow's file system.
      raise OSError('Cannot write the export; no version has changed: '
                    f'{error.message}') from error

  return publishing.publish(base_path, write, keep)
