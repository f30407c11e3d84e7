"""Runs: settings, training, and what is left in the workdir."""

from tfvae.training.command_line import config_from_flags
from tfvae.training.command_line import define_flags
from tfvae.training.command_line import parse_flags
from tfvae.training.config import Config
from tfvae.training.train import train_and_evaluate

__all__ = [
    'Config',
    'config_from_flags',
    'define_flags',
    'parse_flags',
    'train_and_evaluate',
]
