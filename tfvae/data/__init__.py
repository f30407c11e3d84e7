"""Data: sources, splits, caches, binarization and batches."""

from tfvae.data.batches.evaluation_batches import evaluation_batches
from tfvae.data.batches.streamed_batches import streamed_batches
from tfvae.data.batches.training_batches import BatchReader
from tfvae.data.batches.training_batches import training_batches
from tfvae.data.batches.training_steps import steps_per_epoch
from tfvae.data.batches.training_steps import training_steps
from tfvae.data.binarization import bernoulli_draw
from tfvae.data.binarization import BINARIZATIONS
from tfvae.data.binarization import check_support
from tfvae.data.binarization import fixed_binarization
from tfvae.data.binarization import unit_interval
from tfvae.data.describing import describe
from tfvae.data.description.description import Description
from tfvae.data.description.summary import summary
from tfvae.data.loading import CACHES
from tfvae.data.loading import ImageData
from tfvae.data.loading import load
from tfvae.data.loading import load_images
from tfvae.data.moments import moments
from tfvae.data.ordered_rows import open_rows
from tfvae.data.ordered_rows import OrderedRows
from tfvae.data.reading import read_array
from tfvae.data.sources.images.decoding import ImageFormat
from tfvae.data.sources.images.decoding import RESIZE_METHODS
from tfvae.data.sources.missing import MISSING
from tfvae.data.sources.opening import names_array
from tfvae.data.sources.opening import names_folder
from tfvae.data.sources.opening import names_table
from tfvae.data.sources.tables.files import read_tables
from tfvae.data.sources.tables.files import table_extension
from tfvae.data.sources.tables.table_data import table_schema
from tfvae.data.sources.tfds.digits import Digits
from tfvae.data.splits.kept_labels import kept_labels
from tfvae.data.splits.split import Split
from tfvae.data.storage.stored_images import chunks
from tfvae.data.storage.stored_images import Images
from tfvae.data.storage.stored_images import is_in_memory
from tfvae.data.storage.stored_images import stored
from tfvae.data.storage.streamed_images import StreamedImages
from tfvae.registry import public_names

__all__ = public_names(globals())
