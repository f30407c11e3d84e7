"""Section on the data, and the parts that it is made of."""

from collections.abc import Mapping, Sequence
import html
import math
from typing import Any, NamedTuple

import numpy as np

from tfvae.report.content import Content
from tfvae.report.drawing.display import Display
from tfvae.report.drawing.svg import number
from tfvae.report.page import card
from tfvae.report.page import figure
from tfvae.report.page import Section
from tfvae.report.page import section
from tfvae.report.page import table
from tfvae.tables import KINDS

Facts = Mapping[str, Any]

_FILES = 20  # Names of files.
_SIZES = 8  # Sizes of files.
_ELEMENTS = 100  # Columns with missing values.
# Pictures of the first batch: rows, columns of images and of profiles.
_BATCH_ROWS, _IMAGE_COLUMNS, _PROFILE_COLUMNS = 4, 16, 8
_MOST_PIXELS, _PICTURE_WIDTH = 256, 1024  # Of a side of an image, of a row.
_LINE = 24  # Characters of a value of a table.


class Part(NamedTuple):
  """A part of the description: its name, its title, and HTML below it."""

  name: str
  short: str
  title: str
  lead: str
  body: str


def of_report(content: Content) -> Section | None:
  """Returns the description of the data as one section of the report."""
  facts = content.data
  if facts is None:
    return None
  return section(
      'data', 'Data', 'The data', lead(facts), ''.join(
          f'<h3>{part.title}</h3>'
          + (f'<p class="note">{part.lead}</p>' if part.lead else '')
          + part.body for part in parts(
              facts, content.first_batch, content.batch_caption)), css='data')


def parts(facts: Facts, examples: Sequence[np.ndarray] = (),
          caption: str = '') -> list[Part]:
  """Returns the parts of the description that have something to show.

  Args:
    facts: Description of the data as a dictionary.
    examples: Forms of x of the first training batch, `[n, ...]` each; rows of
      a form are above those of the next.
    caption: Sentence about the examples.
  """
  found = [_splits(facts), _values(facts), _columns(facts), _classes(facts),
           _categories(facts), _missing(facts), _files(facts),
           _first_batch(examples, caption)]
  return [part for part in found if part]


def lead(facts: Facts) -> str:
  """Returns a sentence about x."""
  shape = facts['shape']
  match facts['kind']:
    case 'table':
      text = (f'A table. x has {shape[0]} of its {len(facts["column_kinds"])} '
              'columns, each coded as a number.')
    case 'images':
      height, width, channels = shape
      text = (f'Images of {height} × {width} pixels and {channels} channel'
              f'{"s" * (channels > 1)}, stored as {facts["dtype"]}.')
    case _:
      text = (f'Vectors of {" × ".join(map(str, shape))} numbers, stored as '
              f'{facts["dtype"]}.')
  if facts['factors']:
    text += ' Factors, with their numbers of values: ' + ', '.join(
        f'{name} ({count:,})' for name, count in facts['factors'].items()) + '.'
  return html.escape(text)


def _splits(facts: Facts) -> Part:
  splits, shared = facts['splits'], facts['shared']
  total = sum(split['examples'] for split in splits.values())
  heads = ['split', 'examples', 'share', 'repeated', *(
      f'also in {name}' for name in list(splits)[:-1])]
  counts = {(pair['split'], pair['other']): pair['examples']
            for pair in shared}
  names = list(splits)
  rows = []
  for place, (name, split) in enumerate(splits.items()):
    rows.append([name, f'{split["examples"]:,}',
                 f'{split["examples"] / total:.1%}', f'{split["repeated"]:,}',
                 *(f'{counts.get((name, other), 0):,}' if i < place else ''
                   for i, other in enumerate(names[:-1]))])
  origins = ''.join(
      f'<dt>{name}</dt><dd>{html.escape(split["origin"])}</dd>'
      for name, split in splits.items() if split['origin'])
  unlabeled = ', '.join(
      f'{split["unlabeled"]:,} of {name}'
      for name, split in splits.items() if split['unlabeled'])
  text = ('Repeated examples equal an earlier one of their split; the last '
          'columns count the examples that are also in another split.')
  if shared:
    text += (' Scores on shared examples are too good.'
             if facts['kind'] != 'table' else
             ' Rows of few different values are equal without being copies.')
  if unlabeled:
    text += f' Without a label: {unlabeled}.'
  return Part('splits', 'Splits', 'Splits', text + _examined(facts), card(
      table(heads, rows) + (f'<dl class="versions">{origins}</dl>'
                            if origins else '')))


