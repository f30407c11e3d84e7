"""Use of a trained model on any number of rows: codes and scores in files."""

from tfvae.inference.rows import row_seeds
from tfvae.prediction.job import predict
from tfvae.prediction.outputs import Output
from tfvae.prediction.outputs import OUTPUTS
from tfvae.prediction.predictor import Predictor
from tfvae.registry import public_names

__all__ = public_names(globals())
