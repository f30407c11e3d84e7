"""Callbacks of training: checkpoints, history, validation and TensorBoard."""

from tfvae.training.callbacks.checkpoint import Checkpoint
from tfvae.training.callbacks.history import History

__all__ = [
    'Checkpoint',
    'History',
]
