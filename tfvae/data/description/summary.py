"""A description as lines of text."""

from collections.abc import Mapping, Sequence
import itertools
import math
import textwrap

from tfvae.data.description.description import Description
from tfvae.data.description.description import SplitDescription

_CLASSES = 12  # Classes that are listed.
_COLUMNS = 30  # Columns of a table that are listed.
_WIDTH = 80  # Of wrapped lines.
_NAMED = 5  # Files and sizes that are listed.
_MISSING = 20  # Columns with missing values that are listed.


def summary(description: Description) -> str:
  """Returns a description as compact text."""
  size = ' x '.join(map(str, description.shape))
  lines = [f'{description.name}: {description.kind}, x has the shape {size}, '
           f'{description.dtype}']
  splits = description.splits
  lines += _table([[name, f'{split.examples:,}', split.origin]
                   for name, split in splits.items()])
  if description.kind == 'table':
    lines += ['columns in the training split:', *_columns(description)]
  else:
    lines += ['values:', *_table([['', 'min', 'max', 'mean', 'std', 'zeros'], *(
        [name, *map(_text, (
            split.numbers.minimum, split.numbers.maximum, split.numbers.mean,
            split.numbers.standard_deviation)), f'{split.numbers.zeros:.1%}']
        for name, split in splits.items())])]
  if description.classes:
    lines += [f'{len(description.classes):,} classes:',
              *_table(_classes(description))]
  remarks = (textwrap.wrap(line, _WIDTH, subsequent_indent='  ')
             for line in _remarks(description))
  return '\n'.join([*lines, *itertools.chain(*remarks)])


def _columns(description: Description) -> list[str]:
  rows = []
  for column in description.splits['train'].columns[:_COLUMNS]:
    shown = ('never observed' if column.distinct == 0 else
             f'{column.distinct} categories' if column.counts else
             f'{_text(column.minimum)} to {_text(column.maximum)}, mean '
             f'{_text(column.mean)}')
    rows.append([column.name, column.kind, shown])
  more = len(description.splits['train'].columns) - _COLUMNS
  left_out = [f'{name} ({kind})'
              for name, kind in description.column_kinds.items()
              if kind in ('identifier', 'constant')]
  return (_table(rows, numbers=False)
          + ([f'  and {more:,} more columns'] if more > 0 else [])
          + ([f'  left out: {", ".join(left_out)}'] if left_out else []))


def _classes(description: Description) -> list[list[str]]:
  splits = description.splits
  rows = [[name, *(f'{split.class_counts[i]:,}' for split in splits.values())]
          for i, name in enumerate(description.classes[:_CLASSES])]
  more = len(description.classes) - _CLASSES
  return [['', *splits], *rows] + (
      [[f'… and {more:,} more'] + [''] * len(splits)] if more > 0 else [])


def _remarks(description: Description) -> list[str]:
  """Returns lines on copies, missing values and files."""
  splits = description.splits
  lines = [f'repeated in {name}: {split.repeated:,} examples'
           for name, split in splits.items() if split.repeated]
  lines += [f'also in {shared.other}: {shared.examples:,} examples of '
            f'{shared.split}' for shared in description.shared]
  lines = lines or ['no example is repeated']
  lines += [f'unlabeled in {name}: {split.unlabeled:,} examples'
            for name, split in splits.items() if split.unlabeled]
  for part, counts in description.missing.items():
    if part in description.dropped:
      lines.append(f'missing in {part}: {_listed(counts)}; '
                   f'{description.dropped[part]:,} rows left out')
  lines += [_missing(description, name) for name, split in splits.items()
            if split.num_missing]
  if description.file_sizes:
    listed = ', '.join(f'{size.height}x{size.width} ({size.files:,})'
                       for size in description.file_sizes[:_NAMED])
    more = description.num_file_sizes - _NAMED
    lines.append(f'sizes of files: {listed}'
                 + (f', and {more:,} more' if more > 0 else ''))
  if description.corrupt:
    named = list(description.corrupt)
    more = f', and {len(named) - _NAMED:,} more' if named[_NAMED:] else ''
    lines.append(f'corrupt files left out: {", ".join(named[:_NAMED])}{more}')
  return lines + _examined(splits.values())


def _missing(description: Description, name: str) -> str:
  """Returns a line on the missing values of a split."""
  split = description.splits[name]
  share = split.num_missing / (split.examined * math.prod(description.shape))
  line = (f'missing in {name}: {share:.1%} of the values, in '
          f'{split.incomplete:,} of {split.examined:,} examples')
  if split.empty:
    line += f', of which {split.empty:,} have no observed value'
  # Pixels are too many.
  return (line if description.kind == 'images' else
          f'{line} ({_listed(split.missing)})')


def _listed(counts: Mapping[str, int]) -> str:
  named = list(counts.items())[:_MISSING]
  more = len(counts) - len(named)
  return ', '.join(f'{name} {count:,}' for name, count in named) + (
      f', and {more:,} more' if more else '')


def _examined(splits: Sequence[SplitDescription]) -> list[str]:
  most = max(split.examined for split in splits)
  return ([f'values and repetitions are of the first {most:,} examples']
          if any(split.examined < split.examples for split in splits) else [])


def _table(rows: list[list[str]], numbers: bool = True) -> list[str]:
  """Returns aligned rows: the first and the last column to the left."""
  widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
  aligned = []
  for row in rows:
    cells = [cell.rjust(width) if numbers and i else cell.ljust(width)
             for i, (cell, width) in enumerate(zip(row, widths, strict=True))]
    if numbers and ' ' in row[-1]:  # Words.
      cells[-1] = row[-1]
    aligned.append(('  ' + '  '.join(cells)).rstrip())
  return aligned


def _text(value: float | str | None) -> str:
  if value is None:
    return ''
  return value if isinstance(value, str) else f'{value:,.4g}'
