"""Settings of the model and its objective."""

import dataclasses

from tfvae.graph import GraphicalModel
from tfvae.graph import PRESETS
from tfvae.layers import LIKELIHOODS
from tfvae.layers import POSTERIORS
from tfvae.models import NETWORKS
from tfvae.models.checks.graph import MERGINGS
from tfvae.objectives import Objective
from tfvae.objectives import OBJECTIVES
from tfvae.priors import PRIORS
from tfvae.settings import check_settings
from tfvae.settings import extended_by
from tfvae.settings import setting

# Names of the objectives that a weight of the KL, free bits and a capacity
# affect, and of those that a KL schedule affects.
_WITH_KL_PENALTY, _WITH_KL_SCHEDULE = (
    tuple(name for name, objective in OBJECTIVES.items()
          if getattr(objective, uses))
    for uses in ('uses_kl_penalty', 'uses_kl_schedule'))


@dataclasses.dataclass(frozen=True)
@extended_by(network=NETWORKS, likelihood=LIKELIHOODS, prior=PRIORS,
             posterior=POSTERIORS, objective=OBJECTIVES)
class ModelConfig:
  """Graph, networks, distributions and objective of a model.

  Raises:
    ValueError: If a value is out of range or has no effect; the message names
      the setting, the value and a remedy.
  """

  preset: str | None = setting(
      None, 'graphical model by name; `latents`, `inference` and `generative` '
      'replace its parts; by default a VAE with one latent', PRESETS)
  latents: str | None = setting(
      None, 'latents and their dimensions, such as z:50 or z1:100,z2:50; by '
      'default those of the preset, or z:16')
  inference: str | None = setting(
      None, "factors of q(z|x), such as 'z1|x; z2|z1', in which y is the "
      'label; by default those of the preset, or z|x')
  generative: str | None = setting(
      None, "factors of p(x,z), such as 'z2; z1|z2; x|z1'; by default those of "
      'the preset, or z; x|z')
  network: str = setting(
      'mlp', 'encoder and decoder: a multilayer perceptron (mlp), convolutions '
      '(conv), or residual blocks (resnet), of convolutions for images, where '
      'they reach a higher ELBO in more time, and of dense layers for vectors '
      'and tables', NETWORKS)
  hidden_units: tuple[int, ...] = setting(
      (200, 200), 'widths of the hidden layers from x to z, separated by '
      'commas; for convolutions the filters, such as 32,64', at_least=1)
  factor_units: tuple[int, ...] = setting(
      (100, 100), 'widths of the hidden layers between latents', at_least=1)
  activation: str = setting(
      'tanh', 'activation of the hidden layers',
      ('elu', 'gelu', 'leaky_relu', 'relu', 'selu', 'swish', 'tanh'))
  likelihood: str = setting(
      'bernoulli', 'distribution of a pixel, p(x|z); a table has columns, one '
      'for each column', LIKELIHOODS)
  prior: str = setting(
      'standard_normal', 'prior p(z) of the latents without parents', PRIORS)
  posterior: str = setting(
      'normal_diag', 'posterior of a latent given its parents: a normal with '
      'diagonal or full covariance, an inverse autoregressive flow from one '
      'of them, a neural spline flow, or a mixture of diagonal normals',
      POSTERIORS)
  merging: str = setting(
      'network', 'combination of prior and evidence in the posterior of a '
      'latent that has parents in p: by a network, or precision-weighted, as '
      'in ladder VAEs', MERGINGS)
  kl_weight: float = setting(
      1.0, 'weight β of the KL in training; the reported ELBO has β = 1',
      only_with={'objective': _WITH_KL_PENALTY}, at_least=0)
  kl_warm_up: str = setting(
      'none', 'schedule that raises the weight of the KL from 0 over '
      '`kl_warm_up_epochs`, once (linear) or four times (cyclical)',
      ('none', 'linear', 'cyclical'),
      only_with={'objective': _WITH_KL_SCHEDULE})
  kl_warm_up_epochs: int = setting(
      10, 'length of the KL warm-up',
      only_with={'kl_warm_up': ('linear', 'cyclical')}, at_least=1)
  free_bits: float = setting(
      0.0, 'λ in nats; the objective has max(λ, KL)',
      only_with={'objective': _WITH_KL_PENALTY}, at_least=0)
  free_bits_per: str = setting(
      'latent', 'unit that `free_bits` applies to', ('latent', 'dimension'))
  kl_capacity: float | None = setting(
      None, 'capacity C in nats; the objective has |KL - C|; by default there '
      'is none', only_with={'objective': _WITH_KL_PENALTY}, at_least=0)
  objective: str = setting(
      'elbo', 'objective that training maximizes: the ELBO, or stl with its '
      'path derivative; the importance-weighted bound, iwae, or dreg with its '
      'doubly reparameterized gradient, or gdreg with that of normal priors '
      'too; beta_tc, the ELBO with a weighted total correlation, estimated '
      'from the batch; or info_vae, the ELBO with the MMD between the '
      "batch's latents and the prior", choices=OBJECTIVES)

  def __post_init__(self):
    """Validates each value, and values that depend on each other."""
    check_settings(self)
    self.graph()  # Raises if the notation is invalid.
    if self.free_bits and self.kl_capacity is not None:
      raise ValueError('`free_bits` and `kl_capacity` exclude each other. '
                       f'Received: free_bits={self.free_bits}, '
                       f'kl_capacity={self.kl_capacity}')
    objective = self.make_objective()
    posteriors = dict.fromkeys(
        self.graph().latent_names, POSTERIORS[self.posterior])
    objective.check_label(self.graph())
    objective.check_model(self.graph(), posteriors)
    objective.check_mixtures(self.graph(), posteriors)
    _check_classification(self)
    if self.kl_warm_up != 'none' and not objective.uses_kl_schedule:
      raise ValueError(
          '`kl_warm_up` has no effect with an objective without the KL; leave '
          f'it out. Received: kl_warm_up={self.kl_warm_up}, '
          f'objective={self.objective} of {objective.get_config()}')

  def make_objective(self) -> Objective:
    """Returns the objective that the settings describe."""
    return OBJECTIVES.make(self.objective, settings=vars(self))

  def graph(self) -> GraphicalModel:
    """Returns the graphical model that the settings describe."""
    given = {side: getattr(self, side)
             for side in ('latents', 'inference', 'generative')}
    chosen = PRESETS[self.preset] if self.preset else {'latents': 'z:16'}
    return GraphicalModel.parse(**chosen | {
        side: text for side, text in given.items() if text is not None})


def _check_classification(config: ModelConfig):
  """Raises for a weight of the classifier in a graph without one."""
  weight = config.classification_weight
  default = OBJECTIVES.settings()['classification_weight'][0].default
  if weight != default and not config.graph().infers_label:
    raise ValueError(
        '`classification_weight` has no effect where y has no factors; leave '
        "it out, or give y factors, as in `inference='y|x; z|x,y'` and "
        "`generative='z; y; x|z,y'`. Received: "
        f'classification_weight={weight}, {config.graph()}')
