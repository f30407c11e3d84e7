"""Runs: settings, training, and what is left in the workdir."""

from tfvae.training.callbacks.interruption import REQUEUE_EXIT_CODE
from tfvae.training.callbacks.interruption import TrainingInterruptedError
from tfvae.training.command_line import config_from_flags
from tfvae.training.command_line import define_flags
from tfvae.training.command_line import parse_flags
from tfvae.training.config import Config
from tfvae.training.train import evaluate_run
from tfvae.training.train import export_run
from tfvae.training.train import report_run
from tfvae.training.train import train_and_evaluate

__all__ = [
    'Config',
    'REQUEUE_EXIT_CODE',
    'TrainingInterruptedError',
    'config_from_flags',
    'define_flags',
    'evaluate_run',
    'export_run',
    'parse_flags',
    'report_run',
    'train_and_evaluate',
]
