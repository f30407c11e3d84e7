"""Directory of a run: its files, its lock, and whether a run may resume."""

from tfvae.lock import held
from tfvae.training.workdir.content import HISTORY_FILE
from tfvae.training.workdir.content import is_finished
from tfvae.training.workdir.content import is_trained
from tfvae.training.workdir.content import METRICS_FILE
from tfvae.training.workdir.content import MODEL_FILE
from tfvae.training.workdir.content import read_history
from tfvae.training.workdir.content import TRAINING_FILE
from tfvae.training.workdir.content import write_history
from tfvae.training.workdir.content import write_metrics
from tfvae.training.workdir.content import write_training
from tfvae.training.workdir.data_file import settle_data
from tfvae.training.workdir.flags_file import FLAGS_FILE
from tfvae.training.workdir.flags_file import settled
from tfvae.training.workdir.resuming import prepared
from tfvae.training.workdir.resuming import trained_metrics

__all__ = [
    'FLAGS_FILE',
    'HISTORY_FILE',
    'METRICS_FILE',
    'MODEL_FILE',
    'TRAINING_FILE',
    'held',
    'is_finished',
    'is_trained',
    'prepared',
    'read_history',
    'settle_data',
    'settled',
    'trained_metrics',
    'write_history',
    'write_metrics',
    'write_training',
]
