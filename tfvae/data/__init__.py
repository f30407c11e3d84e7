"""Data: TFDS image data sets, binarisation, and batches of them."""

from tfvae.data.batches.pipeline import BatchReader
from tfvae.data.batches.pipeline import evaluation_batches
from tfvae.data.batches.pipeline import steps_per_epoch
from tfvae.data.batches.pipeline import training_batches
from tfvae.data.batches.pipeline import training_steps
from tfvae.data.batches.streamed_batches import streamed_batches
from tfvae.data.binarization import bernoulli_draw
from tfvae.data.binarization import BINARIZATIONS
from tfvae.data.binarization import check_support
from tfvae.data.binarization import fixed_binarization
from tfvae.data.binarization import unit_interval
from tfvae.data.load import CACHES
from tfvae.data.load import ImageData
from tfvae.data.load import load_images
from tfvae.data.load import Split
from tfvae.data.storage.stored_images import chunks
from tfvae.data.storage.stored_images import Images
from tfvae.data.storage.stored_images import is_in_memory
from tfvae.data.storage.stored_images import stored
from tfvae.data.storage.streamed_images import StreamedImages
from tfvae.data.tfds.digits import Digits

__all__ = [
    'BINARIZATIONS',
    'BatchReader',
    'CACHES',
    'Digits',
    'ImageData',
    'Images',
    'Split',
    'StreamedImages',
    'bernoulli_draw',
    'check_support',
    'chunks',
    'evaluation_batches',
    'fixed_binarization',
    'is_in_memory',
    'load_images',
    'steps_per_epoch',
    'stored',
    'streamed_batches',
    'training_batches',
    'training_steps',
    'unit_interval',
]
