"""Random command lines, drawn from the declarations of `Config`."""

import dataclasses
import os
import random
import typing

import numpy as np
import pandas as pd
from PIL import Image

from tfvae.data.sources.tables.recognition import recognized
from tfvae.graph import PRESETS
from tfvae.settings import choices_of
from tfvae.settings import flag_text
from tfvae.training.config import FIELDS

# Data sets and the settings that they need; the paths are those of
# `write_sources`.
_SOURCES = {
    'digits': {'train_split': 'train[:20]', 'validation_split': 'train[20:30]',
               'test_split': 'test[:10]'},
    '{sources}/images': {}, '{sources}/mixed': {'image_size': '6'},
    '{sources}/bits.npz': {},
    '{sources}/numbers.npz': {'likelihood': 'normal'},
    '{sources}/table.csv': {'missing': 'drop'},
    '{sources}/table.parquet': {'schema': '{sources}/schema.json'}}
_ROWS = 60

# A run of one to twenty steps, with short evaluations.
_SMALL = {
    'latents': 'z:2', 'hidden_units': '8,8',
    'factor_units': '8', 'epochs': '1', 'batch_size': '20', 'jit': 'false',
    'checkpoint_every_steps': '1',
    'eval_batch_size': '7', 'eval_chunk': '3', 'eval_importance_samples': '4',
    'eval_importance_examples': '5', 'eval_costly_examples': '3',
    'eval_ais_steps': '3', 'eval_ais_chains': '2', 'eval_simulations': '100'}

# Values that do not follow from the declarations, or that take little time.
_VALID = {
    'dataset': tuple(_SOURCES),
    'train_split': ('train[:20]', 'train[:13]', 'train[30:50]', 'train[:1]',
                    'train[20:30]'),
    'validation_split': ('train[20:30]', 'train[40:41]', 'test[:9]'),
    'test_split': ('test[:10]', 'test[10:11]', 'train[:10]'),
    'image_key': ('image', 'x'), 'label_key': ('label', 'y', 'color'),
    'weight_key': ('w',), 'mask_key': ('mask',),
    'schema': ('{sources}/schema.json',),
    'image_size': ('8', '8x6'), 'channels': ('1', '3'),
    'background': ('white', '#102030'),
    'cache_dir': ('cached',), 'export_dir': ('exported',),
    'latents': ('z:2', 'z:1', 'z:3'),
    'inference': ('z|x', 'z|x,y'), 'generative': ('z; x|z', 'z; x|z,y'),
    'hidden_units': ('8', '4,8', '1', '8,4,4'), 'factor_units': ('8', '4,4'),
    'network': ('mlp', 'mlp', 'mlp', 'conv', 'resnet'),
    'jit': ('false',) * 15 + ('auto', 'true'),
    'prior_components': ('1', '3', '20', '21'), 'epochs': ('1', '2'),
    'posterior_components': ('1', '3'),
    'prior_spline_layers': ('1', '2'), 'prior_spline_bins': ('2', '9'),
    'prior_spline_units': ('1', '8', '4,3'),
    'posterior_spline_layers': ('1', '2'), 'posterior_spline_bins': ('2', '9'),
    'posterior_spline_units': ('1', '8', '4,3'),
    'batch_size': tuple(map(str, range(1, 31))),
    'steps_per_execution': ('auto', '1', '3', '1000000'),
    'strategy': ('auto', 'default', 'one_device', 'mirrored'),
    'precision': ('float32', 'bfloat16', 'float16'),
    'importance_samples': ('1', '2', '5'), 'likelihood_components': ('1', '3'),
    'learning_rate_warm_up_steps': ('0', '1', '20'),
    'kl_warm_up_epochs': ('1', '3', '100000'),
    'eval_simulations': ('100',), 'eval_ais_steps': ('2', '3'),
    'eval_ais_chains': ('1', '3'), 'eval_chunk': ('1', '2', '50'),
    'eval_importance_samples': ('1', '5'),
    'eval_importance_examples': ('1', '5', '0'),
    'eval_costly_examples': ('1', '2'),
    'seed': ('0', '1', '2147483647')}

