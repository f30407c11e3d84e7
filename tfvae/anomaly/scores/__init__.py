"""Anomaly scores: functions of a row that are high where it is unusual."""

from tfvae.anomaly.scores import complexity
from tfvae.anomaly.scores import elbo
from tfvae.anomaly.scores import log_likelihood
from tfvae.anomaly.scores import regret
from tfvae.anomaly.scores import surprise
from tfvae.anomaly.scores import typicality
from tfvae.anomaly.scores.score import Score
from tfvae.anomaly.scores.score import SCORES
from tfvae.registry import public_names

__all__ = public_names(globals())
