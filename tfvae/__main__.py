"""The program: `python -m tfvae`, `tfvae-train` and `python train_main.py`."""

import logging
import sys

from absl import app
from absl import flags
from absl import logging as absl_logging

from tfvae import training
from tfvae.training.command_line import MODES
from tfvae.training.command_line import program_name


def main(argv: list[str]):
  """Runs what the flags describe and prints the test set's numbers."""
  # Our own progress is shown, other libraries' only with --verbosity=0.
  logging.getLogger('tfvae').setLevel(logging.INFO)
  if not flags.FLAGS['verbosity'].present:
    absl_logging.set_verbosity(absl_logging.WARNING)
  workdir = flags.FLAGS.workdir
  try:
    if not workdir:
      raise ValueError('--workdir is required, such as --workdir=runs/digits')
    metrics = MODES[flags.FLAGS.mode](training.config_from_flags(), workdir)
  except (ValueError, FloatingPointError) as error:
    # The traceback is shown with --verbosity=1.
    absl_logging.debug('Traceback:', exc_info=True)
    sys.exit(f'{program_name(argv[0])}: error: {error}')
  for name, value in metrics['test'].items():
    print(f'test {name}: {value:.2f}' if isinstance(value, float)
          else f'test {name}: {value}')
  print(f'Results are in {workdir}.')


def run():
  """Parses the command line and runs `main`; does not return."""
  training.define_flags()
  app.run(main, flags_parser=training.parse_flags)


if __name__ == '__main__':
  run()
