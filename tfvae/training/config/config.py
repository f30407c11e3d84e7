"""Settings of a run: one source of flags, defaults, help and checks."""

from collections.abc import Mapping
import dataclasses
import difflib
import os
from typing import Any

from tfvae.data import names_table
from tfvae.layers import LIKELIHOODS
from tfvae.layers import POSTERIORS
from tfvae.settings import flag_text
from tfvae.training.config.data import DataConfig
from tfvae.training.config.evaluation import EvaluationConfig
from tfvae.training.config.model import ModelConfig
from tfvae.training.config.serving import ServingConfig
from tfvae.training.config.training import TrainingConfig

# Groups by the name that they have in `Config`, in the order of the help.
GROUPS: Mapping[str, type] = {
    'data': DataConfig, 'model': ModelConfig, 'training': TrainingConfig,
    'evaluation': EvaluationConfig, 'serving': ServingConfig}

# Fields of all groups by name, which is also the name of the flag.
FIELDS: Mapping[str, dataclasses.Field] = {
    field.name: field for group in GROUPS.values()
    for field in dataclasses.fields(group)}

_OF_TABLES = 'columns'  # The likelihood of a table.

_GROUP_OF = {field.name: name for name, group in GROUPS.items()
             for field in dataclasses.fields(group)}


@dataclasses.dataclass(frozen=True, init=False)
class Config:
  """Settings of a run, all but the directory of its results.

  Settings are given by name and read by group:

  ```python
  config = Config(likelihood='normal', epochs=20)
  config.training.epochs
  dataclasses.replace(config, epochs=40)
  Config(model=ModelConfig(likelihood='normal'))
  ```

  Attributes:
    data: Data set, splits, binarization and cache.
    model: Graph, networks, distributions and objective.
    training: Optimization, devices and checkpoints.
    evaluation: Evaluations, their sizes and their seed.
    serving: Export of the trained model.
  """

  data: DataConfig
  model: ModelConfig
  training: TrainingConfig
  evaluation: EvaluationConfig
  serving: ServingConfig

  def __init__(self, *, data: DataConfig | None = None,
               model: ModelConfig | None = None,
               training: TrainingConfig | None = None,
               evaluation: EvaluationConfig | None = None,
               serving: ServingConfig | None = None, **settings: Any):
    """Initializes the settings.

    Args:
      data: Settings of the data; by default their defaults, as in each group.
      model: Settings of the model.
      training: Settings of the training.
      evaluation: Settings of the evaluation.
      serving: Settings of the export.
      **settings: Settings of any group by name, in place of the group's.

    Raises:
      TypeError: If there is no setting of a name.
      ValueError: If a value is out of range, has no effect, or does not go with
        another one; the message names the setting, the value and a remedy.
    """
    for name in settings:
      if name not in FIELDS:
        raise TypeError(_unknown(name))
    given = {'data': data, 'model': model, 'training': training,
             'evaluation': evaluation, 'serving': serving}
    for name, group in given.items():
      kind = GROUPS[name]
      if group is not None and not isinstance(group, kind):
        raise TypeError(
            f'`{name}` must be a {kind.__name__}. Received: {name}={group!r}')
      own = {key: value for key, value in settings.items()
             if _GROUP_OF[key] == name}
      object.__setattr__(self, name, dataclasses.replace(group, **own)
                         if group else kind(**own))
    object.__setattr__(self, 'model', _model_of_data(self.model, self.data))
    object.__setattr__(
        self, 'evaluation', _evaluation_of_data(
            self.evaluation, self.data, self.model.graph().infers_label))
    self.model.make_objective().check_batch_size(self.training.batch_size)
    _check_cache(self)
    _check_strategy(self)
    _check_weights(self)
    _check_labels(self)
    _check_refinement(self)

  def flat(self) -> dict[str, Any]:
    """Returns the value of each setting by name, without the groups."""
    return {name: getattr(getattr(self, group), name)
            for name, group in _GROUP_OF.items()}

  def data_binarization(self) -> str:
    """Returns the binarization, with 'auto' resolved by the likelihood."""
    if self.data.binarization != 'auto':
      return self.data.binarization
    data = LIKELIHOODS[self.model.likelihood].kind_of_data()
    return 'dynamic' if data.is_binary else 'none'

  def to_flags(self) -> dict[str, str]:
    """Returns the text of each flag by name; settings of None are left out."""
    return {name: flag_text(value) for name, value in self.flat().items()
            if value is not None}


def _unknown(name: str) -> str:
  """Returns the message for a name that no setting has."""
  close = difflib.get_close_matches(name, FIELDS, 1)
  remedy = f'; did you mean `{close[0]}`?' if close else '.'
  return f'There is no setting `{name}`{remedy} Received: {name}'


