"""Program that writes the tables of `docs/benchmarks.md` from the results.

  python -m benchmarks.tables

A table is between `<!-- table: NAME -->` and `<!-- end of table -->`. The
function NAME of this module renders it from `results/NAME.json`. A table
without a result does not change.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
import json
import pathlib
import re
import statistics
from typing import Any

_ROOT = pathlib.Path(__file__).parents[1]
PAGE = _ROOT / 'docs' / 'benchmarks.md'
RESULTS = _ROOT / 'benchmarks' / 'results'

_BLOCK = re.compile(
    r'(?<=<!-- table: )(\w+) -->\n.*?(?=<!-- end of table -->)', re.DOTALL)

# Names of the peers in the tables.
_PEERS = {
    'tfvae': '**tfvae**, `train_main.py`',
    'hand_xla': 'by hand, an epoch in one XLA function',
    'hand_graph': 'by hand, an epoch in one graph',
    'keras3': "Keras 3's example",
    'keras3_graph_50': "Keras 3's example, no XLA, 50 steps per execution",
    'keras3_xla_50': "Keras 3's example, XLA, 50 steps per execution",
    'tfp': "TFP's notebook",
    'tfp_xla_50': "TFP's notebook, XLA, 50 steps, batches from memory",
    'jax': "JAX, Flax's example, a jitted step",
    'torch': "PyTorch's example",
    'torch_compile': "PyTorch's example, `torch.compile`, batches from memory",
    'pythae': 'pythae, with its `BaseTrainer`',
}
# Frameworks of the peers, whose versions a table shows.
_FRAMEWORKS = ('keras', 'jax', 'flax', 'torch', 'pythae')
# Methods that generate rows.
_METHODS = {
    'rows': 'the training rows',
    'tfvae': '**tfvae**, RealNVP prior',
    'tfvae_standard': 'tfvae, standard normal prior',
    'tvae': 'TVAE, CPU time of tfvae',
    'tvae_default': 'TVAE, 300 epochs',
    'independent': 'the training rows, columns shuffled',
}
# Methods that impute values, and the figures of each: the first key that a
# block has, and its decimals.
_IMPUTERS = {
    'tfvae': '**tfvae**', 'iterative': '`IterativeImputer`',
    'knn': '5 nearest neighbors', 'mean': 'mean, most frequent'}
_ERRORS = (
    (('normalized_rmse', 'rmse'), 3), (('normalized_crps', 'crps'), 3),
    (('accuracy',), 3), (('coverage_50',), 2), (('coverage_80',), 2),
    (('coverage_95',), 2), (('by_column',), 2), (('effective_sample_size',), 0))
# Methods that detect outliers.
_DETECTORS = {
    'elbo': '**tfvae**, `elbo`', 'fisher': '**tfvae**, `kl,elbo` by Fisher',
    'log_likelihood': '**tfvae**, `log_likelihood`',
    'surprise': '**tfvae**, `surprise`',
    'complexity': '**tfvae**, `complexity`',
    'isolation_forest': '`IsolationForest`',
    'local_outlier_factor': '`LocalOutlierFactor`',
    'pyod_vae_same': "pyod's `VAE`, network of tfvae",
    'pyod_vae': "pyod's `VAE`"}
_MODELS = {'mlp': 'MLP', 'conv': 'convolutions'}

# A table with fewer rounds or a higher load has a warning.
_ROUNDS, _IDLE_LOAD = 3, 0.5
_TRIAL = ('**Few rounds, or a machine with other load just before: the range '
          'shows the accuracy of a ratio.** ')

Row = dict[str, Any]


def training(result: dict[str, Any]) -> str:
  """Returns a table for each setting, with the fastest peer first."""
  tables = _about_peers(result)
  for setting, rows in _by_setting(
      result['training'], lambda row: -row['images_per_second']):
    bound = '−ELBO' if setting[2] == 1 else f'−L_{setting[2]}'
    tables.append(f'{_title(setting)}:\n\n' + _table(
        ['', 'images/s', 'relative to the limit', 'range', 'CPU µs/image',
         'peak MiB', 'first step, s', bound, 'KL'],
        [[_PEERS[row['peer']], _thousands(row['images_per_second']),
          *_ratio(row), f'{row["cpu_microseconds_per_image"]:.1f}',
          f'{row["peak_mebibytes"]:.0f}', f'{row["first_step_seconds"]:.1f}',
          *(f'{row[name]:.1f}' if name in row else '–'
            for name in ('negative_bound', 'kl'))] for row in rows]))
  return '\n'.join(tables)


def start_up(result: dict[str, Any]) -> str:
  """Returns a table of first steps for each setting, and one of whole jobs."""
  tables = _about_peers(result)[:1]
  for setting, rows in _by_setting(
      result['training'], lambda row: row['first_step_seconds']):
    tables.append(f'{_title(setting)}:\n\n' + _table(
        ['', 'first step, s', "relative to Keras 3's example",
         'relative to the loop', 'images/s', 'relative to the limit', 'range'],
        [[_PEERS[row['peer']], f'{row["first_step_seconds"]:.1f}',
          *(_with_range(row, name, 2)
            for name in ('first_step_to_keras3', 'first_step_to_hand')),
          _thousands(row['images_per_second']), *_ratio(row)]
         for row in rows]))
  tables.append('The whole job of `configs/digits.flags`:\n\n' + _table(
      ['', 'seconds', 'tfvae relative to it', 'range', '−ELBO'],
      [[_PEERS[row['peer']], f'{row["seconds"]:.1f}', *_ratio(row),
        f'{row["negative_bound"]:.1f}']
       for row in sorted(result['whole_job'],
                         key=lambda row: row['seconds'])]))
  return '\n'.join(tables)


def _by_setting(rows: Iterable[Row], key: Callable[[Row], float]
                ) -> Iterator[tuple[tuple[Any, ...], list[Row]]]:
  """Yields each setting, in the order of the rows, and its sorted rows."""
  found = {}
  for row in rows:
    found.setdefault(_setting(row), []).append(row)
  for setting, own in found.items():
    yield setting, sorted(own, key=key)


def _about_peers(result: dict[str, Any]) -> list[str]:
  """Returns lines with the versions of the peers and with omitted peers."""
  versions = {name: version for own in result.get('peer_versions', {}).values()
              for name, version in own.items() if name in _FRAMEWORKS}
  absent = [name for peer, name in _PEERS.items()
            if all(row['peer'] != peer for row in result['training'])]
  return [f'{title}: {"; ".join(items)}.\n' for title, items in (
      ('Versions', [f'{name} {version}' for name, version in versions.items()]),
      ('Left out of this run', absent)) if items]


def training_settings(result: dict[str, Any]) -> str:
  """Returns a row per setting; cells are ratios to the fastest fixed one."""
  choices, settings = [], {}
  for row in result['settings']:
    choice = row['jit'], row['steps_per_execution']
    if choice not in choices:
      choices.append(choice)
    settings.setdefault(_setting(row), {})[choice] = row
  lines = []
  for setting, rows in settings.items():
    fastest = max((row for choice, row in rows.items() if choice[0] != 'auto'),
                  key=lambda row: row['images_per_second'])
    lines.append([_title(setting), _thousands(fastest['images_per_second']),
                  *(f'{rows[choice]["ratio"]:.2f}' for choice in choices)])
  return _table(
      ['', 'images/s of the fastest fixed setting', *(
          'auto' if jit == 'auto' else
          f'{"XLA" if jit == "true" else "graph"}, {steps}'
          for jit, steps in choices)], lines)


def scaling(result: dict[str, Any]) -> str:
  """Returns a row per number of workers and cores."""
  return _table(
      ['', 'batch', 'workers', 'cores per worker', 'images/s', 'ratio',
       'range'],
      [[_MODELS[row['model']], str(row['batch_size']), str(row['workers']),
        str(row['cores_per_worker']), _thousands(row['images_per_second']),
        *_ratio(row)] for row in result['scaling']])


def resume(result: dict[str, Any]) -> str:
  """Returns a table of checkpoints and a table of start times."""
  checkpoints = _table(
      ['checkpoints', 'images/s', 'ratio', 'range', 'ms per checkpoint',
       'MB per checkpoint'],
      [[f'every {row["every_steps"]} steps' if row['every_steps']
        else 'at the ends of epochs', _thousands(row['images_per_second']),
        *_ratio(row),
        f'{1e3 * row["checkpoint_seconds"]:.0f}'
        if 'checkpoint_seconds' in row else '–',
        f'{row["checkpoint_bytes"] / 1e6:.1f}']
       for row in result['checkpoints']])
  start = result['start']
  return checkpoints + '\n' + _table(
      ['from the start of the process to the first step', 'seconds', 'ratio',
       'range'],
      [['new run', f'{start["fresh_seconds"]:.1f}', '1', ''],
       ['resumed after SIGKILL', f'{start["resumed_seconds"]:.1f}',
        *_ratio(start)]])


def selection(result: dict[str, Any]) -> str:
  """Returns a row per objective: the kept epochs and their figures."""
  rules = ('objective', 'elbo', 'last')
  return _table(
      ['', *(f'epoch by {rule}' for rule in rules),
       *(f'objective, by {rule}' for rule in rules),
       *(f'reconstruction, by {rule}' for rule in rules)],
      [[row['name'], *(str(row[rule]['epoch']) for rule in rules),
        *(f'{row[rule]["objective"]:.2f}' for rule in rules),
        *(f'{row[rule]["reconstruction"]:.2f}' for rule in rules)]
       for row in result['selection']])


def gradients(result: dict[str, Any]) -> str:
  """Returns a row per graph and epoch: ratios of variances."""
  columns = ('stl, q', 'dreg, K=5, q', 'dreg, K=50, q', 'gdreg, K=5, prior',
             'gdreg, K=50, prior')
  return _table(
      ['', 'epochs', *columns],
      [[row['graph'], str(row['epochs']),
        *(f'{row[column]:.2f}' for column in columns)]
       for row in result['gradients']])


def table_samples(result: dict[str, Any]) -> str:
  """Returns a table of scores for each set of data."""
  versions = '; '.join(f'{name} {result["versions"][name]}'
                       for name in ('ctgan', 'sdmetrics', 'torch'))
  lines = [f'Versions: {versions}. Trainings per method: '
           f'{result["trainings"]}.\n']
  rows = result['table_samples']
  for data in dict.fromkeys(row['data'] for row in rows):
    own = [row for row in rows if row['data'] == data]
    count = own[0]['rows']
    lines.append(
        f'{data}, {count["train"]:,} training rows and {count["test"]:,} test '
        'rows:\n\n' + _table(
            ['', 'overall', 'column shapes', 'pair trends',
             'pair trends, common bins', 'overall, rounded',
             'overall, training rows', 'NLL', 'epochs', 'CPU s'],
            [[_METHODS[row['method']],
              *(_with_range(row, name, 3) for name in (
                  'test_overall', 'test_shapes', 'test_trends',
                  'test_trends_common_bins', 'rounded_overall',
                  'train_overall')),
              _with_range(row, 'nll', 2),
              *(f'{row[name]:,.0f}' if name in row else '–'
                for name in ('epochs', 'cpu_seconds'))] for row in own]))
  return '\n'.join(lines)


def imputation(result: dict[str, Any]) -> str:
  """Returns a table of errors and coverages for each set of data and mask."""
  lines = []
  for entry in result['imputation']:
    rounds = entry['by_round']
    count = rounds[0]['rows']
    title = f'**{entry["data"]}**' + (
        f', {count["train"]:,} training rows and {count["test"]:,} test rows'
        if count else '')
    rows = []
    for mask in (name for name, part in rounds[0]['imputation'].items()
                 if isinstance(part, dict) and 'cells' in part):
      parts = [found['imputation'][mask] for found in rounds]
      for method, name in _IMPUTERS.items():
        own = parts if method == 'tfvae' else [
            part['baselines'].get(method, {}) for part in parts]
        rows.append([mask, name, *(
            _median(own, keys, decimals) for keys, decimals in _ERRORS)])
    trainings = 'training' if len(rounds) == 1 else 'trainings'
    lines.append(f'{title}; {len(rounds)} {trainings}, `{entry["command"]}`:'
                 '\n\n' + _table(
        ['hidden', '', 'RMSE', 'CRPS', 'accuracy', 'in 50 %', 'in 80 %',
         'in 95 %', 'in 95 %, by column', 'effective draws'], rows))
  return '\n'.join(lines)


def anomalies(result: dict[str, Any]) -> str:
  """Returns a table of detectors for each set of data, and of random splits."""
  versions = '; '.join(
      f'{name} {version}' for name, version in result['peer_versions'].items())
  lines = [f'Versions of the peers: {versions or "pyod left out"}.\n']
  for entry in result['anomalies']:
    rounds, count = entry['by_round'], entry['rows']
    trainings = 'training' if len(rounds) == 1 else 'trainings'
    rows = [[name, *(_median([found[method] for found in rounds], (key,), 3)
                     for key in ('auroc', 'detected', 'false_alarms')),
             f'{rounds[0][method]["expected"]:.3f}',
             '-'.join(f'{end:.3f}' for end in rounds[0][method]['interval'])]
            for method, name in _DETECTORS.items() if method in rounds[0]]
    lines.append(
        f'**{entry["data"]}**, {count["train"]:,} training, '
        f'{count["calibration"]:,} calibration and {count["test"]:,} test rows '
        f'and {count["outliers"]:,} outliers; α = {entry["rate"]:g}; '
        f'{len(rounds)} {trainings}:\n\n' + _table(
            ['', 'area under the ROC curve', 'outliers detected',
             'false alarms', 'expected', 'in 95 % of splits'], rows))
  if 'random_splits' in result:
    first = result['random_splits'][0]
    lines.append(
        f'**{first["splits"]} random splits** of {first["calibration_rows"]:,} '
        f'calibration and {first["test_rows"]:,} test rows of fashion_mnist, '
        '`elbo`:\n\n' + _table(
            ['α', 'expected rate', 'mean share of false alarms',
             '95 % interval of the mean', '95 % interval of a split',
             'splits within it'],
            [[f'{row["rate"]:g}', f'{row["expected"]:.5f}',
              f'{row["mean"]:.5f}',
              *('-'.join(f'{end:.5f}' for end in row[key])
                for key in ('mean_interval', 'interval')),
              f'{row["splits_in_interval"]:.1%}']
             for row in result['random_splits']]))
  return '\n'.join(lines)


def _median(parts: Sequence[dict[str, Any]], keys: Sequence[str],
            decimals: int) -> str:
  """Returns median and range of the first key that the parts have."""
  if keys == ('by_column',):
    found = [column['coverage_95'] for part in parts
             for column in part.get('by_column', {}).values()
             if 'coverage_95' in column]
    return f'{min(found):.2f} to {max(found):.2f}' if found else '–'
  for key in keys:
    found = [part[key] for part in parts if key in part]
    if found:
      median = f'{statistics.median(found):.{decimals}f}'
      return median if len(found) < 2 else (
          f'{median} ({min(found):.{decimals}f}-{max(found):.{decimals}f})')
  return '–'


TABLES: dict[str, Callable[[dict[str, Any]], str]] = {
    function.__name__: function
    for function in (training, start_up, training_settings, scaling, resume,
                     selection, gradients, table_samples, imputation,
                     anomalies)}


def load(name: str) -> dict[str, Any] | None:
  """Returns a committed result, or None if there is none."""
  path = RESULTS / f'{name}.json'
  return json.loads(path.read_text('utf-8')) if path.exists() else None


def render(text: str) -> str:
  """Returns a page with its tables rendered again."""
  def block(match):
    result = load(match[1])
    if result is None:
      return match[0]
    return f'{match[1]} -->\n{_source(result)}\n\n{TABLES[match[1]](result)}\n'

  return _BLOCK.sub(block, text)


def _source(result: dict[str, Any]) -> str:
  versions, machine = result['versions'], result['machine']
  if 'rounds' not in result:  # A result without timings.
    command = f'`{result["command"]}`; ' if 'command' in result else ''
    return f'{command}TensorFlow {versions["tensorflow"]}.'
  is_trial = (result['rounds'] < _ROUNDS
              or machine['load_average_at_start'] > _IDLE_LOAD)
  return (_TRIAL * is_trial
          + f'`{result["command"]}` on {machine["cores"]} cores of an '
          f'{machine["cpu"]}, load {machine["load_average_at_start"]:.1f} at '
          f'the start; TensorFlow {versions["tensorflow"]}; rounds: '
          f'{result["rounds"]}.')


def _setting(row: Row) -> tuple[Any, ...]:
  return row['model'], row['batch_size'], row['importance_samples']


def _title(setting: tuple[Any, ...]) -> str:
  model, batch_size, samples = setting
  k = f', K = {samples}' if samples > 1 else ''
  return f'{_MODELS[model]}, batch {batch_size}{k}'


def _ratio(row: Row) -> list[str]:
  if 'ratio' not in row:
    return ['–', '–']
  low, high = row['ratio_range']
  return [f'{row["ratio"]:.2f}', f'{low:.2f}-{high:.2f}']


def _with_range(row: Row, name: str, decimals: int) -> str:
  """Returns the median of a measurement, and its range if there is one."""
  if name not in row:
    return '–'
  value, *limits = (
      f'{number:.{decimals}f}' for number in (row[name], *row[f'{name}_range']))
  return value if limits == [value] * 2 else f'{value} ({"-".join(limits)})'


def _thousands(value: float) -> str:
  """Returns a number with three significant digits."""
  return f'{float(f"{value:.3g}"):,.0f}' if value >= 100 else f'{value:.3g}'


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
  lines = [header, ['---'] * len(header), *rows]
  return ''.join(f'| {" | ".join(line)} |\n' for line in lines)


def main():
  """Rewrites the page."""
  PAGE.write_text(render(PAGE.read_text('utf-8')), 'utf-8')


if __name__ == '__main__':
  main()
