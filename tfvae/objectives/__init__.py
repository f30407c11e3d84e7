"""What training optimises in place of the ELBO: an argument of `VAE.compile`.

`compile(objective=None)` is the ELBO, as the model's KL regularizers weigh it.
Beside the objectives there is a KL schedule, `compile(kl_schedule=…)`; the
linear one is `tf_keras.optimizers.schedules.PolynomialDecay(0., steps, 1.)`.
"""

from tfvae.objectives.beta_tc import BetaTC
from tfvae.objectives.elbo import ELBO
from tfvae.objectives.importance_weighted import ImportanceWeighted
from tfvae.objectives.info_vae import InfoVAE
from tfvae.objectives.info_vae import maximum_mean_discrepancy
from tfvae.objectives.objective import Objective
from tfvae.registry import public_names
from tfvae.schedules import CyclicalWarmUp

__all__ = public_names(globals())
