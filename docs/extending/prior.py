"""A prior of one's own: Student's t, in one file.

Importing the file registers it; `--prior=student_t` and
`image_vae(prior='student_t')` then work like the built-in ones, and its setting
is a flag, `--prior_degrees_of_freedom`.
"""

from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp
import tf_keras

import tfvae
from tfvae.priors import Prior
from tfvae.priors import PRIORS
from tfvae.registry import Setting

tfd = tfp.distributions


@PRIORS.register('student_t', degrees_of_freedom=Setting(
    'prior_degrees_of_freedom', 5.0, 'degrees of freedom of the prior '
    'student_t', above=2))
@tf_keras.saving.register_keras_serializable(package='extending')
class StudentT(Prior):
  """p(z; θ) = Π_d t_ν(z_d; 0, σ_d), with θ = log σ, at first 0.

  Its tails are heavier than those of a normal. The KL divergence is the Monte
  Carlo estimate, as for every prior without a closed form.
  """

  def __init__(self, event_size: int | None = None,
               degrees_of_freedom: float = 5.0, **kwargs):
    """Initializes the prior.

    Args:
      event_size: Dimensions of z, at least 1; None for a template.
      degrees_of_freedom: ν, above 2, so that there is a variance.
      **kwargs: Arguments of `Prior`.
    """
    super().__init__(event_size, **kwargs)
    self.degrees_of_freedom = degrees_of_freedom
    if event_size is None:  # A template has no weights.
      return
    self.log_scale = self.add_weight(
        'log_scale', [event_size], initializer='zeros')

  def distribution(self) -> tfd.Distribution:
    """Returns p(z; θ): batch shape `[]`, event shape `[event_size]`."""
    return tfd.Independent(tfd.StudentT(
        self.degrees_of_freedom, 0.0, tf.exp(self.log_scale)), 1)

  def get_config(self) -> dict[str, Any]:
    """Returns names and numbers from which `from_config` makes the prior."""
    return super().get_config() | {
        'degrees_of_freedom': self.degrees_of_freedom}


def main(workdir: str, **settings: Any) -> dict[str, Any]:
  """Trains, evaluates, reports, saves and exports a model.

  Args:
    workdir: Directory of the run.
    **settings: Settings in place of those below.

  Returns:
    The content of `metrics.json`.
  """
  from tfvae import training  # After the registration, so the flag is there.
  config = training.Config(**{
      'dataset': 'digits', 'prior': 'student_t', 'latents': 'z:8',
      'epochs': 20} | settings)
  return training.train_and_evaluate(config, workdir)


def two_latents() -> tfvae.models.GraphVAE:
  """Returns a model with an object as the prior, which each latent copies."""
  return tfvae.models.image_vae(
      tfvae.graph.GraphicalModel.parse(
          inference='a|x; b|x', generative='a; b; x|a,b', latents='a:2,b:3'),
      (8, 8, 1), prior=StudentT(degrees_of_freedom=3.0))


if __name__ == '__main__':
  print(main('runs/student_t', prior_degrees_of_freedom=3.0)['test']['elbo'],
        'nats')
