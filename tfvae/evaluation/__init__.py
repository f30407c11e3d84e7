"""Measures of a trained model: bounds, gaps, latents, calibration, factors."""

from tfvae.evaluation.ais.annealed_importance_sampling import (
    annealed_importance_sampling,
)
from tfvae.evaluation.ais.annealed_importance_sampling import (
    bidirectional_bounds,
)
from tfvae.evaluation.ais.annealed_importance_sampling import (
    BidirectionalBounds,
)
from tfvae.evaluation.bounds import Elbo
from tfvae.evaluation.bounds import elbo
from tfvae.evaluation.bounds import Estimate
from tfvae.evaluation.bounds import importance_weighted_nll
from tfvae.evaluation.bounds import with_errors
from tfvae.evaluation.calibration.rank_statistics import Calibration
from tfvae.evaluation.calibration.simulation import simulation_based_calibration
from tfvae.evaluation.evaluate import evaluate
from tfvae.evaluation.evaluate import timed
from tfvae.evaluation.factors.disentanglement import disentanglement_scores
from tfvae.evaluation.factors.representation import posterior_means
from tfvae.evaluation.factors.representation import representation_accuracy
from tfvae.evaluation.factors.sampled_information import (
    sampled_mutual_information_gap,
)
from tfvae.evaluation.gaps.inference_gaps import inference_gaps
from tfvae.evaluation.gaps.inference_gaps import InferenceGaps
from tfvae.evaluation.imputation.impute import Imputation
from tfvae.evaluation.imputation.impute import impute
from tfvae.evaluation.latents.collapse import describe_collapse
from tfvae.evaluation.latents.latent_measures import is_active
from tfvae.evaluation.latents.latent_measures import Latent
from tfvae.evaluation.latents.latent_measures import LatentSpace
from tfvae.evaluation.latents.latent_space import latent_space
from tfvae.evaluation.latents.latent_space import measure_latents
from tfvae.evaluation.measure import Histogram
from tfvae.evaluation.measure import LineChart
from tfvae.evaluation.measure import Measure
from tfvae.evaluation.measure import MEASURES
from tfvae.evaluation.measure import measures_of
from tfvae.evaluation.measure import NOT_COMPUTED
from tfvae.evaluation.measure import Pictures
from tfvae.evaluation.measure import Section
from tfvae.evaluation.measure import Table
from tfvae.evaluation.subject import Examples
from tfvae.evaluation.subject import Subject
from tfvae.registry import public_names

# isort: split
# The measures register themselves, in the order in which a run computes them.
# isort: off
from tfvae.evaluation.importance_weighted_measure import (
    ImportanceWeightedMeasure,
)
from tfvae.evaluation.columns_measure import ColumnsMeasure
from tfvae.evaluation.latents.latent_space_measure import LatentSpaceMeasure
from tfvae.evaluation.factors.representation_measure import (
    RepresentationMeasure,
)
from tfvae.evaluation.classification_measure import ClassificationMeasure
from tfvae.evaluation.classification_measure import log_probabilities
from tfvae.evaluation.ais.annealed_measure import AnnealedMeasure
from tfvae.evaluation.gaps.gaps_measure import GapsMeasure
from tfvae.evaluation.calibration.calibration_measure import CalibrationMeasure
from tfvae.evaluation.factors.disentanglement_measure import (
    DisentanglementMeasure,
)
from tfvae.evaluation.imputation.imputation_measure import ImputationMeasure
# isort: on

__all__ = public_names(globals())
