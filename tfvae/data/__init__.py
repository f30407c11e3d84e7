"""Data: TFDS image data sets in memory, binarisation, and batches of them."""

from tfvae.data.binarization import bernoulli_draw
from tfvae.data.binarization import BINARIZATIONS
from tfvae.data.binarization import check_support
from tfvae.data.binarization import fixed_binarization
from tfvae.data.binarization import full_range
from tfvae.data.binarization import unit_interval
from tfvae.data.digits import Digits
from tfvae.data.images import ImageData
from tfvae.data.images import load_images
from tfvae.data.images import Split
from tfvae.data.pipeline import BatchReader
from tfvae.data.pipeline import evaluation_batches
from tfvae.data.pipeline import steps_per_epoch
from tfvae.data.pipeline import training_batches
from tfvae.data.pipeline import training_steps

__all__ = [
    'BINARIZATIONS',
    'BatchReader',
    'Digits',
    'ImageData',
    'Split',
    'bernoulli_draw',
    'check_support',
    'evaluation_batches',
    'fixed_binarization',
    'full_range',
    'load_images',
    'steps_per_epoch',
    'training_batches',
    'training_steps',
    'unit_interval',
]
