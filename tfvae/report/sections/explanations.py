"""One-sentence explanations of the figures of a run."""

from tfvae import evaluation

# Explanations of the keys of `metrics.json` that belong to no measure.
# Likelihoods and divergences are in nats.
_GENERAL = {
    'elbo': 'Evidence lower bound, E[log p(x|z)] − KL(q(z|x) ‖ p(z)), in nats '
            'per image: on average at most log p(x).',
    'reconstruction': 'E[log p(x|z)] in nats: how well a draw of the posterior '
                      'explains the image it was inferred from.',
    'kl': 'KL(q(z|x) ‖ p(z)) in nats: the divergence of the posteriors from '
          'the prior, on average at least the mutual information.',
    'kl_by_latent': 'The part of the KL that is due to this latent, in nats.',
    'elbo_per_entry': 'Sum of the ELBOs divided by the number of observed '
                      'values, in nats: the figure to compare where examples '
                      'have different numbers of missing values.',
    'observed_entries': 'Mean number of values of an example that are not '
                        'missing.',
    'objective': 'The loss that training minimizes, with the KL weight at the '
                 'end of its schedule; from other draws of z than the ELBO.',
    'not_computed': 'The reason why figures are missing or are those of an '
                    'earlier evaluation.',
    'examples': 'Number of examples that the figures are means over.',
    'best_epoch': 'The epoch whose weights the model has, chosen by the figure '
                  'below.',
    'select_by': 'The validation figure whose best epoch is kept.',
    'parameters': 'Number of learned parameters.',
    'seconds': 'Wall-clock time in seconds.',
}


def explanations(block: str | None = None) -> dict[str, str]:
  """Returns a sentence for each key of `metrics.json`.

  Args:
    block: Name of a block, whose measure's sentences come before those of other
      measures.
  """
  own, found = {}, {}
  # The sentences of the first measure replace those of the others.
  for name in reversed(list(evaluation.MEASURES)):
    sentences = evaluation.MEASURES.make(name).explanations
    found |= sentences
    own = sentences if name == block else own
  return found | _GENERAL | own
