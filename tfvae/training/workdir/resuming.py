"""Whether a run may start or resume in a directory."""

from collections.abc import Iterator
import contextlib
import logging
import os
from typing import Any

from tfvae.lock import held
from tfvae.training.config import Config
from tfvae.training.results.json_files import read_json
from tfvae.training.workdir import content
from tfvae.training.workdir import flags_file

_LOGGER = logging.getLogger(__name__)

# Settings of the evaluation that training depends on: the batches and the bits
# of the validation images, which decide the best epoch.
_VALIDATION = ('eval_batch_size', 'eval_seed')


@contextlib.contextmanager
def prepared(workdir: str, config: Config,
             writes: bool = True) -> Iterator[dict[str, Any] | None]:
  """Creates and locks the directory, or checks that a run may resume there.

  The settings of the evaluation may differ from those of the run, except
  `eval_batch_size` and `eval_seed`, which training depends on.

  Args:
    workdir: Directory of the run; missing parents are created.
    config: Settings of the run, written to `flags.txt` in a new directory, and
      again if an unfinished run receives other evaluations.
    writes: Whether this process writes the files (the chief only).

  Yields:
    The metrics if the run is finished, else None.

  Raises:
    ValueError: If the directory cannot be created or written, holds a run with
      other settings, or is in use by another process.
  """
  if not writes:
    yield read_json(os.path.join(workdir, content.METRICS_FILE))
    return
  try:
    os.makedirs(workdir, exist_ok=True)
  except OSError as error:
    raise _unwritable(workdir, error) from error
  with held(workdir):
    finished, is_new = None, not os.path.exists(
        os.path.join(workdir, flags_file.FLAGS_FILE))
    if not is_new:
      flags_file.check_same(workdir, config, fixed=_VALIDATION)
      finished = read_json(os.path.join(workdir, content.METRICS_FILE))
    other = [] if is_new else flags_file.differences(workdir, config)
    if finished is not None and other:
      _LOGGER.warning(
          'The run in %s is finished and was evaluated with other settings; '
          'compute other evaluations by `evaluate_run`:\n%s', workdir,
          '\n'.join(other))
    elif is_new or other:
      try:
        flags_file.write_flags(workdir, config)
      except OSError as error:
        raise _unwritable(workdir, error) from error
    yield finished


def trained_metrics(workdir: str, config: Config) -> dict[str, Any]:
  """Returns the metrics of a run whose training is finished.

  Args:
    workdir: Directory of the run.
    config: Settings of the run; those of the evaluation may differ, except
      `eval_seed`, which all figures of a run share.

  Returns:
    The content of `metrics.json`; before it is written, the metrics of the
    training: `best_epoch`, `parameters`, `seconds` and `versions`.

  Raises:
    ValueError: If there is no such run, or its settings differ.
  """
  metrics = read_json(os.path.join(workdir, content.METRICS_FILE))
  if metrics is None:
    if not os.path.exists(os.path.join(workdir, content.MODEL_FILE)):
      raise ValueError('The workdir holds no finished run; train one there, or '
                       'resume the one there, by `train_and_evaluate`. '
                       f'Received: workdir={workdir}')
    metrics = read_json(os.path.join(workdir, content.TRAINING_FILE)) or {}
  flags_file.check_same(workdir, config, fixed=('eval_seed',))
  return metrics


def _unwritable(workdir: str, error: OSError) -> ValueError:
  return ValueError(f'Cannot write to the workdir: {error.strerror}; choose '
                    f'another `workdir`. Received: workdir={workdir}')
