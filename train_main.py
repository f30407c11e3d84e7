"""Trains and evaluates a variational autoencoder.

Kept short: everything it does is in `tfvae.training`, where it is tested.
"""

import logging
import os
import sys

# TensorFlow's C++ start-up messages; set the variable yourself to see them.
os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')

from absl import app  # noqa: E402
from absl import flags  # noqa: E402
from absl import logging as absl_logging  # noqa: E402

from tfvae import training  # noqa: E402


def main(argv: list[str]):
  """Runs what the flags describe and prints the test set's numbers."""
  del argv
  # Our own progress is shown, other libraries' only with --verbosity=0.
  logging.getLogger('tfvae').setLevel(logging.INFO)
  if not flags.FLAGS['verbosity'].present:
    absl_logging.set_verbosity(absl_logging.WARNING)
  workdir = flags.FLAGS.workdir
  try:
    if not workdir:
      raise ValueError('--workdir is required, such as --workdir=runs/digits')
    run = {'train': training.train_and_evaluate,
           'evaluate': training.evaluate_run,
           'report': training.report_run}[flags.FLAGS.mode]
    metrics = run(training.config_from_flags(), workdir)
  except (ValueError, FloatingPointError) as error:
    # The traceback is shown with --verbosity=1.
    absl_logging.debug('Traceback:', exc_info=True)
    sys.exit(f'train_main.py: error: {error}')
  for name, value in metrics['test'].items():
    print(f'test {name}: {value:.2f}' if isinstance(value, float)
          else f'test {name}: {value}')
  print(f'Results are in {workdir}.')


if __name__ == '__main__':
  training.define_flags()
  app.run(main, flags_parser=training.parse_flags)
