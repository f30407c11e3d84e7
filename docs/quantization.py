"""Example that compares LiteRT files with the model: size and accuracy.

  python train_main.py --flagfile=configs/mnist.flags
  python docs/quantization.py --workdir=runs/mnist --dataset=mnist

Both kinds of file encode test images and decode the posterior means of the
model. The program prints the root mean square of the differences, relative to
the root mean square of the outputs of the model. See docs/reuse.md.
"""

import argparse
import os
import tempfile

import numpy as np
import tensorflow as tf
import tf_keras

from tfvae import data
from tfvae import serving
from tfvae.models import decoder_model
from tfvae.models import encoder_model


def run(path: str, name: str, **inputs: np.ndarray) -> dict[str, np.ndarray]:
  """Returns the outputs of a file's signature by name."""
  return tf.lite.Interpreter(path).get_signature_runner(name)(**inputs)


def share(received: np.ndarray, expected: np.ndarray) -> float:
  """Returns ‖received − expected‖ / ‖expected‖."""
  return float(np.linalg.norm(received - expected) / np.linalg.norm(expected))


def main():
  """Prints a line for float32 and one for int8."""
  parser = argparse.ArgumentParser(
      description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
  parser.add_argument('--workdir', required=True)
  parser.add_argument('--dataset', default='digits')
  parser.add_argument('--data_dir')
  parser.add_argument('--examples', type=int, default=1000)
  arguments = parser.parse_args()
  model = tf_keras.models.load_model(
      os.path.join(arguments.workdir, 'model.keras'))
  images = data.load(arguments.dataset, arguments.data_dir).test.images
  x = np.float32(
      data.fixed_binarization(images[:arguments.examples], seed=0))
  code = {name: value.numpy()
          for name, value in encoder_model(model)(x).items()}
  mean = decoder_model(model)(code['loc']).numpy()
  for quantize in (False, True):
    with tempfile.TemporaryDirectory() as directory:
      paths = serving.export_tflite(model, directory, quantize)
      size = sum(map(os.path.getsize, paths.values()))
      received = run(paths['encode'], 'encode', x=x)
      decoded = run(paths['decode'], 'decode', z=code['loc'])['mean']
    print(f'{"int8" if quantize else "float32":8} {size:9,} bytes',
          *(f'{name} {share(received[name], code[name]):.1e}' for name in code),
          f'mean {share(decoded, mean):.1e}', sep='  ')


if __name__ == '__main__':
  main()
