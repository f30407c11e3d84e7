"""Tables of a run's figures, each explained in one sentence."""

from collections.abc import Iterator, Mapping, Sequence
import html
import re
from typing import Any

from tfvae.report.explanations import EXPLANATIONS
from tfvae.report.svg import number

_SPLITS = ('test', 'validation', 'train')
_ERRORS = ('_standard_error', '_error')
_ABBREVIATIONS = {word.lower(): word for word in (
    'AIS', 'DCI', 'ELBO', 'FactorVAE', 'IWAE', 'KL', 'kNN', 'MIG', 'NLL',
    'SAP')}
_FEW = 8  # Values of a list that are written out.


def metric_tables(metrics: Mapping[str, Any]) -> str:
  """Returns tables of nested figures: splits side by side, then each block.

  Args:
    metrics: as `metrics.json`; 'versions' are left out. A key that ends in
      `_standard_error` or `_error` is shown behind the key before.
  """
  metrics = {key: value for key, value in metrics.items() if key != 'versions'}
  splits = {name: _flat(metrics.pop(name)) for name in _SPLITS
            if isinstance(metrics.get(name), Mapping)}
  blocks = {name: _flat(metrics.pop(name)) for name in list(metrics)
            if isinstance(metrics[name], Mapping)}
  tables = [_table('Likelihood', splits)] if splits else []
  tables += [_table(_words(name), {'value': values})
             for name, values in blocks.items() if values]
  if metrics:
    tables.append(_table('The run', {'value': _flat(metrics)}))
  return ''.join(tables)


def _flat(block: Mapping[str, Any],
          path: Sequence[str] = ()) -> dict[tuple[str, ...], Any]:
  """Nested figures by their path of keys, in order."""
  flat = {}
  for key, value in block.items():
    if isinstance(value, Mapping):
      flat |= _flat(value, (*path, str(key)))
    else:
      flat[(*path, str(key))] = value
  return flat


def _table(title: str, columns: Mapping[str, Mapping]) -> str:
  rows = []
  for key in dict.fromkeys(key for values in columns.values()
                           for key in values):
    if _base(key, columns) is None:
      name, explanation = _name(key)
      cells = ''.join(f'<td>{_cell(values, key)}</td>'
                      for values in columns.values())
      rows.append(f'<tr><th scope="row">{name}</th>{cells}</tr>')
      if explanation:
        rows.append(f'<tr class="why"><td colspan="{len(columns) + 1}">'
                    f'{html.escape(explanation)}</td></tr>')
  heads = ''.join(f'<th scope="col">{html.escape(name)}</th>'
                  for name in columns)
  return (f'<table><caption>{html.escape(title)}</caption><thead><tr>'
          f'<th scope="col">figure</th>{heads}</tr></thead>'
          f'<tbody>{"".join(rows)}</tbody></table>')


def _base(key, columns):
  """The key whose standard error this one is, if it is one."""
  for suffix in _ERRORS:
    base = (*key[:-1], key[-1].removesuffix(suffix))
    if base != key and any(base in values for values in columns.values()):
      return base
  return None


def _cell(values, key):
  if key not in values:
    return ''
  for suffix in _ERRORS:
    error = values.get((*key[:-1], key[-1] + suffix))
    if error is not None:
      return f'{text(values[key])} <small>± {text(error, 2)}</small>'
  return text(values[key])


def _name(key):
  """A figure's name as HTML, and its explanation or None."""
  *path, last = key
  within = [part for part in path if part != 'latents']
  explanation = EXPLANATIONS.get(last)
  if within and re.fullmatch(r'[\d.]+', last):  # A level of what is above it.
    explanation = EXPLANATIONS.get(within[-1])
    last = f'{within.pop()}_{last}'
  name = _words(last)
  if within:
    name += f' <small>{html.escape(", ".join(within))}</small>'
  return name, explanation


def _words(key):
  first, *rest = (_ABBREVIATIONS.get(word, word)
                  for word in str(key).split('_'))
  if first not in _ABBREVIATIONS.values():
    first = first[:1].upper() + first[1:]
  return html.escape(' '.join([first, *rest]))


def text(value: Any, digits: int = 4) -> str:
  """Returns any value of `metrics.json` for people, as HTML."""
  if isinstance(value, bool):
    return 'yes' if value else 'no'
  if isinstance(value, str) or value is None:
    return html.escape(str(value))
  if isinstance(value, Sequence):
    if any(isinstance(part, str) for part in value):
      return '; '.join(text(part, digits) for part in value)
    values = list(_numbers(value))
    if len(values) > _FEW:
      return (f'{len(values)} values, {number(min(values), 3)} to '
              f'{number(max(values), 3)}')
    return ', '.join(text(part, digits) for part in value)
  return number(value, digits)


def _numbers(value) -> Iterator[float]:
  for part in value:
    if isinstance(part, Sequence):
      yield from _numbers(part)
    else:
      yield part