# Several latents, and graphs with mistakes.
_GRAPHS = (
    {'latents': 'z1:3,z2:2', 'inference': 'z1|x; z2|z1',
     'generative': 'z2; z1|z2; x|z1'},
    {'latents': 'z1:3,z2:2', 'inference': 'z2|x; z1|z2,x',
     'generative': 'z2; z1|z2; x|z1', 'merging': 'precision_weighted'},
    {'latents': 'z1:3,z2:2', 'inference': 'z1|x; z2|x',
     'generative': 'z1; z2; x|z1,z2'},
    {'latents': 'z1:2,z2:2', 'inference': 'z1|x,y; z2|z1,y',
     'generative': 'z2|y; z1|z2; x|z1,y'},
    *({'preset': name, 'latents': 'z1:3,z2:2' if 'z1' in parts['latents']
       else 'z:2'} for name, parts in PRESETS.items()),
    {'preset': 'ladder', 'latents': 'z1:3'},
    {'preset': 'vae', 'merging': 'precision_weighted'})

_NONSENSE = ('', ' ', 'nan', 'inf', '-inf', '-1', '0', '0.5', 'none', 'None',
             'auto', 'true', '1,2', ',', '1e', '0x10', 'ä', '\n', '%s', '{}',
             'z|', 'z;', '1e400', '1_0', '--', "'", '[:5]', 'train[:0]')
_LARGE_WHOLE = ('2147483647', '2147483648', '9223372036854775808')
_LARGE = ('1e30', '3e38', '1e39', '1e-46', '1e300')
# A large value would need that much time or memory, or a download.
_NEVER_LARGE = frozenset((
    'epochs', 'hidden_units', 'factor_units', 'prior_components',
    'posterior_components',
    'prior_spline_layers', 'prior_spline_bins', 'prior_spline_units',
    'posterior_spline_layers', 'posterior_spline_bins',
    'posterior_spline_units',
    'likelihood_components', 'importance_samples', 'eval_chunk',
    'eval_importance_samples', 'eval_ais_steps', 'eval_ais_chains',
    'eval_simulations'))
# Parts of the model or of its training that interact.
_MEETING = ('objective', 'posterior', 'prior', 'likelihood', 'network',
            'precision', 'optimizer', 'strategy', 'cache', 'binarization',
            'kl_warm_up', 'learning_rate_schedule', 'activation')


def write_sources(directory: str):
  """Writes folders of images, arrays and tables of a few rows.

  Args:
    directory: Directory that receives them; see `_SOURCES`.
  """
  rng = np.random.default_rng(0)
  y = np.arange(_ROWS) % 3
  for name, sizes in (('images', [8]), ('mixed', [7, 9, 12])):
    for i in range(_ROWS):
      folder = os.path.join(directory, name, 'abc'[y[i]])
      os.makedirs(folder, exist_ok=True)
      size = sizes[i % len(sizes)]
      Image.fromarray(rng.integers(256, size=[size, 8, 3], dtype=np.uint8)
                      ).save(os.path.join(folder, f'{i}.png'))
  weights = rng.random(_ROWS)
  np.savez(os.path.join(directory, 'bits.npz'), w=weights, y=y,
           x=rng.random([_ROWS, 6]) < 0.4)
  np.savez(os.path.join(directory, 'numbers.npz'), w=weights, y=y,
           x=rng.normal(10., 3., [_ROWS, 5]))
  table = pd.DataFrame({
      'size': rng.normal(size=_ROWS), 'price': rng.lognormal(size=_ROWS),
      'visits': rng.poisson(4., _ROWS), 'w': weights,
      'color': np.array(['red', 'green', 'blue'])[y],
      'day': pd.date_range('2024-01-01', periods=_ROWS).strftime('%Y-%m-%d')})
  table.to_parquet(os.path.join(directory, 'table.parquet'), index=False)
  recognized(table).save(os.path.join(directory, 'schema.json'))
  table.loc[::9, 'size'] = np.nan
  table.to_csv(os.path.join(directory, 'table.csv'), index=False)


