"""The variational autoencoder of Flax's examples, in JAX.

https://github.com/google/flax/tree/main/examples/vae: linen modules, Adam in a
`TrainState`, and a jitted step. Two things differ from the example: the widths,
and the batches, which are uint8 from a NumPy array, permuted in every epoch and
binarized in the step, instead of float32 from TFDS.
"""

from typing import Any

from flax import linen as nn
from flax.training.train_state import TrainState
import jax
from jax import random
import jax.numpy as jnp
import numpy as np
import optax

from benchmarks.peers import mnist
from benchmarks.peers.score import score
from benchmarks.peers.watch import Watch


class Encoder(nn.Module):
  """Network from x to the mean and log variance of q(z|x)."""

  latents: int

  @nn.compact
  def __call__(self, x):
    """Returns the mean and the log variance, `[b, d]`."""
    for _ in range(2):
      x = nn.tanh(nn.Dense(200)(x))
    return nn.Dense(self.latents)(x), nn.Dense(self.latents)(x)


class Decoder(nn.Module):
  """Network from z to the logits of p(x|z)."""

  pixels: int

  @nn.compact
  def __call__(self, z):
    """Returns the logits, `[b, pixels]`."""
    for _ in range(2):
      z = nn.tanh(nn.Dense(200)(z))
    return nn.Dense(self.pixels)(z)


class VAE(nn.Module):
  """Encoder and decoder, with a draw of z between them."""

  pixels: int
  latents: int

  def setup(self):
    """Builds the networks."""
    self.encoder, self.decoder = Encoder(self.latents), Decoder(self.pixels)

  def __call__(self, x, z_rng):
    """Returns the logits of p(x|z), and the mean and log variance of z."""
    mean, logvar = self.encoder(x)
    z = mean + jnp.exp(0.5 * logvar) * random.normal(z_rng, logvar.shape)
    return self.decoder(z), mean, logvar


@jax.jit
def train_step(state: TrainState, images: jax.Array,
               rng: jax.Array) -> TrainState:
  """Binarizes a batch, uint8 `[b, d]`, and takes a gradient step on it."""
  x_rng, z_rng = random.split(random.fold_in(rng, state.step))
  x = random.bernoulli(x_rng, images / 255).astype(jnp.float32)

  def loss(params):
    logits, mean, logvar = state.apply_fn({'params': params}, x, z_rng)
    bce = optax.sigmoid_binary_cross_entropy(logits, x).sum(-1)
    kld = -0.5 * (1 + logvar - mean**2 - jnp.exp(logvar)).sum(-1)
    return (bce + kld).mean()

  return state.apply_gradients(grads=jax.grad(loss)(state.params))


def train(case: dict[str, Any], form: None, watch: Watch) -> dict[str, float]:
  """Trains the peer and returns its scores; see `process`."""
  del form  # There is one form.
  pixels = mnist.num_pixels(case)
  images = mnist.training_images(case).reshape(-1, pixels)
  model = VAE(pixels, mnist.latent_size(case))
  init_rng, rng = random.split(random.key(0))
  state = TrainState.create(
      apply_fn=model.apply, tx=optax.adam(1e-3),
      params=model.init(init_rng, jnp.ones([1, pixels]), rng)['params'])
  shuffler, size = np.random.default_rng(0), case['batch_size']
  for _ in range(case['epochs']):
    with watch.epoch(len(images)):
      order = shuffler.permutation(len(images))
      for start in range(0, len(images), size):
        state = train_step(state, images[order[start:start + size]], rng)
        if start == 0:
          jax.block_until_ready(state)
          watch.step_done()
      jax.block_until_ready(state)
  watch.training_done()
  return _score(model.bind({'params': state.params}), case)


def _score(model: VAE, case: dict[str, Any]) -> dict[str, float]:
  def posterior(x):
    mean, logvar = model.encoder(x.reshape(-1, model.pixels))
    return mean, jnp.exp(0.5 * logvar)

  return score(mnist.binary_test_images(case), posterior, model.decoder)
