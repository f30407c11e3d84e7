"""Latent variable models as probability: q(z|x), p(z), p(x|z) and the ELBO."""

from tfvae.inference.batches import num_observed
from tfvae.inference.batches import observed
from tfvae.inference.batches import sample_weights
from tfvae.inference.batches import unpack_batch
from tfvae.inference.importance_sampling import importance_weighted
from tfvae.inference.importance_sampling import LogLikelihood
from tfvae.inference.inference import Draw
from tfvae.inference.inference import ElboParts
from tfvae.inference.inference import Inference
from tfvae.inference.latent_variable_model import LatentVariableModel
from tfvae.inference.posterior_predictive import posterior_predictive
from tfvae.inference.posterior_predictive import PosteriorPredictive
from tfvae.inference.refinement import refine
from tfvae.inference.refinement import Refinement
from tfvae.inference.row_draws import RowSeededSample
from tfvae.inference.rows import row_seeds
from tfvae.inference.strata import Strata
from tfvae.inference.strata import StratifiedSample
from tfvae.registry import public_names

__all__ = public_names(globals())
