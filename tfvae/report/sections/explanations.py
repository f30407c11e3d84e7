"""One-sentence explanations of the figures of a run."""

# By key of `metrics.json`. Likelihoods and divergences are in nats.
EXPLANATIONS = {
    'elbo': 'Evidence lower bound, E[log p(x|z)] − KL(q(z|x) ‖ p(z)), in nats '
            'per image: on average at most log p(x).',
    'reconstruction': 'E[log p(x|z)] in nats: how well a draw of the posterior '
                      'explains the image it was inferred from.',
    'kl': 'KL(q(z|x) ‖ p(z)) in nats: what the latents spend to tell images '
          'apart, on average at least the mutual information.',
    'kl_by_latent': 'The part of the KL that this latent spends, in nats.',
    'objective': 'The loss that training minimizes, with the KL weight at the '
                 'end of its schedule: −ELBO, but for other objectives and '
                 'weights.',
    'not_computed': 'The reason why figures are missing or were not replaced.',
    'examples': 'Images that the figures are means over.',
    'iwae_nll': 'Upper bound on −log p(x) in nats from K importance samples; '
                'it falls to −log p(x) as K grows.',
    'iwae_samples': 'K, the importance samples of each image.',
    'iwae_examples': 'Images that the importance-weighted bound is a mean '
                     'over.',
    'ais_nll': 'Estimate of −log p(x) in nats by annealed importance sampling, '
               'on average no lower than the truth.',
    'steps': 'Densities on each chain’s way from the encoder’s posterior to '
             'the exact one.',
    'chains': 'Chains for each image.',
    'simulated_lower': 'Bound on log p(x) in nats from below, for images that '
                       'the model itself drew.',
    'simulated_upper': 'Bound on log p(x) in nats from above, for the same '
                       'images: their z is known, and annealing runs back.',
    'simulated_gap': 'Upper less lower bound, in nats: as much as the '
                     'estimates by annealing are off at most, on average.',
    'bits_per_dim': 'The bound on −log p(x) in bits for each number of an '
                    'image: what lossless compression would need.',
    'active_units': 'Latent dimensions whose posterior mean varies over the '
                    'data by more than 0.01 (Burda et al. 2016).',
    'collapse': 'Latents that go unused, in words, and what to try.',
    'latent_size': 'Latent dimensions in all.',
    'log_num_examples': 'log N in nats: as much as the mutual information of N '
                        'images with anything can be.',
    'mutual_information': 'I(x; z) under the encoder, in nats: how much a draw '
                          'of z tells which image it came from.',
    'mutual_information_upper': 'The same with the image itself left out of '
                                'q(z): on average an upper bound, in nats.',
    'aggregate_kl': 'KL(q(z) ‖ p(z)) in nats: how far the posteriors of all '
                    'images together are from the prior; 0 is best.',
    'log_volume': 'Entropy of q(z) less that of p(z), in nats: the log of the '
                  'part of the prior’s space that the data occupy.',
    'log_volume_upper': 'The same with the image itself left out of q(z), in '
                        'nats.',
    'log_volume_per_dimension': 'The same for each dimension, in nats: the log '
                                'ratio of side lengths.',
    'encoder_elbo': 'The ELBO, in nats, of the posterior that the encoder '
                    'gives.',
    'optimized_elbo': 'The ELBO, in nats, of the best posterior of the family, '
                      'sought for each image from the encoder’s answer.',
    'cold_start_elbo': 'The same sought from N(0, I), without the encoder.',
    'log_evidence': 'log p(x) in nats, as it was estimated for the gaps.',
    'amortization_gap': 'Nats lost because one network infers for all images '
                        'instead of a search for each.',
    'approximation_gap': 'Nats lost because the posterior’s family does not '
                         'hold the exact posterior.',
    'seconds_per_example': 'What inference takes for an image: the encoder, a '
                           'search from its answer, and one from N(0, I).',
    'saving': 'How many times as long as the encoder a search for each image '
              'takes.',
    'linear_probe_accuracy': 'Part of the labels that a linear classifier '
                             'reads off the posterior means.',
    'knn_accuracy': 'Part of the labels that the nearest posterior means '
                    'predict.',
    'train_examples': 'Images that the classifiers learned from.',
    'test_examples': 'Images that they were tested on.',
    'factors': 'What the data set varies, and the scores are about.',
    'mig': 'Mutual information gap, 0 to 1: how far one latent alone holds '
           'each factor; of posterior means in 20 bins (Locatello et al. '
           '2019).',
    'mig_of_draws': 'The same from draws of q(z|x), as Chen et al. (2018) '
                    'define it: noise hides what a mean seems to tell.',
    'informative_units': 'Dimensions with a KL above 0.1 nats, which alone the '
                         'scores of posterior means credit.',
    'sap': 'Separated attribute predictability, 0 to 1: by how much the best '
           'latent predicts a factor better than the next (Kumar et al. 2018).',
    'dci_disentanglement': 'How far each latent serves one factor, 0 to 1 '
                           '(Eastwood and Williams 2018).',
    'dci_completeness': 'How far each factor is served by one latent, 0 to 1.',
    'dci_informativeness': 'How well the latents predict the factors, 0 to 1.',
    'factor_vae_score': 'Accuracy of a majority vote that tells the fixed '
                        'factor from the latent that varies least (Kim and '
                        'Mnih 2018).',
    'is_calibrated': 'Whether the ranks of simulated latents are uniform, as '
                     'far as chi-square tests can tell.',
    'num_simulations': 'Pairs (z, x) drawn from the model to test its '
                       'posterior.',
    'verdict': 'What the ranks say, in words.',
    'p_values': 'Of the chi-square test of each dimension’s ranks; one near 0 '
                'means that the posterior is wrong there.',
    'coverage': 'How often the posterior’s central interval of this level '
                'holds the true value, for each dimension.',
    'variances': 'Variance of each dimension’s posterior mean over the data; '
                 'an active unit’s is above 0.01.',
    'kl_per_dimension': 'The nats that each dimension spends on an image.',
    'best_epoch': 'The epoch whose weights these are, kept by --select_by.',
    'select_by': 'The validation figure whose best epoch is kept.',
    'parameters': 'Numbers that were learned.',
    'seconds': 'Wall-clock time.',
}
