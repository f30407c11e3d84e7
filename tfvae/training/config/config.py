"""The settings of a run: one source of flags, defaults, help and checks."""

import dataclasses

from tfvae.data import BINARIZATIONS
from tfvae.data import CACHES
from tfvae.graph import GraphicalModel
from tfvae.graph import PRESETS
from tfvae.models import NETWORKS
from tfvae.models.checks.graph import MERGINGS
from tfvae.models.choices import LIKELIHOODS
from tfvae.models.choices import POSTERIORS
from tfvae.models.choices import PRIORS
from tfvae.models.choices import SUPPORT
from tfvae.objectives.info_vae import KERNELS
from tfvae.settings import check_settings
from tfvae.settings import flag_text
from tfvae.settings import setting

# What `tfvae.training.results.evaluations` has, by name.
EVALUATIONS = ('importance_weighted', 'latent_space', 'representation',
               'annealed', 'gaps', 'calibration', 'disentanglement')


@dataclasses.dataclass(frozen=True)
class Config:
  """What a run does; everything but where it puts its results.

  Raises:
    ValueError: when made with a value out of range; it names the setting, the
      value and what would do.
  """

  dataset: str = setting(
      'digits', 'data', 'any image data set of TensorFlow Datasets, such as '
      'mnist or fashion_mnist; digits is bundled and needs no network')
  data_dir: str | None = setting(
      None, 'data', 'where TensorFlow Datasets keeps its files; by default '
      '~/tensorflow_datasets', changes_result=False)
  train_split: str = setting(
      'train', 'data', "split to train on, such as 'train[:90%]'")
  validation_split: str | None = setting(
      None, 'data', 'split to choose the best epoch on; by default carved from '
      'the train split, see --validation_fraction')
  test_split: str = setting(
      'test', 'data', 'split for the final numbers, used for nothing else')
  validation_fraction: float = setting(
      0.1, 'data', 'part of the train split to validate on', above=0, below=1)
  image_key: str = setting('image', 'data', 'feature that holds the image')
  label_key: str = setting(
      'label', 'data', 'feature that holds y, for models that have it')
  binarization: str = setting(
      'auto', 'data', 'x ~ Bernoulli(pixel): dynamic draws anew every epoch, '
      'static once, none keeps the pixels; auto is dynamic for the bernoulli '
      'likelihood, none for others. Evaluation is on one fixed draw, that of '
      '--eval_seed',
      choices=('auto', *BINARIZATIONS))
  cache: str = setting(
      'memory', 'data', 'where the decoded images are: in memory; on the disk, '
      'in files written once and read as they are needed, with the same '
      'results; or nowhere, when each epoch reads the training images from '
      'the data set anew, shuffled within --shuffle_buffer',
      choices=CACHES, same_result=('memory', 'disk'))
  cache_dir: str | None = setting(
      None, 'data', 'directory for the files of --cache=disk; by default in '
      "the data set's own, in --data_dir", only_with={'cache': ('disk',)},
      changes_result=False)
  shuffle_buffer: int = setting(
      10_000, 'data', 'images, as they are in the files, that are shuffled at '
      'a time', only_with={'cache': ('none',)}, at_least=1)
  deterministic: bool = setting(
      True, 'data', 'the same order for the same --seed; without it the files '
      'are read as they come, which is faster where they are slow',
      only_with={'cache': ('none',)})

  preset: str | None = setting(
      None, 'model', 'graphical model by name; the three settings below '
      'replace its parts', choices=tuple(PRESETS))
  latents: str | None = setting(
      None, 'model', "latents and their sizes, such as z:50 or z1:100,z2:50; "
      "by default the preset's, or z:16")
  inference: str | None = setting(
      None, 'model', "factors of q(z|x), such as 'z1|x; z2|z1'; y is the label")
  generative: str | None = setting(
      None, 'model', "factors of p(x,z), such as 'z2; z1|z2; x|z1'")
  network: str = setting(
      'mlp', 'model', 'kind of encoder and decoder: a perceptron, '
      'convolutions, or convolutions with residual blocks, which take several '
      'times as long and reach more', choices=tuple(NETWORKS))
  hidden_units: tuple[int, ...] = setting(
      (200, 200), 'model', 'widths of the hidden layers from x towards z, '
      'separated by commas; for conv and resnet, filters, such as 32,64',
      at_least=1)
  factor_units: tuple[int, ...] = setting(
      (100, 100), 'model', 'widths of the hidden layers between latents',
      at_least=1)
  activation: str = setting(
      'tanh', 'model', 'of the hidden layers',
      choices=('elu', 'gelu', 'leaky_relu', 'relu', 'selu', 'swish', 'tanh'))
  likelihood: str = setting(
      'bernoulli', 'model', 'p(x|z) of a pixel', choices=tuple(LIKELIHOODS))
  likelihood_components: int = setting(
      1, 'model', 'of the mixture that discretized_logistic may be',
      only_with={'likelihood': ('discretized_logistic',)}, at_least=1)
  likelihood_scale: float | None = setting(
      None, 'model', 'fixed σ of normal, pixels being 0 to 1; learned if none',
      only_with={'likelihood': ('normal',)}, above=0)
  prior: str = setting(
      'standard_normal', 'model', 'p(z) of latents without parents',
      choices=tuple(PRIORS))
  prior_components: int = setting(
      100, 'model', 'of the priors mixture and vamp',
      only_with={'prior': ('mixture', 'vamp')}, at_least=1)
  posterior: str = setting(
      'normal_diag', 'model', 'q of a latent given its parents: diagonal or '
      'full covariance, or an inverse autoregressive flow on top of either',
      choices=tuple(POSTERIORS))
  merging: str = setting(
      'network', 'model', 'how q of a latent takes in p of it, where it has '
      'parents there: by a network, or precision-weighted (ladder)',
      choices=MERGINGS)
  kl_weight: float = setting(
      1.0, 'model', 'β of the training objective; the elbo reported is at 1',
      only_with={'objective': ('elbo',)}, at_least=0)
  kl_warm_up: str = setting(
      'none', 'model', 'raises the weight of the KL from 0 over the steps of '
      '--kl_warm_up_epochs, once or four times',
      choices=('none', 'linear', 'cyclical'),
      only_with={'objective': ('elbo', 'beta_tc', 'info_vae')})
  kl_warm_up_epochs: int = setting(
      10, 'model', 'length of the warm-up',
      only_with={'kl_warm_up': ('linear', 'cyclical')}, at_least=1)
  free_bits: float = setting(
      0.0, 'model', 'nats of KL that cost nothing',
      only_with={'objective': ('elbo',)}, at_least=0)
  free_bits_per: str = setting(
      'latent', 'model', 'what has free bits', choices=('latent', 'dimension'))
  kl_capacity: float | None = setting(
      None, 'model', 'nats C: the objective has |KL - C|',
      only_with={'objective': ('elbo',)}, at_least=0)
  objective: str = setting(
      'elbo', 'model', 'what is optimised: the ELBO; the importance-weighted '
      'bound, iwae, or dreg, that with the doubly reparameterised gradient; '
      'beta_tc, the ELBO with its total correlation weighed, which is '
      'estimated from the batch; or info_vae, the ELBO with the MMD between '
      "the batch's latents and the prior",
      choices=('elbo', 'iwae', 'dreg', 'beta_tc', 'info_vae'))
  importance_samples: int = setting(
      5, 'model', 'K of the objectives iwae and dreg',
      only_with={'objective': ('iwae', 'dreg')}, at_least=1)
  tc_weight: float = setting(
      6.0, 'model', 'β of the objective beta_tc, for the total correlation '
      'alone; 1 is the ELBO',
      only_with={'objective': ('beta_tc',)}, at_least=0)
  info_alpha: float = setting(
      0.0, 'model', 'α of the objective info_vae, whose KL has the weight '
      '1 - α; 1 leaves it out', only_with={'objective': ('info_vae',)},
      at_most=1)
  info_lambda: float = setting(
      100.0, 'model', 'λ of the objective info_vae, whose MMD has the weight '
      'α + λ - 1, and is thousandths of a nat without',
      only_with={'objective': ('info_vae',)})
  mmd_kernel: str = setting(
      'imq', 'model', 'of the MMD of info_vae: inverse multiquadratic or '
      'Gaussian', choices=tuple(KERNELS),
      only_with={'objective': ('info_vae',)})
  mmd_bandwidth: float = setting(
      1.0, 'model', 'of that kernel, in units of the distance of two standard '
      'normals', only_with={'objective': ('info_vae',)}, above=0)

  select_by: str = setting(
      'objective', 'training', 'validation figure whose best epoch is kept: '
      'the objective that is trained, at the end of its KL schedule; the ELBO '
      'at β = 1, whatever is trained; or last, which keeps the last epoch',
      choices=('objective', 'elbo', 'last'))
  epochs: int = setting(100, 'training', 'passes over the data', at_least=1)
  batch_size: int = setting(100, 'training', 'examples a step', at_least=1)
  optimizer: str = setting(
      'adam', 'training', 'adamw is adam with weight decay of its own, adamax '
      'adam with the largest of the past gradients for their mean square',
      choices=('adam', 'adamw', 'adamax'))
  weight_decay: float = setting(
      0.004, 'training', 'part of every weight that adamw takes off in a step, '
      'times the learning rate', only_with={'optimizer': ('adamw',)},
      at_least=0)
  learning_rate: float = setting(
      1e-3, 'training', 'of the optimizer, after the warm-up', above=0)
  learning_rate_schedule: str = setting(
      'constant', 'training', 'cosine falls to 0 over the epochs; burda falls '
      'to a tenth in seven steps, each rate three times as long as the one '
      'before, as in Burda et al. 2016',
      choices=('constant', 'cosine', 'burda'))
  learning_rate_warm_up_steps: int = setting(
      0, 'training', 'steps in which the learning rate first rises linearly',
      at_least=0)
  clip_norm: float | None = setting(
      None, 'training', 'scales gradients down to this global norm; by default '
      'they are left alone', above=0)
  ema_decay: float | None = setting(
      None, 'training', 'evaluate, save and export the moving average of the '
      'weights: at each step decay * average + (1 - decay) * weight, from the '
      'initial weights on, which fade in a few times 1 / (1 - decay) steps; '
      'none by default', above=0, below=1)
  max_skipped_steps: int = setting(
      10, 'training', 'steps in a row that may be skipped, their loss or '
      'gradient being NaN or infinite, before training stops', at_least=1,
      changes_result=False)
  precision: str = setting(
      'float32', 'training', 'in which the networks compute; weights and '
      'distributions are float32 always, and exports compute in it',
      choices=('float32', 'bfloat16', 'float16'))
  seed: int = setting(
      0, 'training', 'seed of data order, binarization in training, initial '
      'weights and noise; evaluation has --eval_seed', at_least=0, below=2**31)
  jit: str = setting(
      'auto', 'training', 'compile the step with XLA, whose random normals are '
      'others; auto does, but on a CPU not for convolutions',
      choices=('auto', 'true', 'false'))
  steps_per_execution: str = setting(
      'auto', 'training', 'steps between two returns to Python, a number; auto '
      'is 50', changes_result=False)
  strategy: str = setting(
      'auto', 'training', 'mirrored trains on all GPUs of this machine, '
      'multi_worker on several machines in step, parameter_server on several '
      'at their own pace, both as TF_CONFIG says; auto is mirrored where there '
      'are several GPUs, else default. The batch size is that of all together',
      choices=('auto', 'default', 'one_device', 'mirrored', 'multi_worker',
               'parameter_server'), changes_result=False)
  checkpoint_every_steps: int | None = setting(
      None, 'training', 'steps between two checkpoints within an epoch; there '
      'is one after each epoch in any case', changes_result=False, at_least=1)
  checkpoint_every_minutes: float | None = setting(
      10.0, 'training', 'the same, in minutes', changes_result=False, above=0)
  checkpoint_keep: int = setting(
      2, 'training', 'checkpoints to keep, the newest', changes_result=False,
      at_least=1)

  evaluations: tuple[str, ...] = setting(
      ('importance_weighted', 'latent_space', 'representation'), 'evaluation',
      'what is measured beside the ELBO, separated by commas; what does not '
      'apply to the data is left out', choices=('all', *EVALUATIONS))
  eval_seed: int = setting(
      0, 'evaluation', 'seed of the evaluation: the binary pixels of the '
      'validation and test images, the choice of carved validation images, and '
      'every draw; --seed changes none of them', at_least=0, below=2**31)
  eval_batch_size: int = setting(
      200, 'evaluation', 'examples at a time', at_least=1)
  eval_chunk: int = setting(
      50, 'evaluation', 'samples decoded at a time for each example',
      at_least=1)
  eval_importance_samples: int = setting(
      500, 'evaluation', 'K of the importance-weighted NLL of the test set',
      at_least=1)
  eval_importance_examples: int = setting(
      1000, 'evaluation', 'first test images it is computed on; 0 for all',
      at_least=0)
  eval_costly_examples: int = setting(
      100, 'evaluation', 'first test images that annealed and gaps are '
      'computed on; 0 for all', at_least=0)
  eval_ais_steps: int = setting(
      500, 'evaluation', 'distributions on the way from q(z|x) to p(z|x)',
      at_least=2)
  eval_ais_chains: int = setting(
      16, 'evaluation', 'annealing runs for each image', at_least=1)
  eval_simulations: int = setting(
      1000, 'evaluation', 'pairs of z and x drawn for the calibration',
      at_least=100)

  export: bool = setting(
      True, 'serving', 'write a SavedModel for TensorFlow Serving at the end '
      'of the training', changes_result=False)
  export_dir: str | None = setting(
      None, 'serving', 'gets the next version, a directory named by a number; '
      'by default export in --workdir', changes_result=False)
  export_keep: int | None = setting(
      None, 'serving', 'versions to keep there, the newest; by default all',
      changes_result=False, at_least=1)

  def __post_init__(self):
    """Checks every value by itself, and beside the others."""
    check_settings(self)
    self.graph()  # Raises for a mistake in the notation.
    if self.free_bits and self.kl_capacity is not None:
      raise ValueError('--free_bits and --kl_capacity exclude each other. '
                       f'Received: free_bits={self.free_bits}, '
                       f'kl_capacity={self.kl_capacity}')
    _check_steps_per_execution(self)
    _check_batch_size(self)
    _check_cache(self)
    _check_strategy(self)
    check_objective = _OBJECTIVE_CHECKS.get(self.objective)
    if check_objective:
      check_objective(self)

  def data_binarization(self) -> str:
    """Returns --binarization with auto settled by the likelihood."""
    if self.binarization != 'auto':
      return self.binarization
    return 'dynamic' if SUPPORT[self.likelihood] == 'binary' else 'none'

  def chosen_evaluations(self) -> tuple[str, ...]:
    """Returns --evaluations with all spelt out, in the order they are run."""
    everything = 'all' in self.evaluations
    return tuple(name for name in EVALUATIONS
                 if everything or name in self.evaluations)

  def graph(self) -> GraphicalModel:
    """Returns the graphical model that the settings write down."""
    given = {side: getattr(self, side)
             for side in ('latents', 'inference', 'generative')}
    chosen = PRESETS[self.preset] if self.preset else {'latents': 'z:16'}
    return GraphicalModel.parse(**chosen | {
        side: text for side, text in given.items() if text is not None})

  def to_flags(self) -> dict[str, str]:
    """Returns each setting as the text of its flag; those that are None not."""
    return {field.name: flag_text(getattr(self, field.name))
            for field in dataclasses.fields(self)
            if getattr(self, field.name) is not None}


