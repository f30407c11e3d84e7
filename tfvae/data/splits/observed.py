"""Check that each element of x is observed in some training example."""

from collections.abc import Sequence

import numpy as np

from tfvae.data.sources.missing import element_name
from tfvae.data.storage.stored_images import chunks
from tfvae.data.storage.stored_images import Images

_LISTED = 5  # Names in a message.


def check_observed(images: Images, name: str,
                   columns: Sequence[str] = ()) -> None:
  """Raises a ValueError if an element of x is missing in every example.

  The examples are read up to the first at which all elements were observed.

  Args:
    images: Training examples, vectors or rows of a table.
    name: Name of the data set, for the message.
    columns: Names of the elements of x of a table.
  """
  shape = images.shape[1:]
  if images.dtype == np.uint8:
    return
  observed = np.zeros(shape, bool)
  for chunk in chunks(images):
    observed |= ~np.isnan(chunk).all(axis=0)
    if observed.all():
      return
  found = np.flatnonzero(~observed).tolist()
  listed = ', '.join(repr(element_name(place, shape, columns))
                     for place in found[:_LISTED])
  more = len(found) - _LISTED
  listed += f' and {more:,} more' if more > 0 else ''
  remedy = ('take the columns out of the schema, with the kind identifier'
            if columns else 'leave them out of x')
  raise ValueError(
      'Each element of x must be observed in a training example. Choose a '
      f'`train_split` with such examples, or {remedy}. Received: {name!r} with '
      f'{listed} missing in all {len(images):,} training examples')
