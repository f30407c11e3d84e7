"""Runs: settings, training, and what is left in the workdir."""

from tfvae.training.callbacks.interruption import REQUEUE_EXIT_CODE
from tfvae.training.callbacks.interruption import TrainingInterruptedError
from tfvae.training.command_line import config_from_flags
from tfvae.training.command_line import define_flags
from tfvae.training.command_line import parse_flags
from tfvae.training.config import AnomalyConfig
from tfvae.training.config import Config
from tfvae.training.config import DataConfig
from tfvae.training.config import EvaluationConfig
from tfvae.training.config import ModelConfig
from tfvae.training.config import PredictionConfig
from tfvae.training.config import ServingConfig
from tfvae.training.config import TrainingConfig
from tfvae.training.results.data_page import write_data_page
from tfvae.training.results.detection import calibrate_run
from tfvae.training.results.detection import detect_run
from tfvae.training.results.monitoring import monitor_run
from tfvae.training.results.predictions import encode_run
from tfvae.training.results.predictions import score_run
from tfvae.training.train import evaluate_run
from tfvae.training.train import export_run
from tfvae.training.train import impute_run
from tfvae.training.train import report_run
from tfvae.training.train import sample_run
from tfvae.training.train import train_and_evaluate
from tfvae.training.workdir.schema_file import write_schema

__all__ = [
    'AnomalyConfig',
    'Config',
    'DataConfig',
    'EvaluationConfig',
    'ModelConfig',
    'PredictionConfig',
    'REQUEUE_EXIT_CODE',
    'ServingConfig',
    'TrainingConfig',
    'TrainingInterruptedError',
    'calibrate_run',
    'config_from_flags',
    'define_flags',
    'detect_run',
    'encode_run',
    'evaluate_run',
    'export_run',
    'monitor_run',
    'parse_flags',
    'report_run',
    'sample_run',
    'score_run',
    'train_and_evaluate',
    'write_data_page',
    'write_schema',
]
