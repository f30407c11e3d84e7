"""Digests of rows and of weights."""

from collections.abc import Iterator
import hashlib
import logging
from typing import Any

import numpy as np
import tensorflow as tf

from tfvae.evaluation.running.examples import as_dataset
from tfvae.inference import observed
from tfvae.models import LatentVariableModel
from tfvae.streaming import untuned

_LOGGER = logging.getLogger(__name__)


def row_digests(x: Any) -> list[bytes]:
  """Returns the BLAKE2b digest of the bytes of each row as float32.

  Args:
    x: Rows, `[b, ...]`.
  """
  rows = np.ascontiguousarray(np.asarray(x), np.float32)
  return [hashlib.blake2b(row.tobytes(), digest_size=16).digest()
          for row in rows]


def count_overlap(digests: list[bytes], training: Any) -> int:
  """Returns how many digests are those of rows of the training data.

  Args:
    digests: Digests of the calibration rows.
    training: Batches as `fit` takes them, or arrays.
  """
  wanted, found = set(digests), set()
  for x in _batches_of_x(training):
    found.update(wanted.intersection(row_digests(x)))
  return sum(digest in found for digest in digests)


def warn_of_overlap(count: int, num_rows: int):
  """Logs a warning if calibration rows are among the training rows.

  Args:
    count: Number of these rows.
    num_rows: Number of calibration rows.
  """
  if count:
    _LOGGER.warning(
        '%d of %d calibration rows are among the training rows. Their scores '
        'are lower than those of new rows, so that more false alarms follow '
        'than the rate promises; leave them out.', count, num_rows)


def weights_digest(model: LatentVariableModel) -> str:
  """Returns a digest of the shapes and the values of all weights.

  Args:
    model: Model that is built.
  """
  digest = hashlib.blake2b(digest_size=16)
  for weight in model.get_weights():
    digest.update(f'{weight.dtype}{weight.shape}'.encode())
    digest.update(np.ascontiguousarray(weight).tobytes())
  return digest.hexdigest()


def _batches_of_x(data: Any) -> Iterator[tf.Tensor]:
  for batch in untuned(as_dataset(data)):
    yield observed(batch[0] if isinstance(batch, tuple) else batch)['x']
