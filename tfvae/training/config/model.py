"""Settings of the model and its objective."""

import dataclasses

from tfvae.graph import GraphicalModel
from tfvae.graph import PRESETS
from tfvae.models import NETWORKS
from tfvae.models.checks.graph import MERGINGS
from tfvae.models.choices import LIKELIHOODS
from tfvae.models.choices import POSTERIORS
from tfvae.models.choices import PRIORS
from tfvae.objectives.info_vae import KERNELS
from tfvae.settings import check_settings
from tfvae.settings import setting


@dataclasses.dataclass(frozen=True)
class ModelConfig:
  """Graph, networks, distributions and objective of a model.

  Raises:
    ValueError: If a value is out of range or has no effect; the message names
      the setting, the value and a remedy.
  """

  preset: str | None = setting(
      None, 'graphical model by name; the three settings below '
      'replace its parts', choices=PRESETS)
  latents: str | None = setting(
      None, "latents and their sizes, such as z:50 or z1:100,z2:50; "
      "by default the preset's, or z:16")
  inference: str | None = setting(
      None, "factors of q(z|x), such as 'z1|x; z2|z1'; y is the label")
  generative: str | None = setting(
      None, "factors of p(x,z), such as 'z2; z1|z2; x|z1'")
  network: str = setting(
      'mlp', 'kind of encoder and decoder: a perceptron, '
      'convolutions, or convolutions with residual blocks, which take several '
      'times as long and reach more', choices=NETWORKS)
  hidden_units: tuple[int, ...] = setting(
      (200, 200), 'widths of the hidden layers from x towards z, '
      'separated by commas; for conv and resnet, filters, such as 32,64',
      at_least=1)
  factor_units: tuple[int, ...] = setting(
      (100, 100), 'widths of the hidden layers between latents',
      at_least=1)
  activation: str = setting(
      'tanh', 'of the hidden layers',
      choices=('elu', 'gelu', 'leaky_relu', 'relu', 'selu', 'swish', 'tanh'))
  likelihood: str = setting(
      'bernoulli', 'p(x|z) of a pixel', choices=LIKELIHOODS)
  likelihood_components: int = setting(
      1, 'of the mixture that discretized_logistic may be',
      only_with={'likelihood': ('discretized_logistic',)}, at_least=1)
  likelihood_scale: float | None = setting(
      None, 'fixed σ of normal, pixels being 0 to 1; learned if none',
      only_with={'likelihood': ('normal',)}, above=0)
  prior: str = setting(
      'standard_normal', 'p(z) of latents without parents',
      choices=PRIORS)
  prior_components: int = setting(
      100, 'of the priors mixture and vamp',
      only_with={'prior': ('mixture', 'vamp')}, at_least=1)
  posterior: str = setting(
      'normal_diag', 'q of a latent given its parents: diagonal or '
      'full covariance, or an inverse autoregressive flow on top of either',
      choices=POSTERIORS)
  merging: str = setting(
      'network', 'how q of a latent takes in p of it, where it has '
      'parents there: by a network, or precision-weighted (ladder)',
      choices=MERGINGS)
  kl_weight: float = setting(
      1.0, 'β of the training objective; the elbo reported is at 1',
      only_with={'objective': ('elbo',)}, at_least=0)
  kl_warm_up: str = setting(
      'none', 'raises the weight of the KL from 0 over the steps of '
      '--kl_warm_up_epochs, once or four times',
      choices=('none', 'linear', 'cyclical'),
      only_with={'objective': ('elbo', 'beta_tc', 'info_vae')})
  kl_warm_up_epochs: int = setting(
      10, 'length of the warm-up',
      only_with={'kl_warm_up': ('linear', 'cyclical')}, at_least=1)
  free_bits: float = setting(
      0.0, 'nats of KL that cost nothing',
      only_with={'objective': ('elbo',)}, at_least=0)
  free_bits_per: str = setting(
      'latent', 'what has free bits', choices=('latent', 'dimension'))
  kl_capacity: float | None = setting(
      None, 'nats C: the objective has |KL - C|',
      only_with={'objective': ('elbo',)}, at_least=0)
  objective: str = setting(
      'elbo', 'what is optimised: the ELBO; the importance-weighted '
      'bound, iwae, or dreg, that with the doubly reparameterised gradient; '
      'beta_tc, the ELBO with its total correlation weighed, which is '
      'estimated from the batch; or info_vae, the ELBO with the MMD between '
      "the batch's latents and the prior",
      choices=('elbo', 'iwae', 'dreg', 'beta_tc', 'info_vae'))
  importance_samples: int = setting(
      5, 'K of the objectives iwae and dreg',
      only_with={'objective': ('iwae', 'dreg')}, at_least=1)
  tc_weight: float = setting(
      6.0, 'β of the objective beta_tc, for the total correlation '
      'alone; 1 is the ELBO',
      only_with={'objective': ('beta_tc',)}, at_least=0)
  info_alpha: float = setting(
      0.0, 'α of the objective info_vae, whose KL has the weight '
      '1 - α; 1 leaves it out', only_with={'objective': ('info_vae',)},
      at_most=1)
  info_lambda: float = setting(
      100.0, 'λ of the objective info_vae, whose MMD has the weight '
      'α + λ - 1, and is thousandths of a nat without',
      only_with={'objective': ('info_vae',)})
  mmd_kernel: str = setting(
      'imq', 'of the MMD of info_vae: inverse multiquadratic or '
      'Gaussian', choices=KERNELS,
      only_with={'objective': ('info_vae',)})
  mmd_bandwidth: float = setting(
      1.0, 'of that kernel, in units of the distance of two standard '
      'normals', only_with={'objective': ('info_vae',)}, above=0)

  def __post_init__(self):
    """Validates each value, and values that depend on each other."""
    check_settings(self)
    self.graph()  # Raises for a mistake in the notation.
    if self.free_bits and self.kl_capacity is not None:
      raise ValueError('--free_bits and --kl_capacity exclude each other. '
                       f'Received: free_bits={self.free_bits}, '
                       f'kl_capacity={self.kl_capacity}')
    check_objective = _OBJECTIVE_CHECKS.get(self.objective)
    if check_objective:
      check_objective(self)

  def graph(self) -> GraphicalModel:
    """Returns the graphical model that the settings write down."""
    given = {side: getattr(self, side)
             for side in ('latents', 'inference', 'generative')}
    chosen = PRESETS[self.preset] if self.preset else {'latents': 'z:16'}
    return GraphicalModel.parse(**chosen | {
        side: text for side, text in given.items() if text is not None})


