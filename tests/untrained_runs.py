"""Finished runs of models that are not trained, which are made in a second."""

import os

from tfvae.training import Config
from tfvae.training import workdir as workdir_lib
from tfvae.training.fit import fitting
from tfvae.training.fit.images import load_images
from tfvae.training.workdir import flags_file


def make_run(workdir, **settings):
  """Makes the files of a run; returns its model, settings and data."""
  config = Config(**dict(latents='z:2', hidden_units=(8,), jit='false')
                  | settings)
  images = load_images(config)
  model = fitting.build(config, images)
  os.makedirs(workdir)
  flags_file.write_flags(workdir, config)
  workdir_lib.write_training(workdir, {})
  model.save(os.path.join(workdir, workdir_lib.MODEL_FILE))
  return model, config, images