def _examined(facts: Facts) -> str:
  """Returns a sentence on what was counted, if that is not everything."""
  splits = facts['splits'].values()
  if all(split['examined'] == split['examples'] for split in splits):
    return ''
  most = max(split['examined'] for split in splits)
  return (f' Values and repetitions are of the first {most:,} examples of each '
          'split.')


def _values(facts: Facts) -> Part | None:
  if facts['kind'] == 'table':
    return None
  size = math.prod(facts['shape'])
  rows = []
  for name, split in facts['splits'].items():
    numbers = split['numbers']
    rows.append([name, *(_text(numbers[key]) for key in (
        'minimum', 'maximum', 'mean', 'standard_deviation')),
                 _distinct(numbers['distinct']), f'{numbers["zeros"]:.1%}',
                 f'{size - split["varying"]:,} of {size:,}'])
  return Part('values', 'Values', 'Values', '', card(table(
      ['split', 'min', 'max', 'mean', 'std. deviation', 'different values',
       'zeros', 'constant elements'], rows)))


def _columns(facts: Facts) -> Part | None:
  if facts['kind'] != 'table':
    return None
  shown = ''.join(_columns_of(name, split, open=name == 'train')
                  for name, split in facts['splits'].items())
  left_out = ', '.join(
      f'{name} ({KINDS[kind].removeprefix("left out: ")})'
      for name, kind in facts['column_kinds'].items()
      if kind in ('identifier', 'constant'))
  rows = facts['first_rows']
  count = len(next(iter(rows.values())))
  first = table(list(rows), [
      [_short(values[i]) for values in rows.values()] for i in range(count)])
  return Part(
      'columns', 'Columns', 'Columns',
      html.escape(f'Left out: {left_out}.') if left_out else '',
      f'{shown}<h4>First training rows</h4>{card(first)}')


def _columns_of(name: str, split: Facts, open: bool) -> str:
  """Returns the numbers and dates of a split; categories have a part."""
  columns = split['columns']
  rows = [[column['name'], column['kind'],
           *(_text(column[key]) for key in (
               'minimum', 'maximum', 'mean', 'standard_deviation')),
           _distinct(column['distinct']),
           '' if column['zeros'] is None else f'{column["zeros"]:.1%}']
          for column in columns]
  numbers = table(['column', 'kind', 'min', 'max', 'mean', 'std. deviation',
                   'different values', 'zeros'], rows)
  return (f'<details{" open" if open else ""}><summary>{html.escape(name)}, '
          f'{split["examined"]:,} rows</summary>{card(numbers)}</details>')


def _classes(facts: Facts) -> Part | None:
  if not facts['classes']:
    return None
  splits = facts['splits']
  rows = [[name, *(f'{split["class_counts"][i]:,}'
                   for split in splits.values()),
           f'{_share(splits["train"]["class_counts"], i):.1%}']
          for i, name in enumerate(facts['classes'])]
  return Part('classes', 'Classes', f'{len(rows):,} classes', '', card(
      table(['class', *splits, 'share of train'], rows)))


def _categories(facts: Facts) -> Part | None:
  splits = facts['splits']
  tables = []
  for place, column in enumerate(splits['train']['columns']):
    if not column['counts']:
      continue
    counts = [split['columns'][place]['counts'] for split in splits.values()]
    rows = [[value, *(f'{count[value]:,}' for count in counts)]
            for value in column['counts']
            if any(count[value] for count in counts)]
    tables.append(table([column['name'], *splits], rows,
                        caption=f'{column["name"]} ({column["kind"]})'))
  if not tables:
    return None
  return Part('categories', 'Categories', 'Categories', '',
              f'<div class="card columns">{"".join(tables)}</div>')


def _missing(facts: Facts) -> Part | None:
  """Returns the missing values that are in x, or of what was left out."""
  if any(split['num_missing'] for split in facts['splits'].values()):
    return _missing_in_splits(facts)
  missing = facts['missing']
  if not missing:
    return None
  names = list(dict.fromkeys(
      name for counts in missing.values() for name in counts))
  rows = [[name, *(f'{counts.get(name, 0):,}' for counts in missing.values())]
          for name in names]
  text = 'Rows with missing values were left out: ' + ', '.join(
      f'{count:,} of the part {part}'
      for part, count in facts['dropped'].items()) + '.'
  return Part('missing', 'Missing values', 'Missing values', html.escape(text),
              card(table(['column', *(f'in {part}' for part in missing)],
                         rows)))


