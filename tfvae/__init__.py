"""Variational autoencoders from graphical models, for TensorFlow and Keras.

The import registers all layers, priors, regularizers, losses, schedules and
models with `tf_keras`, so that `.keras` files load in safe mode. The rooms
`tfvae.anomaly`, `tfvae.data`, `tfvae.evaluation`, `tfvae.prediction`,
`tfvae.report`, `tfvae.serving` and `tfvae.training` are imported at their first
use.
"""

import importlib
import os
import sys
from types import ModuleType

# The program, but not the library, hides the start-up messages of TensorFlow,
# and makes `tf.keras` the Keras that tfvae has, as TensorFlow would otherwise
# import Keras 3 as well, a second of the start. Variables that are set stay.
# TensorFlow reads them in its import, and is inconsistent if they change later.
if 'tensorflow' not in sys.modules and (
    os.path.basename(sys.argv[0]) in ('train_main.py', 'tfvae-train') or (
        sys.argv[0] == '-m' and {'tfvae', 'tfvae.pipelines.encode'}
        .intersection(sys.orig_argv))):  # python -m tfvae
  os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')
  os.environ.setdefault('TF_USE_LEGACY_KERAS', '1')

from tfvae import autograph
from tfvae import inference
from tfvae import layers
from tfvae import learning_rates
from tfvae import losses
from tfvae import models
from tfvae import objectives
from tfvae import priors
from tfvae import regularizers
from tfvae import schedules
from tfvae.losses import NegativeLogLikelihood
from tfvae.models import VAE
from tfvae.regularizers import KLDivergenceRegularizer

__version__ = '0.1.0'

autograph.leave_out_this_package()

__all__ = [
    'KLDivergenceRegularizer',
    'NegativeLogLikelihood',
    'VAE',
    'inference',
    'layers',
    'losses',
    'models',
    'objectives',
    'priors',
    'regularizers',
    'schedules',
]

_ON_DEMAND = ('anomaly', 'data', 'evaluation', 'prediction', 'report',
              'serving', 'training')


def __getattr__(name: str) -> ModuleType:
  if name in _ON_DEMAND:
    return importlib.import_module(f'tfvae.{name}')
  raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
