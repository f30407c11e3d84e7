"""Settings of a run."""

from tfvae.training.config.config import Config
from tfvae.training.config.config import EVALUATIONS

__all__ = [
    'Config',
    'EVALUATIONS',
]
