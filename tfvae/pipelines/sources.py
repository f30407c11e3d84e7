"""Files of the input: their kind and their readers."""

from collections.abc import Sequence
import dataclasses
import os

import apache_beam as beam
from apache_beam.io import fileio
from apache_beam.io.filesystems import FileSystems

from tfvae.pipelines.checks import check_file
from tfvae.pipelines.exported import Exported
from tfvae.pipelines.worker import files
from tfvae.pipelines.worker.columns import Field
from tfvae.pipelines.worker.tables import FAILED
from tfvae.pipelines.worker.tables import TableRows

_IMAGES = ('.bmp', '.gif', '.jpeg', '.jpg', '.png', '.tif', '.tiff', '.webp')
_REMEDY = ('Give a pattern, such as data/**/*.parquet, whose extension is '
           '.parquet, .csv, .tfrecord or one of images, '
           f'{", ".join(_IMAGES)}; a run has files of one kind.')


@dataclasses.dataclass(frozen=True)
class Source:
  """The files of a pattern, as rows of a model's inputs.

  Attributes:
    pattern: Pattern of the files.
    kind: 'parquet', 'csv', 'tfrecord' or 'image'.
    fields: Inputs of the model, except the seed.
    id_key: Column of the ids; None for images.
    has_integer_ids: Whether ids are integers, not strings.
    seed: Seed of all rows; None if the model takes none.
  """

  pattern: str
  kind: str
  fields: Sequence[Field]
  id_key: str | None
  has_integer_ids: bool
  seed: int | None

  def read(self, pipeline: beam.Pipeline) -> tuple[beam.PCollection, ...]:
    """Returns the rows of the files, and one or two collections of failures."""
    settings = (self.fields, self.id_key)
    typed = (*settings, self.has_integer_ids, self.seed)
    if self.kind == 'parquet':
      names = [self.id_key, *(field.column for field in self.fields)]
      return tuple(pipeline | beam.Create([self.pattern]) | (
          beam.io.ReadAllFromParquetBatched(columns=names, with_filename=True)
      ) | 'Rows' >> _outputs(TableRows(*typed)))
    if self.kind == 'tfrecord':
      return tuple(pipeline | beam.Create([self.pattern]) | (
          beam.io.ReadAllFromTFRecord(with_filename=True)
      ) | 'Rows' >> _outputs(files.ExampleRows(*typed)))
    found = (pipeline | fileio.MatchFiles(self.pattern) | beam.Reshuffle()
             | fileio.ReadMatches())
    if self.kind == 'image':
      return tuple(found | 'Rows' >> _outputs(
          files.ImageRows(*settings, self.seed)))
    tables, wrong = found | 'ReadCsv' >> _outputs(files.ReadCsv(*settings))
    return (*(tables | 'Rows' >> _outputs(TableRows(*typed, are_texts=True))),
            wrong)


def _outputs(step: beam.DoFn) -> beam.PTransform:
  return beam.ParDo(step).with_outputs(FAILED, main='rows')


def source(pattern: str, exported: Exported, id_key: str | None,
           seed: int) -> Source:
  """Returns the source of a pattern, the first file of which is checked.

  Args:
    pattern: Pattern of the files.
    exported: Export whose inputs the files have.
    id_key: Column or feature of the ids; None for image files, whose ids are
      their paths.
    seed: Seed of all rows.

  Raises:
    ValueError: If no file matches, the kind of the files is unknown or
      differs, or the first file lacks a column or has another type.
  """
  kind, first = _kind_and_first(pattern)
  if (kind == 'image') != (id_key is None):
    raise ValueError(
        'The id of an image is its path; omit --id_key. Received: '
        f'--id_key={id_key}' if id_key else
        'The flag --id_key must name the column or the feature that has the id '
        f'of each row. Received: --input={pattern}')
  seed = seed if exported.takes_seed else None
  if kind == 'image':
    return Source(pattern, kind, exported.image_fields(), None, False, seed)
  fields = exported.fields(by_column=kind != 'tfrecord')
  has_integer_ids = check_file(kind, first, fields, id_key)
  return Source(pattern, kind, fields, id_key, has_integer_ids, seed)


def _kind_and_first(pattern: str) -> tuple[str, str]:
  """Returns the kind of the files, and the path of the first one."""
  kind = _kind(pattern)
  found = [metadata.path for metadata in FileSystems.match(
      [pattern], [1] if kind else None)[0].metadata_list]
  if not found or os.path.isdir(found[0]):
    raise ValueError(f'No file matches --input. {_REMEDY} Received: '
                     f'--input={pattern}')
  kinds = {kind} if kind else {_kind(path) for path in found}
  if len(kinds) > 1 or None in kinds:
    raise ValueError(f'The kind of the files is unknown, or differs. {_REMEDY} '
                     f'Received: --input={pattern}')
  return kinds.pop(), min(found)


def _kind(path: str) -> str | None:
  name = path.rsplit('/', 1)[-1].lower()
  if '.tfrecord' in name:
    return 'tfrecord'
  if name.endswith(_IMAGES):
    return 'image'
  return next((kind for kind in ('parquet', 'csv')
               if name.endswith(f'.{kind}')), None)
