"""Exports a model as a SavedModel that TF Serving serves."""

from collections.abc import Iterable
import os

import tensorflow as tf

from tfvae.models import LatentVariableModel
from tfvae.models.networks.precision import in_float32
from tfvae.serving.saved_model import lint
from tfvae.serving.saved_model import publishing
from tfvae.serving.saved_model import warm_up
from tfvae.serving.saved_model.signatures import ServedModel
from tfvae.serving.saved_model.signatures import signatures


def export_saved_model(model: LatentVariableModel,
                       base_path: str | os.PathLike[str],
                       keep: int | None = None,
                       batch_sizes: Iterable[int] | None = None) -> str:
  """Writes a model as the next version under a base path.

  The version has the functions of `serving.signatures` and the warm-up requests
  of `serving.warm_up`, has passed `serving.lint`, and appears whole or not at
  all, whatever happens (`serving.publishing`). TensorFlow alone runs it, also
  its C++ without Python; see `docs/serving.md`.

  Args:
    model: `GraphVAE` or `VAE` that knows the shape of x. One in mixed precision
      is exported with float32 networks.
    base_path: Directory of the model, the `base_path` of a server's config.
    keep: Number of versions that stay, this one and those before it; None keeps
      all. At least 2 where exports follow each other faster than a server
      loads them.
    batch_sizes: Numbers of rows of the warm-up requests. None is 1 and 256, the
      largest batch with `serving/batching.config`, fewer for large images
      (`serving.warm_up`). A server with --enable_batching and a
      `max_batch_size` below 256 does not load the model: give (1,) for it.

  Returns:
    The path of the version, `<base_path>/<N>`.

  Raises:
    ValueError: if the model cannot be served, such as for Python code in a
      network; `keep` or a batch size is below 1; or the base path cannot be
      written.
    OSError: if the disk is full or broken. The versions stay as they were
      after any of these.
  """
  model = in_float32(model)
  functions = signatures(model)
  module = ServedModel(model)

  def write(path: str):
    try:
      tf.saved_model.save(module, path, signatures=functions)
      lint.check_saved_model(path)
      warm_up.write_warm_up_requests(
          path, warm_up.default_requests(path, batch_sizes))
    except tf.errors.OpError as error:  # Of the file system, in TensorFlow.
      raise OSError('Cannot write the export; no version has changed: '
                    f'{error.message}') from error

  return publishing.publish(base_path, write, keep)
