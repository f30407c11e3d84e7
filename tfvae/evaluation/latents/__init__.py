"""Use of the latent space by the posteriors of a data set."""
