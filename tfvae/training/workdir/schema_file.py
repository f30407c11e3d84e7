"""Description of the columns of a table, for a person to check and edit."""

import logging
import os
from typing import Any

from tfvae import data
from tfvae.tables import KINDS
from tfvae.training.config import Config

_LOGGER = logging.getLogger(__name__)

SCHEMA_FILE = 'schema.json'


def write_schema(config: Config, workdir: str) -> dict[str, Any]:
  """Writes the description of the columns of a table, `schema.json`.

  Args:
    config: Settings with the `dataset`. A `schema` is checked and written in
      place of the columns that are recognized.
    workdir: Directory that receives the file.

  Returns:
    An empty dictionary: there are no metrics.

  Raises:
    ValueError: If the data are no table, or the file cannot be written.
  """
  schema = data.table_schema(config.data.dataset, config.data.schema)
  path = os.path.join(workdir, SCHEMA_FILE)
  try:
    os.makedirs(workdir, exist_ok=True)
    schema.save(path)
  except OSError as error:
    raise ValueError(
        f'Cannot write the schema: {error.strerror}; choose another `workdir`. '
        f'Received: workdir={workdir}') from error
  for column in schema:
    categories = ''.join(f', {value}' for value in column.categories)
    _LOGGER.info('%s: %s (%s)%s', column.name, column.kind, KINDS[column.kind],
                 categories)
  _LOGGER.info('The schema is in %s. Edit it, and train with `schema=%s`.',
               path, path)
  return {}
