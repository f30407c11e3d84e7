"""Tables of the figures of a run, each with a one-sentence explanation."""

from collections.abc import Collection, Mapping, Sequence
import html
import re
from typing import Any

from tfvae import evaluation
from tfvae.report.drawing.svg import number
from tfvae.report.page import words
from tfvae.report.sections.explanations import explanations

_SPLITS = ('test', 'validation', 'train')
_ERRORS = ('_standard_error', '_error')
_ABBREVIATIONS = ('ELBO', 'KL')  # Of the figures that belong to no measure.
_MISSING = 'not available'  # For a NaN or an infinity, null in JSON.
_FEW = 8  # Longest list of numbers that is written out.
_LINE = 40  # Characters; longer text is wrapped.


def metric_tables(metrics: Mapping[str, Any]) -> str:
  """Returns tables of nested figures: splits side by side, then each block.

  Args:
    metrics: Nested figures as in `metrics.json`, except 'versions'. A standard
      error, whose key ends in `_standard_error` or `_error`, is shown after its
      figure.
  """
  measures = evaluation.measures_of(metrics)
  metrics = {key: value for key, value in metrics.items() if key != 'versions'}
  splits = {name: _flat(metrics.pop(name)) for name in _SPLITS
            if isinstance(metrics.get(name), Mapping)}
  blocks = {}
  for name in list(metrics):
    if isinstance(metrics[name], Mapping):
      charted = measures[name].charted if name in measures else ()
      blocks[name] = _flat(metrics.pop(name), left_out=charted)
  if metrics:  # Figures outside of blocks.
    blocks['the_run'] = _flat(metrics)
  first = _table('Likelihood', splits, explanations()) if splits else ''
  others = ''.join(
      _table(_words(name), {'value': values}, explanations(name))
      for name, values in blocks.items() if values)
  return f'{first}<div class="columns">{others}</div>'


def _flat(block: Mapping[str, Any],
          path: Sequence[str] = (), left_out: Collection[str] = ()
          ) -> dict[tuple[str, ...], Any]:
  """Nested figures by their path of keys, in order, without some keys."""
  flat = {}
  for key, value in block.items():
    if key in left_out:
      continue
    if isinstance(value, Mapping):
      flat |= _flat(value, (*path, str(key)), left_out)
    else:
      flat[(*path, str(key))] = value
  return flat


def _table(title: str, columns: Mapping[str, Mapping],
           sentences: Mapping[str, str]) -> str:
  rows = []
  for key in dict.fromkeys(key for values in columns.values()
                           for key in values):
    if _base(key, columns) is None:
      name, explanation = _name(key, sentences)
      cells = ''.join(_cell(values, key) for values in columns.values())
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
  """A figure, followed by its standard error if there is one."""
  shown = text(values.get(key, ''))
  css = ' class="words"' if len(shown) > _LINE else ''
  for suffix in _ERRORS:
    error_key = (*key[:-1], key[-1] + suffix)
    if isinstance(values.get(error_key, ''), float | None):
      shown += f' <small>± {text(values[error_key], 2)}</small>'
      break
  return f'<td{css}>{shown}</td>'


def _name(key, sentences):
  """A figure's name as HTML, and its explanation or None."""
  # The coverage at a level has the explanation of 'coverage', for example.
  explanation = next(
      (sentences[part] for part in reversed(key) if part in sentences), None)
  if key[-2:-1] == ('kl_by_latent',):
    return f'KL of {html.escape(key[-1])}', explanation
  *path, last = (part for part in key if part != 'latents')
  if path and re.fullmatch(r'[\d.]+', last):
    last = f'{path.pop()}_{last}'
  name = _words(last)
  if path:
    within = html.escape(', '.join(path)).replace('_', ' ')
    name += f' <small>{within}</small>'
  return name, explanation


def _words(key):
  known = {word.lower(): word for word in (*_ABBREVIATIONS, *(
      word for name in evaluation.MEASURES
      for word in evaluation.MEASURES.make(name).abbreviations))}
  first, *rest = (known.get(word, word) for word in str(key).split('_'))
  if first not in known.values():
    first = first[:1].upper() + first[1:]
  return html.escape(' '.join([first, *rest]))


def text(value: Any, digits: int = 4) -> str:
  """Returns any value of `metrics.json` as readable HTML."""
  if value is None:
    return _MISSING
  if isinstance(value, bool):
    return 'yes' if value else 'no'
  if isinstance(value, str):
    return words(value)
  if not isinstance(value, Sequence):
    return number(value, digits)
  known = [v for v in value if v is not None]
  if len(value) > _FEW and known and all(
      isinstance(v, int | float) for v in known):
    missing = len(value) - len(known)
    return (f'{len(value)} values, {number(min(known), 3)} to '
            f'{number(max(known), 3)}'
            + (f', {missing} {_MISSING}' if missing else ''))
  return ', '.join(text(part, digits) for part in value) or 'none'
