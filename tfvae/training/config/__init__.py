"""Settings of a run, in seven groups."""

from tfvae.training.config.anomaly import AnomalyConfig
from tfvae.training.config.config import Config
from tfvae.training.config.config import FIELDS
from tfvae.training.config.config import GROUPS
from tfvae.training.config.data import DataConfig
from tfvae.training.config.evaluation import EvaluationConfig
from tfvae.training.config.model import ModelConfig
from tfvae.training.config.prediction import PredictionConfig
from tfvae.training.config.serving import ServingConfig
from tfvae.training.config.training import TrainingConfig

__all__ = [
    'AnomalyConfig',
    'Config',
    'DataConfig',
    'EvaluationConfig',
    'FIELDS',
    'GROUPS',
    'ModelConfig',
    'PredictionConfig',
    'ServingConfig',
    'TrainingConfig',
]
