"""Binarization of gray images: draws, fixed bits, hidden entries and checks.

A pixel x is the probability that its binary pixel is one: x / 255 for uint8
images, x itself for floating images in [0, 1]. 'dynamic' draws again in every
epoch, 'static' draws once, and 'none' keeps the gray values.

References: R. Salakhutdinov and I. Murray, On the Quantitative Analysis of Deep
Belief Networks, ICML 2008; Y. Burda, R. Grosse and R. Salakhutdinov,
Importance Weighted Autoencoders, ICLR 2016 (the dynamic form).
"""

from tfvae.data.binarization.draws import bernoulli_draw
from tfvae.data.binarization.draws import unit_interval
from tfvae.data.binarization.fixed import evaluation_stream
from tfvae.data.binarization.fixed import fixed_binarization
from tfvae.data.binarization.fixed import fixed_chunk
from tfvae.data.binarization.fixed import fixed_draw
from tfvae.data.binarization.fixed import static_binarization
from tfvae.data.binarization.hiding import check_hide_fraction
from tfvae.data.binarization.hiding import fixed_hidden
from tfvae.data.binarization.hiding import hidden
from tfvae.data.binarization.support import BINARIZATIONS
from tfvae.data.binarization.support import check_binarization
from tfvae.data.binarization.support import check_support

__all__ = [
    'BINARIZATIONS',
    'bernoulli_draw',
    'check_binarization',
    'check_hide_fraction',
    'check_support',
    'evaluation_stream',
    'fixed_binarization',
    'fixed_chunk',
    'fixed_draw',
    'fixed_hidden',
    'hidden',
    'static_binarization',
    'unit_interval',
]
