"""The program: `python -m tfvae`, `tfvae-train` and `python train_main.py`."""

import errno
import logging
import os
import signal
import sys

from absl import app
from absl import flags
from absl import logging as absl_logging
import tensorflow as tf

from tfvae import training
from tfvae.training.command_line import MODES
from tfvae.training.command_line import program_name

_LOGGER = logging.getLogger('tfvae')

_DISK_REASONS = tuple(map(os.strerror, (
    errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)))


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
    _fail(argv, str(error), 1)
  except OSError as error:
    _fail_on_disk(argv, error.filename or workdir, error.strerror or error)
  except training.TrainingInterruptedError as error:
    _fail(argv, str(error), training.REQUEUE_EXIT_CODE)
  except KeyboardInterrupt:
    _fail(argv, 'interrupted; the same command goes on from the last '
          'checkpoint', training.REQUEUE_EXIT_CODE)
  except (tf.errors.UnavailableError, tf.errors.AbortedError) as error:
    if flags.FLAGS.strategy != 'multi_worker':
      _fail(argv, 'another task is gone; the same command goes on '
            f'({error.message.splitlines()[-1]})', training.REQUEUE_EXIT_CODE)
    _LOGGER.warning('Another worker is gone. This one begins again from the '
                    'last checkpoint, when that is back.')
    # TensorFlow joins a cluster once in the life of a process.
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])
  except tf.errors.OpError as error:
    # TensorFlow writes the files of TensorBoard, and its errors have no number.
    reasons = [text for text in _DISK_REASONS if text in error.message]
    if not reasons:
      raise
    _fail_on_disk(argv, workdir, reasons[0])
  for name, value in metrics.get('test', {}).items():
    if not isinstance(value, dict):  # Parts by latent are in the file.
      print(f'test {name}: {_text(value)}')
  if metrics:
    print(f'Results are in {workdir}.')


def _text(value: object) -> str:
  if value is None:  # A NaN, null in JSON.
    return 'not available'
  return f'{value:.2f}' if isinstance(value, float) else str(value)


def _fail_on_disk(argv: list[str], path: str, reason: object):
  _fail(argv, f'{path}: {reason}; what was saved before is whole. Free some '
        'space, or choose another --workdir; the same command goes on', 1)


def _fail(argv: list[str], message: str, code: int):
  # The traceback is shown with --verbosity=1.
  absl_logging.debug('Traceback:', exc_info=True)
  print(f'{program_name(argv[0])}: error: {message}', file=sys.stderr)
  sys.exit(code)


def run():
  """Parses the command line and runs `main`; does not return."""
  # Before and after the training itself, which saves its state first.
  signal.signal(signal.SIGTERM,
                lambda *_: sys.exit(training.REQUEUE_EXIT_CODE))
  training.define_flags()
  app.run(main, flags_parser=training.parse_flags)


if __name__ == '__main__':
  run()