def base(data_dir: str, dataset: str = 'digits') -> list[str]:
  """Returns the flags of a small run, to which the drawn flags are appended.

  Args:
    data_dir: Directory of TensorFlow Datasets and of `write_sources`.
    dataset: Key of `_SOURCES`.
  """
  small = _SMALL | _SOURCES[dataset]
  return _flags(
      small | {'data_dir': data_dir, 'dataset': dataset}, data_dir)


def _flags(drawn: dict[str, str], data_dir: str) -> list[str]:
  return [f'--{name}={text.replace("{sources}", data_dir)}'
          for name, text in drawn.items()]


def command_line(rng: random.Random, data_dir: str) -> list[str]:
  """Draws a command line; three of five have no value that is itself invalid.

  Args:
    rng: Random generator.
    data_dir: Directory of TensorFlow Datasets and of `write_sources`.
  """
  dataset = 'digits' if rng.random() < 0.4 else rng.choice(list(_SOURCES))
  drawn = dict(rng.choice(_GRAPHS)) if rng.random() < 0.3 else {}
  names = rng.sample(_MEETING, rng.randint(0, 3))
  names += rng.sample(sorted(FIELDS.keys() - {'data_dir'}), rng.randint(0, 4))
  for name in names:
    if name not in drawn and name not in ('preset', 'inference', 'generative'):
      _draw_valid(rng, name, drawn)
  if rng.random() < 0.4:
    for name in rng.sample(sorted(FIELDS), rng.choice((1, 1, 2))):
      _draw_needed(rng, name, drawn)
      drawn[name] = _wrong(rng, name)
  return [*base(data_dir, dataset), *_flags(drawn, data_dir)]


def _draw_needed(rng: random.Random, name: str, drawn: dict[str, str]):
  """Draws, in most cases, the settings on which a setting depends."""
  for other, values in FIELDS[name].metadata['only_with'].items():
    if drawn.get(other) not in values and rng.random() < 0.95:
      drawn[other] = rng.choice(list(values))


def _draw_valid(rng: random.Random, name: str, drawn: dict[str, str]):
  """Draws a value and the settings that it requires."""
  _draw_needed(rng, name, drawn)
  drawn[name] = rng.choice(_valid(name))
  if name == 'prior' and drawn[name] in ('mixture', 'vamp'):
    drawn.setdefault('prior_components', '3')  # The default is 100.


def _valid(name: str) -> tuple[str, ...]:
  """Returns values that are individually valid."""
  field = FIELDS[name]
  if name in _VALID:
    return _VALID[name]
  if choices_of(field):
    return choices_of(field)
  if field.type is bool:
    return ('true', 'false')
  bounds = field.metadata['bounds']
  numbers = [bound for kind, bound in bounds.items() if kind in (
      'at least', 'at most')]
  default = field.default
  if _is_whole(field):
    return tuple(str(n) for n in (
        *numbers, *(n + 1 for n in numbers), default) if n is not None)
  if 'below' in bounds:
    return tuple(map(str, (0.1, 0.5, 0.999)))
  return tuple(map(str, (*numbers, 0.01, 1.0, 3.5)[:3]))


def _wrong(rng: random.Random, name: str) -> str:
  """Returns a value at or beyond a bound, a large value, or nonsense."""
  field = FIELDS[name]
  bounds, choices = field.metadata['bounds'], choices_of(field)
  if choices and rng.random() < 0.5:
    return rng.choice((choices[0].upper(), 'nonsense', f'{choices[0]},'))
  if not bounds or rng.random() < 0.2:
    return rng.choice(_NONSENSE)
  step = 1 if _is_whole(field) else 1e-9
  texts = [flag_text(value) for bound in bounds.values()
           for value in (bound, bound - step, bound + step)]
  if name not in _NEVER_LARGE and rng.random() < 0.5:
    texts = _LARGE_WHOLE if _is_whole(field) else _LARGE
  return rng.choice(texts)


def _is_whole(field: dataclasses.Field) -> bool:
  return int in (field.type, *typing.get_args(field.type))
