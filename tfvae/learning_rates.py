"""Schedules of the learning rate, under their earlier module name."""

from tfvae.schedules import BurdaStaircase
from tfvae.schedules import Schedule
from tfvae.schedules import WarmUp

__all__ = [
    'BurdaStaircase',
    'Schedule',
    'WarmUp',
]