def _check_dreg(config: Config):
  """Refuses a q in which a latent has latents for parents."""
  graph = config.graph()
  for factor in graph.inference:
    if set(factor.parents) & set(graph.latent_names):
      raise ValueError(
          '--objective=dreg needs latents without latent parents in q; use '
          f"--objective=iwae, or another factor than '{factor}'. Received: "
          f'objective=dreg, inference={graph.inference_text!r}')


def _check_steps_per_execution(config: Config):
  """Refuses what is neither auto nor a number."""
  steps = config.steps_per_execution
  if steps != 'auto' and not (steps.isdecimal() and int(steps) >= 1):
    raise ValueError('--steps_per_execution must be auto or at least 1. '
                     f'Received: steps_per_execution={steps}')


def _check_strategy(config: Config):
  """Refuses what the workers of a parameter server cannot do."""
  if config.strategy != 'parameter_server':
    return
  for name, refused, reason, remedy in (
      ('cache', ('disk', 'none'), 'sends each worker the images in memory',
       '--cache=memory'),
      ('jit', ('true',), 'keeps the weights where XLA does not reach them',
       '--jit=auto'),
      ('precision', ('float16',), 'has no loss scaling in Keras',
       '--precision=bfloat16')):
    if getattr(config, name) in refused:
      raise ValueError(
          f'--strategy=parameter_server {reason}; use {remedy}, or '
          '--strategy=multi_worker. Received: strategy=parameter_server, '
          f'{name}={getattr(config, name)}')


