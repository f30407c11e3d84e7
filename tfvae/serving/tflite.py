"""Encoder and decoder as files of LiteRT (TensorFlow Lite)."""

import os
import re
import tempfile

import tensorflow as tf

from tfvae.models import LatentVariableModel
from tfvae.models.networks.precision import in_float32
from tfvae.serving.saved_model.signatures import ServedModel
from tfvae.serving.saved_model.signatures import signatures

_NAMES = ('encode', 'decode')


def export_tflite(model: LatentVariableModel, directory: str,
                  quantize: bool = False) -> dict[str, str]:
  """Writes `encode.tflite` and `decode.tflite`.

  Each has the signature of its name, with the named float32 inputs and outputs
  of `tfvae.serving.signatures`, any number of rows, and only operations that
  every LiteRT runtime has.

  ```python
  encode = tf.lite.Interpreter('encode.tflite').get_signature_runner()
  loc = encode(x=images)['loc']
  ```

  LiteRT has no operation that checks a shape: for a request of a wrong shape,
  or with different numbers of rows for x and y, a runner returns meaningless
  numbers. `Interpreter.resize_tensor_input(…, strict=True)` rejects every shape
  except that of the input, with any number of rows.

  Args:
    model: A `GraphVAE` or a `VAE`.
    directory: Directory for the files; created if it does not exist.
    quantize: Whether to store kernels of 1,024 weights or more as int8 and to
      multiply in int8 (dynamic-range quantization): a quarter of the size, and
      outputs that differ by a few percent.

  Returns:
    The paths of the files by signature.

  Raises:
    ValueError: If a network has an operation that LiteRT lacks.
  """
  os.makedirs(directory, exist_ok=True)
  paths = {}
  for name, content in _convert(model, quantize).items():
    paths[name] = os.path.join(directory, f'{name}.tflite')
    with open(paths[name], 'wb') as file:
      file.write(content)
  return paths


def _convert(model: LatentVariableModel, quantize: bool) -> dict[str, bytes]:
  """Returns the content of the files by signature."""
  model = in_float32(model)
  with tempfile.TemporaryDirectory() as path:
    tf.saved_model.save(ServedModel(model), path,
                        signatures=signatures(model, _NAMES, by_column=False))
    try:
      return {name: _convert_signature(path, name, quantize)
              for name in _NAMES}
    except Exception as error:  # TensorFlow does not publish its class.
      lacking = re.findall(r"'(tf\.\w+)' op is neither", str(error))
      if not lacking:
        raise
      raise ValueError(
          f'LiteRT has no {", ".join(sorted(set(lacking)))}; use another layer '
          'in the network, or convert a SavedModel of it with '
          'tf.lite.OpsSet.SELECT_TF_OPS, for runtimes with the kernels of '
          f'TensorFlow. Received: model={model.name!r}') from error


def _convert_signature(path: str, name: str, quantize: bool) -> bytes:
  converter = tf.lite.TFLiteConverter.from_saved_model(
      path, signature_keys=[name])
  if quantize:
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
  return converter.convert()
