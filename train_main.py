"""Trains and evaluates a variational autoencoder, as `python -m tfvae` does.

Kept short: everything it does is in `tfvae`, where it is tested.
"""

from tfvae.__main__ import run

if __name__ == '__main__':
  run()