def _check_batch_size(config: Config):
  """Refuses single examples where those of a batch are compared."""
  if config.objective in ('beta_tc', 'info_vae') and config.batch_size < 2:
    raise ValueError(f'--objective={config.objective} compares the examples of '
                     'a batch, so --batch_size must be at least 2. Received: '
                     f'batch_size={config.batch_size}')


def _check_cache(config: Config):
  """Refuses bits drawn once where nothing is kept."""
  if config.cache == 'none' and config.data_binarization() == 'static':
    raise ValueError('--binarization=static keeps what is drawn, and '
                     '--cache=none keeps nothing; use --cache=disk, or '
                     '--binarization=dynamic. Received: binarization=static, '
                     'cache=none')


def _check_beta_tc(config: Config):
  """Refuses latents whose dimensions have no density each."""
  if len(config.graph().latents) > 1:
    raise ValueError('--objective=beta_tc needs a graph with a single latent; '
                     'use --objective=elbo, or a graph such as --preset=vae. '
                     f'Received: objective=beta_tc, {config.graph()}')
  if config.posterior != 'normal_diag':
    raise ValueError('--objective=beta_tc needs the density of each dimension; '
                     'use --posterior=normal_diag. Received: '
                     f'objective=beta_tc, posterior={config.posterior}')


def _check_info_vae(config: Config):
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
