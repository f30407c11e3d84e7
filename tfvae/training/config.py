"""The settings of a run: one source of flags, defaults, help and checks."""

from collections.abc import Sequence
import dataclasses
import math
from typing import Any

from tfvae.data import BINARIZATIONS
from tfvae.graph import GraphicalModel
from tfvae.graph import PRESETS
from tfvae.models import NETWORKS
from tfvae.models.choices import LIKELIHOODS
from tfvae.models.choices import PRIORS
from tfvae.models.choices import SUPPORT

_BOUNDS = {
    'at least': lambda value, bound: value >= bound,
    'above': lambda value, bound: value > bound,
    'below': lambda value, bound: value < bound,
}


def setting(default: Any, group: str, text: str,
            choices: Sequence[str] | None = None, changes_result: bool = True,
            **bounds: float) -> Any:
  """Declares a field of `Config`.

  Args:
    default: its value where none is given.
    group: the heading it stands under in `--help`.
    text: its help.
    choices: the values it may have.
    changes_result: whether a run may be resumed with another value.
    **bounds: `at_least`, `above`, `below`; of each item where the value is a
      tuple.
  """
  return dataclasses.field(default=default, metadata={
      'group': group, 'help': text, 'choices': choices,
      'changes_result': changes_result,
      'bounds': {name.replace('_', ' '): b for name, b in bounds.items()}})


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
      'likelihood, none for others. Evaluation is always on one fixed draw',
      choices=('auto', *BINARIZATIONS))

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
      'mlp', 'model', 'kind of encoder and decoder', choices=tuple(NETWORKS))
  hidden_units: tuple[int, ...] = setting(
      (200, 200), 'model', 'widths of the hidden layers from x towards z, '
      'separated by commas; for conv, filters', at_least=1)
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
      at_least=1)
  prior: str = setting(
      'standard_normal', 'model', 'p(z) of latents without parents',
      choices=tuple(PRIORS))
  prior_components: int = setting(
      100, 'model', 'of the priors mixture and vamp', at_least=1)
  kl_weight: float = setting(
      1.0, 'model', 'β of the training objective; the elbo reported is at 1',
      at_least=0)
  kl_warm_up: str = setting(
      'none', 'model', 'raises the weight of the KL from 0 over the steps of '
      '--kl_warm_up_epochs, once or four times',
      choices=('none', 'linear', 'cyclical'))
  kl_warm_up_epochs: int = setting(
      10, 'model', 'length of the warm-up', at_least=1)
  free_bits: float = setting(
      0.0, 'model', 'nats of KL that cost nothing', at_least=0)
  free_bits_per: str = setting(
      'latent', 'model', 'what has free bits', choices=('latent', 'dimension'))
  kl_capacity: float | None = setting(
      None, 'model', 'nats C: the objective has |KL - C|', at_least=0)
  objective: str = setting(
      'elbo', 'model', 'what is optimised: the ELBO, the importance-weighted '
      'bound, or that with the doubly reparameterised gradient',
      choices=('elbo', 'iwae', 'dreg'))
  importance_samples: int = setting(
      5, 'model', 'K of the objectives iwae and dreg', at_least=1)

  epochs: int = setting(100, 'training', 'passes over the data', at_least=1)
  batch_size: int = setting(100, 'training', 'examples a step', at_least=1)
  learning_rate: float = setting(
      1e-3, 'training', 'of Adam, at the start', above=0)
  learning_rate_schedule: str = setting(
      'constant', 'training', 'cosine falls to 0 over the epochs',
      choices=('constant', 'cosine'))
  seed: int = setting(
      0, 'training', 'of data order, binarization, initial weights and noise',
      at_least=0, below=2**31)
  jit: bool = setting(
      True, 'training', 'compile the step with XLA, whose random normals are '
      'others')
  steps_per_execution: int = setting(
      50, 'training', 'steps between two returns to Python', at_least=1,
      changes_result=False)

  eval_batch_size: int = setting(
      200, 'evaluation', 'examples at a time', at_least=1)
  eval_importance_samples: int = setting(
      500, 'evaluation', 'K of the importance-weighted NLL of the test set',
      at_least=1)
  eval_importance_examples: int = setting(
      1000, 'evaluation', 'first test images it is computed on; 0 for all',
      at_least=0)

  def __post_init__(self):
    """Checks every value against its field."""
    for field in dataclasses.fields(self):
      _check(field, getattr(self, field.name))
    self.graph()  # Raises for a mistake in the notation.
    if self.free_bits and self.kl_capacity is not None:
      raise ValueError('--free_bits and --kl_capacity exclude each other. '
                       f'Received: free_bits={self.free_bits}, '
                       f'kl_capacity={self.kl_capacity}')
    controls = {'kl_weight': 1.0, 'kl_warm_up': 'none', 'free_bits': 0.0,
                'kl_capacity': None}
    moved = [f'{name}={getattr(self, name)}'
             for name, default in controls.items()
             if getattr(self, name) != default]
    if self.objective != 'elbo' and moved:
      raise ValueError(
          f'--objective={self.objective} has no KL to control; leave out the '
          f'controls, or use --objective=elbo. Received: {", ".join(moved)}')

  def data_binarization(self) -> str:
    """Returns --binarization with auto settled by the likelihood."""
    if self.binarization != 'auto':
      return self.binarization
    return 'dynamic' if SUPPORT[self.likelihood] == 'binary' else 'none'

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


def flag_text(value: Any) -> str:
  """Returns a setting's value as it is written on the command line."""
  if isinstance(value, tuple):
    return ','.join(map(str, value))
  return str(value).lower() if isinstance(value, bool) else str(value)


def _check(field: dataclasses.Field, value: Any):
  choices, bounds = field.metadata['choices'], field.metadata['bounds']
  if value is None:
    return
  if choices and value not in choices:
    raise ValueError(f'--{field.name} must be one of {", ".join(choices)}. '
                     f'Received: {field.name}={value!r}')
  if isinstance(value, tuple) and not value:
    raise ValueError(f'--{field.name} needs at least one number. Received: '
                     f'{field.name}={value!r}')
  for item in value if isinstance(value, tuple) else (value,):
    if isinstance(item, float) and not math.isfinite(item):
      raise ValueError(f'--{field.name} must be finite. Received: '
                       f'{field.name}={value!r}')
    for name, bound in bounds.items():
      if not _BOUNDS[name](item, bound):
        raise ValueError(f'--{field.name} must be {name} {bound}. Received: '
                         f'{field.name}={flag_text(value)}')
