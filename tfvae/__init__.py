"""tfvae: from a graphical model to a trained, measured and served VAE.

Importing it registers every layer, prior, regularizer, loss, schedule and model
with `tf_keras`, so that `.keras` files load in safe mode afterwards. The rooms
`tfvae.data`, `tfvae.evaluation`, `tfvae.report`, `tfvae.serving` and
`tfvae.training` are imported when they are first used.
"""

import importlib
import os
import sys
from types import ModuleType

# Of the program, not where it is a library: TensorFlow's C++ start-up messages
# are left out, unless the variable is set. TensorFlow reads it once, below.
if os.path.basename(sys.argv[0]) in ('train_main.py', 'tfvae-train') or (
    sys.argv[0] == '-m' and 'tfvae' in sys.orig_argv):  # python -m tfvae
  os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')

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

__all__ = [
    'KLDivergenceRegularizer',
    'NegativeLogLikelihood',
    'VAE',
    'layers',
    'losses',
    'models',
    'objectives',
    'priors',
    'regularizers',
    'schedules',
]

_ON_DEMAND = ('data', 'evaluation', 'report', 'serving', 'training')


def __getattr__(name: str) -> ModuleType:
  if name in _ON_DEMAND:
    return importlib.import_module(f'tfvae.{name}')
  raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
