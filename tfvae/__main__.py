"""The program: `python -m tfvae`, `tfvae-train` and `python train_main.py`."""

import errno
import gc
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
from tfvae.training.command_line.xla_cache import use_xla_cache
from tfvae.training.flag_names import as_flags
from tfvae.training.flag_names import FlagNames

_LOGGER = logging.getLogger('tfvae')

_DISK_REASONS = tuple(map(os.strerror, (
    errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)))


def main(argv: list[str]):
  """Runs the mode that the flags describe, and prints the test metrics."""
  # Shows the progress of tfvae; that of other libraries needs --verbosity=0.
  logging.getLogger('tfvae').setLevel(logging.INFO)
  absl_logging.get_absl_handler().addFilter(FlagNames())
  if not flags.FLAGS['verbosity'].present:
    absl_logging.set_verbosity(absl_logging.WARNING)
  workdir = flags.FLAGS.workdir
  try:
    if not workdir:
      raise ValueError('--workdir is required, such as --workdir=runs/digits')
    config = training.config_from_flags()
    if flags.FLAGS.xla_cache_dir:
      use_xla_cache(flags.FLAGS.xla_cache_dir)
    metrics = MODES[flags.FLAGS.mode](config, workdir)
  except (ValueError, FloatingPointError) as error:
    _fail(argv, str(error), 1)
  except OSError as error:
    _fail_on_disk(argv, error.filename or workdir, error.strerror or error)
  except training.TrainingInterruptedError as error:
    _fail(argv, str(error), training.REQUEUE_EXIT_CODE)
  except KeyboardInterrupt:
    _fail(argv, 'interrupted; the same command resumes from the last '
          'checkpoint', training.REQUEUE_EXIT_CODE)
  except (tf.errors.UnavailableError, tf.errors.AbortedError) as error:
    if flags.FLAGS.strategy != 'multi_worker':
      _fail(argv, 'another task is gone; the same command resumes the run '
            f'({error.message.splitlines()[-1]})', training.REQUEUE_EXIT_CODE)
    _LOGGER.warning('Another worker is gone. This one restarts, and resumes '
                    'from the last checkpoint when the other is back.')
    # A process can join a cluster only once.
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])
  except tf.errors.OpError as error:
    # TensorFlow writes TensorBoard's files; its errors have no error number.
    reasons = [text for text in _DISK_REASONS if text in error.message]
    if not reasons:
      if flags.FLAGS.xla_cache_dir:
        _LOGGER.error('A damaged file in --xla_cache_dir can be the reason; '
                      'run again without it.')
      raise
    _fail_on_disk(argv, workdir, reasons[0])
  for name, value in metrics.get('test', {}).items():
    if not isinstance(value, dict):  # Parts by latent are in the file.
      print(f'test {name}: {_text(value)}')
  if metrics:
    print(f'Results are in {workdir}.')


def _text(value: object) -> str:
  if value is None:  # NaN, which is null in JSON.
    return 'not available'
  return f'{value:.2f}' if isinstance(value, float) else str(value)


def _fail_on_disk(argv: list[str], path: str, reason: object):
  _fail(argv, f'{path}: {reason}; the files saved before are complete. Free '
        'some space, or choose another --workdir; the same command resumes', 1)


def _fail(argv: list[str], message: str, code: int):
  # Needs --verbosity=1.
  absl_logging.debug('Traceback:', exc_info=True)
  print(f'{program_name(argv[0])}: error: {as_flags(message)}',
        file=sys.stderr)
  sys.exit(code)


def run():
  """Parses the command line and runs `main`; does not return."""
  # During the training a callback handles the signal, and saves the state.
  signal.signal(signal.SIGTERM,
                lambda *_: sys.exit(training.REQUEUE_EXIT_CODE))
  training.define_flags()
  # Imported objects stay, and visiting them in each collection would take a
  # tenth of the time in which TensorFlow traces.
  gc.freeze()
  gc.set_threshold(50_000, 20, 20)
  app.run(main, flags_parser=training.parse_flags)


if __name__ == '__main__':
  run()
