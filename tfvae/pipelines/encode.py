r"""A pipeline that encodes or scores a data lake by an exported model.

  python -m tfvae.pipelines.encode --model=runs/digits/export/1 \
      --input='data/*.parquet' --id_key=id --output=codes --runner=DirectRunner

`--output` receives Parquet files with a row for each row of the input, and
`failed-*.jsonl` with the rows that have no result. Other flags are options of
Beam. `docs/scaling.md` has the details.
"""

import argparse
from collections.abc import Sequence
import logging
import sys

_TASKS = ('encode', 'score')
_DESCRIPTION = __doc__.split('\n', 1)[0]


def flag_parser() -> argparse.ArgumentParser:
  """Returns the parser of the flags of the program."""
  parser = argparse.ArgumentParser(
      prog='python -m tfvae.pipelines.encode', description=_DESCRIPTION,
      epilog='Other flags are options of Beam, such as --runner.',
      allow_abbrev=False)
  add = parser.add_argument
  add('--model', required=True,
      help='version of an export, such as runs/digits/export/1')
  add('--input', required=True,
      help='pattern of .parquet, .csv, .tfrecord or image files')
  add('--output', required=True, help='new directory of the results')
  add('--task', choices=_TASKS, default='encode', help='signature that is run')
  add('--log_likelihood', action='store_true',
      help='also runs the signature log_likelihood')
  add('--id_key', help='column or feature of the ids; not for images')
  add('--eval_seed', type=int, default=0,
      help='seed of the draws, with the id of the row')
  add('--min_batch_size', type=int, default=256,
      help='smallest batch of Beam, except for the last of a bundle')
  add('--max_batch_size', type=int, default=1024, help='largest batch of Beam')
  return parser


def parse_flags(arguments: Sequence[str]
                ) -> tuple[argparse.Namespace, list[str]]:
  """Returns the flags of the program, and the options of Beam."""
  parser = flag_parser()
  flags, options = parser.parse_known_args(arguments)
  if not 0 <= flags.eval_seed < 2**31:
    parser.error('--eval_seed must be from 0 to 2147483647. Received: '
                 f'{flags.eval_seed}')
  if not 1 <= flags.min_batch_size <= flags.max_batch_size:
    parser.error('--min_batch_size must be from 1 to --max_batch_size. '
                 f'Received: {flags.min_batch_size}, {flags.max_batch_size}')
  return flags, options


def main(arguments: Sequence[str]) -> int:
  """Runs the pipeline, and returns the exit code."""
  flags, options = parse_flags(arguments)
  try:
    from tfvae.pipelines import job  # Needs Beam.
  except ModuleNotFoundError as error:
    return _fail(f'{error}; pip install "tfvae[beam]"')
  try:
    counts = job.run(flags, options)
  except (ValueError, OSError, RuntimeError) as error:
    return _fail(error)
  if counts is None:
    print(f'Results are in {flags.output}; the runner reports no counts.')
    return 0
  rows, failed = counts
  print(f'{rows} rows are in {flags.output}/part-*.parquet')
  reasons = f'; {flags.output}/failed-*.jsonl has the reasons' if failed else ''
  print(f'{failed} rows failed{reasons}')
  return 1 if failed and not rows else 0


def _fail(message: object) -> int:
  logging.debug('Traceback:', exc_info=True)
  print(f'python -m tfvae.pipelines.encode: error: {message}', file=sys.stderr)
  return 1


if __name__ == '__main__':
  sys.exit(main(sys.argv[1:]))
