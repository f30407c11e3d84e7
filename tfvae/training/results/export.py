"""Export of the model of a run, with its detector if it has one."""

from collections.abc import Sequence
import logging
import os

from tfvae import data
from tfvae.anomaly import Detector
from tfvae.models import LatentVariableModel
from tfvae.serving import export_saved_model
from tfvae.serving import ImageInput
from tfvae.training.config import Config
from tfvae.training.config import FIELDS
from tfvae.training.fit.images import has_image_files
from tfvae.training.results.use import DETECTOR_FILE

_LOGGER = logging.getLogger(__name__)

EXPORT_DIRECTORY = 'export'


def export_model(model: LatentVariableModel, config: Config,
                 workdir: str, label_names: Sequence[str] | None) -> str:
  """Exports the model of a run as the next version, and returns its path.

  Args:
    model: Trained model.
    config: Settings of the run.
    workdir: Directory of the run. Where it was calibrated, the export has the
      signature `detect`.
    label_names: Names of the classes of a conditional model.
  """
  serving, image_input = config.serving, None
  if has_image_files(config, model.likelihood_layer().event_shape):
    form = data.ImageFormat.of(
        resize=config.data.resize, background=config.data.background)
    image_input = ImageInput(form.resize, form.background_color)
  path = os.path.join(workdir, DETECTOR_FILE)
  path = export_saved_model(
      model, serving.export_dir or os.path.join(workdir, EXPORT_DIRECTORY),
      keep=serving.export_keep, image_input=image_input,
      imputation_draws=serving.imputation_draws,
      importance_samples=config.evaluation.eval_importance_samples,
      refine_steps=serving.refine_steps,
      detector=Detector.load(path, model) if os.path.exists(path) else None,
      label_names=label_names, settings={
          # Without paths of this machine.
          name: text for name, text in config.to_flags().items()
          if FIELDS[name].metadata['changes_result']})
  _LOGGER.info('Exported to %s.', path)
  return path
