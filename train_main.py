"""Trains and evaluates a variational autoencoder, as `python -m tfvae` does.

Kept short: everything it does is in `tfvae`, where it is tested.
"""

import os

# TensorFlow's C++ start-up messages; set the variable yourself to see them.
os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')

from tfvae.__main__ import run  # noqa: E402

if __name__ == '__main__':
  run()
