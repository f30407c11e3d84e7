"""Objectives of training: arguments of `compile(objective=…)`.

`compile(objective=None)` is the `ELBO`. An objective of your own subclasses
`Objective` and registers in `OBJECTIVES`; see docs/extending.md. A KL schedule,
`compile(kl_schedule=…)`, combines with most objectives; the linear one is
`tf_keras.optimizers.schedules.PolynomialDecay(0., steps, 1.)`.
"""

from tfvae.objectives.beta_tc import BetaTC
from tfvae.objectives.elbo import ELBO
from tfvae.objectives.importance_weighted import ImportanceWeighted
from tfvae.objectives.info_vae import InfoVAE
from tfvae.objectives.info_vae import maximum_mean_discrepancy
from tfvae.objectives.objective import Objective
from tfvae.objectives.objective import OBJECTIVES
from tfvae.objectives.sticking_the_landing import StickingTheLanding
from tfvae.registry import public_names
from tfvae.schedules import CyclicalWarmUp

__all__ = public_names(globals())