def _check_dreg(config: ModelConfig):
  """Refuses a q in which a latent has latents for parents."""
  graph = config.graph()
  for factor in graph.inference:
    if set(factor.parents) & set(graph.latent_names):
      raise ValueError(
          '--objective=dreg needs latents without latent parents in q; use '
          f"--objective=iwae, or another factor than '{factor}'. Received: "
          f'objective=dreg, inference={graph.inference_text!r}')


def _check_beta_tc(config: ModelConfig):
  """Refuses latents whose dimensions have no density each."""
  if len(config.graph().latents) > 1:
    raise ValueError('--objective=beta_tc needs a graph with a single latent; '
                     'use --objective=elbo, or a graph such as --preset=vae. '
                     f'Received: objective=beta_tc, {config.graph()}')
  if config.posterior != 'normal_diag':
    raise ValueError('--objective=beta_tc needs the density of each dimension; '
                     'use --posterior=normal_diag. Received: '
                     f'objective=beta_tc, posterior={config.posterior}')


def _check_info_vae(config: ModelConfig):
  """Refuses a negative weight, and a warm-up of no KL."""
  if config.info_alpha + config.info_lambda < 1:
    raise ValueError('--info_lambda must be at least 1 - α, as the MMD has the '
                     'weight α + λ - 1. Received: '
                     f'info_lambda={config.info_lambda}, '
                     f'info_alpha={config.info_alpha}')
  if config.info_alpha == 1 and config.kl_warm_up != 'none':
    raise ValueError('--kl_warm_up has no effect with --info_alpha=1, which '
                     'leaves the KL out; leave one of them out. Received: '
                     f'kl_warm_up={config.kl_warm_up}, '
                     f'info_alpha={config.info_alpha}')


_OBJECTIVE_CHECKS = {
    'beta_tc': _check_beta_tc,
    'dreg': _check_dreg,
    'info_vae': _check_info_vae,
}
