"""Finished runs of models that are not trained, made in a second, and data."""

import os

import pandas as pd
from sklearn import datasets

from tfvae.training import Config
from tfvae.training import workdir as workdir_lib
from tfvae.training.fit import fitting
from tfvae.training.fit.images import load_images
from tfvae.training.workdir import flags_file


def wine_frame():
  """Returns 178 named rows of a number, a category and a boolean."""
  frame = datasets.load_wine(as_frame=True).frame
  return pd.DataFrame({
      'name': [f'wine {i}' for i in range(len(frame))],
      'alcohol': frame['alcohol'],
      'class': frame['target'].map({0: 'a', 1: 'b', 2: 'c'}),
      'is dry': frame['hue'] > 1})


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