def _missing_in_splits(facts: Facts) -> Part:
  splits, size = facts['splits'], math.prod(facts['shape'])
  names = list(dict.fromkeys(
      name for split in splits.values() for name in split['missing']))
  if facts['kind'] == 'table':
    names = [c['name'] for c in splits['train']['columns']
             if c['name'] in names]
  # Of images, each pixel would be a line.
  shown = [] if facts['kind'] == 'images' else names[:_ELEMENTS]

  def line(name, counts, totals):
    return [name, *(f'{count:,} ({count / max(1, total):.1%})' for count, total
                    in zip(counts, totals, strict=True))]

  found = splits.values()
  examined = [split['examined'] for split in found]
  rows = [line('all values', [split['num_missing'] for split in found],
               [size * count for count in examined]),
          *(line(key, [split[name] for split in found], examined)
            for key, name in (('incomplete examples', 'incomplete'),
                              ('examples without any value', 'empty'))),
          *(line(name, [split['missing'].get(name, 0) for split in found],
                 examined) for name in shown)]
  text = ('Missing values and their share, by split; the model learns from the '
          'observed values.')
  if any(split['empty'] for split in found):
    text += (' Examples without any value have the log-likelihood 0 and teach '
             'the model nothing.')
  if 0 < len(shown) < len(names):
    text += f' Of elements with missing values, {len(shown)} are listed.'
  return Part('missing', 'Missing values', 'Missing values', text,
              card(table(['', *splits], rows)))


def _files(facts: Facts) -> Part | None:
  sizes, corrupt = facts['file_sizes'], facts['corrupt']
  if not sizes:
    return None
  rows = [[f'{size["height"]} × {size["width"]}', f'{size["files"]:,}']
          for size in sizes[:_SIZES]]
  others = facts['num_file_sizes'] - len(rows)
  height, width, channels = facts['shape']
  is_resized = any(
      (size['height'], size['width']) != (height, width) for size in sizes)
  text = ('Files: ' + ', '.join(
      f'{count:,} {color}' for color, count in facts['file_colors'].items())
          + f'. As images they have {height} × {width} pixels, '
          + ('gray' if channels == 1 else 'RGB')
          + (f', by the method {facts["resize"]!r} where their size differs'
             if is_resized else '') + '.')
  body = table(['height × width', 'files'], rows) + (
      f'<p>and {others:,} other sizes</p>' if others else '')
  if corrupt:
    named = ''.join(
        f'<li>{html.escape(path)}: {html.escape(reason)}</li>'
        for path, reason in list(corrupt.items())[:_FILES])
    more = len(corrupt) - _FILES
    body += (f'<h4>Corrupt files that were left out: {len(corrupt):,}</h4>'
             f'<ul>{named}{f"<li>and {more:,} more</li>" if more > 0 else ""}'
             '</ul>')
  return Part('files', 'Files', 'Files', html.escape(text), card(body))


def _first_batch(examples: Sequence[np.ndarray], caption: str) -> Part | None:
  if not len(examples):
    return None
  forms = np.stack([np.asarray(x, np.float32) for x in examples])
  columns = _PROFILE_COLUMNS
  if forms.ndim == 5:
    # Large images are thinned out, so that the page stays below a few MB.
    step = -(-max(forms.shape[2:4]) // _MOST_PIXELS)
    forms = forms[:, :, ::step, ::step]
    columns = min(_IMAGE_COLUMNS, max(
        4, _PICTURE_WIDTH // forms.shape[3]))
  columns = min(columns, forms.shape[1])
  rows = min(forms.shape[1] // columns, _BATCH_ROWS)
  forms = forms[:, :rows * columns]
  pictures = np.stack([Display(x)(x) for x in forms])
  pictures = pictures.reshape(len(forms), rows, columns, *pictures.shape[2:])
  return Part(
      'batch', 'First batch', 'First batch', html.escape(caption),
      figure(pictures.swapaxes(0, 1).reshape(-1, *pictures.shape[2:]),
             f'{rows * columns} training examples.', len(forms), css='wide'))


def _share(counts: Sequence[int], place: int) -> float:
  return counts[place] / max(1, sum(counts))


def _distinct(count: int | None) -> str:
  return 'over 10,000' if count is None else f'{count:,}'


def _text(value: float | str | None) -> str:
  if value is None:
    return ''
  if isinstance(value, str):
    return value
  return number(int(value) if value == int(value) else value)


def _short(value: Any) -> str:
  text = str(value) if isinstance(value, int) else _text(value)  # A category.
  return text if len(text) <= _LINE else f'{text[:_LINE - 1]}…'
