"""Priors p(z; θ): layers that hold θ and give a `tfd.Distribution`."""

from tfvae.priors.flow_prior import FlowPrior
from tfvae.priors.gaussian_mixture import GaussianMixture
from tfvae.priors.learned_normal import LearnedNormal
from tfvae.priors.prior import Prior
from tfvae.priors.prior import PRIORS
from tfvae.priors.spline_flow_prior import SplineFlowPrior
from tfvae.priors.standard_normal import StandardNormal
from tfvae.priors.vamp_prior import VampPrior
from tfvae.registry import public_names

__all__ = public_names(globals())
