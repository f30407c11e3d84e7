"""The variational autoencoder of PyTorch's examples.

https://github.com/pytorch/examples/tree/main/vae: a `DataLoader` over a
dataset, and a loop that sums `loss.item()`. Two things differ: the networks,
which keep PyTorch's initial weights, and the binary batches, for which the loss
needs no continuous Bernoulli. The other form is tuned: batches indexed from one
tensor instead of a loader, `torch.compile`, and the fused Adam.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812, the convention of PyTorch.
from torch.utils.data import DataLoader
from torch.utils.data import TensorDataset

from benchmarks.peers import mnist
from benchmarks.peers.score import score
from benchmarks.peers.watch import Watch


class VAE(nn.Module):
  """Encoder, draw of z and decoder."""

  def __init__(self, case: dict[str, Any]):
    super().__init__()
    pixels, latents = mnist.num_pixels(case), mnist.latent_size(case)
    is_conv = case['model'] == 'conv'
    width = 7 * 7 * 64 if is_conv else 200
    self.features = convolutions() if is_conv else perceptron(pixels)
    self.fc21 = nn.Linear(width, latents)
    self.fc22 = nn.Linear(width, latents)
    self.logits = transposed_convolutions(latents) if is_conv else (
        nn.Sequential(*perceptron(latents), nn.Linear(200, pixels)))

  def encode(self, x):
    """Returns the mean and log variance of q(z|x), `[b, d]`."""
    h = self.features(x)
    return self.fc21(h), self.fc22(h)

  def forward(self, x):
    """Returns the probabilities of p(x|z), mean and log variance of z."""
    mu, logvar = self.encode(x)
    z = mu + torch.exp(0.5 * logvar) * torch.randn_like(logvar)
    return torch.sigmoid(self.logits(z)), mu, logvar


def perceptron(inputs: int) -> nn.Sequential:
  """Returns two layers of 200 tanh units."""
  return nn.Sequential(
      nn.Linear(inputs, 200), nn.Tanh(), nn.Linear(200, 200), nn.Tanh())


def convolutions() -> nn.Sequential:
  """Returns the convolutions of `configs/mnist_conv.flags`, 28-14-7, ReLU."""
  # With a stride of 2, TensorFlow's 'SAME' pads these sizes at the bottom and
  # on the right. `padding=1` pads every side, but no window reaches the bottom
  # or the right padding: the shapes and the weights are the same, and the
  # function is that of mirrored images. This includes the transposed layers.
  return nn.Sequential(
      nn.Unflatten(1, (1, 28, 28)),
      nn.Conv2d(1, 32, 3, stride=2, padding=1), nn.ReLU(),
      nn.Conv2d(32, 64, 3, stride=2, padding=1), nn.ReLU(), nn.Flatten())


def transposed_convolutions(latents: int) -> nn.Sequential:
  """Returns the network from z to the logits of p(x|z), 7-14-28, ReLU."""
  doubled = {'stride': 2, 'padding': 1, 'output_padding': 1}
  return nn.Sequential(
      nn.Linear(latents, 7 * 7 * 64), nn.ReLU(), nn.Unflatten(1, (64, 7, 7)),
      nn.ConvTranspose2d(64, 64, 3, **doubled), nn.ReLU(),
      nn.ConvTranspose2d(64, 32, 3, **doubled), nn.ReLU(),
      nn.Conv2d(32, 1, 3, padding=1), nn.Flatten())


def gray_images(case: dict[str, Any]) -> torch.Tensor:
  """Returns the training images in [0, 1], `[n, d]`, like `ToTensor`."""
  images = mnist.training_images(case)
  return torch.from_numpy(images.reshape(len(images), -1)).float() / 255


def binary(gray: torch.Tensor) -> torch.Tensor:
  """Draws a binary batch; faster on a CPU than `torch.bernoulli`."""
  return (torch.rand_like(gray) < gray).float()


def loss_function(model: VAE, x: torch.Tensor) -> torch.Tensor:
  """Returns the −ELBO of a batch, the sum over its images."""
  recon_x, mu, logvar = model(x)
  bce = F.binary_cross_entropy(recon_x, x, reduction='sum')
  kld = -0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp())
  return bce + kld


def train(case: dict[str, Any], form: str, watch: Watch) -> dict[str, float]:
  """Trains the peer and returns its scores; see `process`."""
  torch.manual_seed(0)
  model = VAE(case)
  gray = gray_images(case)
  is_compiled = form == 'compiled'
  optimizer = torch.optim.Adam(
      model.parameters(), lr=1e-3, fused=is_compiled or None)
  if is_compiled:
    loss_of, batches = torch.compile(loss_function), _Indexed(gray, case)
  else:
    loss_of, batches = loss_function, DataLoader(
        TensorDataset(gray), batch_size=case['batch_size'], shuffle=True)
  for _ in range(case['epochs']):
    with watch.epoch(len(gray)):
      train_loss = 0
      for data, in batches:
        optimizer.zero_grad()
        loss = loss_of(model, binary(data))
        loss.backward()
        train_loss += loss.item()
        optimizer.step()
        watch.step_done()
  watch.training_done()
  return scored(model.encode, model.logits, case)


def scored(encode, logits, case: dict[str, Any]) -> dict[str, float]:
  """Returns the scores of two modules; see `score`."""
  def posterior(x):
    mu, logvar = encode(torch.from_numpy(x.reshape(len(x), -1)))
    return mu, torch.exp(0.5 * logvar)

  with torch.no_grad():
    return score(mnist.binary_test_images(case), posterior,
                 lambda z: logits(torch.from_numpy(z)))


class _Indexed:
  """Batches of one tensor, in a new order in each iteration."""

  def __init__(self, images: torch.Tensor, case: dict[str, Any]):
    self._images, self._size = images, case['batch_size']

  def __iter__(self) -> Iterator[tuple[torch.Tensor]]:
    for chosen in torch.randperm(len(self._images)).split(self._size):
      yield self._images[chosen],
