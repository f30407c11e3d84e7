"""The `VAE` of pythae with its `BaseTrainer`.

https://pythae.readthedocs.io: the networks are a `BaseEncoder` and a
`BaseDecoder`; the trainer is unchanged. Two things differ: the widths, and the
binarization of whole batches in the model. A dataset, which the scripts of
pythae use, would draw each image separately.
"""

import tempfile
from typing import Any

from pythae.data.datasets import BaseDataset
from pythae.data.datasets import DatasetOutput
from pythae.models import VAE
from pythae.models import VAEConfig
from pythae.models.base.base_utils import ModelOutput
from pythae.models.nn import BaseDecoder
from pythae.models.nn import BaseEncoder
from pythae.trainers import BaseTrainer
from pythae.trainers import BaseTrainerConfig
from pythae.trainers.training_callbacks import TrainingCallback
import torch
from torch import nn

from benchmarks.peers import torch_example
from benchmarks.peers.watch import Watch

_LATENT_SIZE = 50


class Encoder(BaseEncoder):
  """Network from x to the mean and log variance of q(z|x)."""

  def __init__(self):
    super().__init__()
    self.features = torch_example.perceptron(784)
    self.embedding = nn.Linear(200, _LATENT_SIZE)
    self.log_var = nn.Linear(200, _LATENT_SIZE)

  def forward(self, x):
    """Returns the mean and the log variance, `[b, d]`."""
    h = self.features(x)
    return ModelOutput(
        embedding=self.embedding(h), log_covariance=self.log_var(h))


class Decoder(BaseDecoder):
  """Network from z to the probabilities of p(x|z)."""

  def __init__(self):
    super().__init__()
    self.logits = nn.Sequential(
        *torch_example.perceptron(_LATENT_SIZE), nn.Linear(200, 784))

  def forward(self, z):
    """Returns the probabilities, `[b, 784]`."""
    return ModelOutput(reconstruction=torch.sigmoid(self.logits(z)))


class BinaryVAE(VAE):
  """VAE that binarizes each batch."""

  def forward(self, inputs, **kwargs):
    """Returns the losses of a batch of gray images."""
    return super().forward(
        DatasetOutput(data=torch_example.binary(inputs['data'])), **kwargs)


def train(case: dict[str, Any], form: None, watch: Watch) -> dict[str, float]:
  """Trains the peer and returns its scores; see `process`."""
  del form  # There is one form.
  torch.manual_seed(0)
  gray = torch_example.gray_images(case)
  model = BinaryVAE(
      VAEConfig(input_dim=(784,), latent_dim=_LATENT_SIZE,
                reconstruction_loss='bce'), Encoder(), Decoder())
  with tempfile.TemporaryDirectory() as directory:
    _trainer(watch)(
        model=model, train_dataset=BaseDataset(gray, torch.zeros(len(gray))),
        training_config=BaseTrainerConfig(
            output_dir=directory, num_epochs=case['epochs'],
            learning_rate=1e-3, per_device_train_batch_size=case['batch_size']),
        # Replaces the callback that does nothing.
        callbacks=[_first_step(watch)]).train()
  watch.training_done()

  def encode(x):
    q = model.encoder(x)
    return q.embedding, q.log_covariance

  return torch_example.scored(encode, model.decoder.logits, case)


def _trainer(watch: Watch) -> type[BaseTrainer]:
  class TimedTrainer(BaseTrainer):
    """Trainer that times the training part of each epoch."""

    def train_step(self, epoch):  # pythae's name for an epoch.
      with watch.epoch(len(self.train_dataset)):
        return super().train_step(epoch)

  return TimedTrainer


def _first_step(watch: Watch) -> TrainingCallback:
  class FirstStep(TrainingCallback):
    """Callback that records the first step."""

    def on_train_step_end(self, training_config, **kwargs):
      watch.step_done()

  return FirstStep()