def _model_of_data(model: ModelConfig, source: DataConfig) -> ModelConfig:
  """Returns the model with the likelihood of a table, if the data are one.

  Raises:
    ValueError: If they are a table and the likelihood is another, or if it is
      that of a table and they are none.
  """
  default = FIELDS['likelihood'].default
  if names_table(source.dataset) == (model.likelihood == _OF_TABLES):
    return model
  if model.likelihood == default:
    return dataclasses.replace(model, likelihood=_OF_TABLES)
  path = os.path.expanduser(source.dataset)
  if model.likelihood == _OF_TABLES and os.path.dirname(path) and (
      not os.path.exists(path)):
    raise ValueError(
        'The table or the folder of tables does not exist; name it as the '
        f'`dataset`. Received: dataset={source.dataset}, '
        f'likelihood={model.likelihood}')
  raise ValueError(
      f'`likelihood={_OF_TABLES!r}` is that of every table, and of no other '
      'data; leave it out. To model numbers by one family, save them as an '
      f'.npz file. Received: likelihood={model.likelihood}, '
      f'dataset={source.dataset}')


def _evaluation_of_data(evaluation: EvaluationConfig, source: DataConfig,
                        infers_label: bool) -> EvaluationConfig:
  """Returns the evaluation with further measures by default.

  They are that of columns for a table, and that of the classifier where the
  model infers the label.
  """
  default = FIELDS['evaluations'].default
  more = [name for name, applies in (
      ('columns', names_table(source.dataset)),
      ('classification', infers_label)) if applies]
  if evaluation.evaluations != default or not more:
    return evaluation
  return dataclasses.replace(evaluation, evaluations=(*default, *more))


def _check_strategy(config: Config):
  """Raises for settings that a parameter server does not support."""
  if config.training.strategy != 'parameter_server':
    return
  settings = config.flat()
  for name, refused, reason, remedy in (
      ('cache', ('disk', 'none'), 'sends each worker the images in memory',
       "`cache='memory'`"),
      ('jit', ('true',), 'keeps the weights where XLA does not reach them',
       "`jit='auto'`"),
      ('precision', ('float16',), 'has no loss scaling in Keras',
       "`precision='bfloat16'`")):
    if settings[name] in refused:
      raise ValueError(
          f"`strategy='parameter_server'` {reason}; use {remedy}, or "
          "`strategy='multi_worker'`. Received: strategy=parameter_server, "
          f'{name}={settings[name]}')


def _check_weights(config: Config):
  """Raises for sample weights in an objective of whole batches."""
  if config.data.weight_key is None:
    return
  model = config.model
  settings = ('objective' if model.make_objective().compares_examples else
              'free_bits' if model.free_bits else
              'kl_capacity' if model.kl_capacity is not None else None)
  if settings:
    raise ValueError(
        '`weight_key` needs an objective that is a sum over examples, and '
        f'`{settings}` depends on whole batches; leave one of them out. '
        f'Received: weight_key={config.data.weight_key}, '
        f'{settings}={getattr(model, settings)}')


def _check_labels(config: Config):
  """Raises for a choice of labels that has no effect."""
  data = config.data
  if data.num_labels is not None and not config.model.graph().infers_label:
    raise ValueError(
        '`num_labels` has no effect where y has no factors, so that its labels '
        'cannot be missing; leave it out, or give y factors, as in '
        "`inference='y|x; z|x,y'` and `generative='z; y; x|z,y'`. Received: "
        f'num_labels={data.num_labels}, {config.model.graph()}')
  if data.label_seed is not None and data.num_labels is None:
    raise ValueError(
        '`label_seed` has no effect without `num_labels`; leave it out, or set '
        f'`num_labels`. Received: label_seed={data.label_seed}')


def _check_refinement(config: Config):
  """Raises for a refinement of posteriors that are not Gaussian."""
  steps, posterior = config.serving.refine_steps, config.model.posterior
  if steps and not POSTERIORS[posterior].is_normal:
    names = ' or '.join(f"`posterior='{name}'`" for name in POSTERIORS
                        if POSTERIORS[name].is_normal)
    raise ValueError(
        f'`refine_steps` needs Gaussian posteriors: {names}; or leave it out. '
        f'Received: refine_steps={steps}, posterior={posterior}')


def _check_cache(config: Config):
  """Raises if a draw of the pixels is to be kept, and no cache keeps it."""
  if config.data.cache == 'none' and config.data_binarization() == 'static':
    raise ValueError(
        "`binarization='static'` keeps the drawn pixels, and `cache='none'` "
        "keeps nothing; use `cache='disk'`, or `binarization='dynamic'`. "
        'Received: binarization=static, cache=none')
