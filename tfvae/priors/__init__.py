"""Priors p(z; θ): layers that hold θ and give a `tfd.Distribution`."""

from tfvae.priors.standard_normal import StandardNormal

__all__ = ['StandardNormal']
