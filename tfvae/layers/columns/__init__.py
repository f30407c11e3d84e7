"""Likelihood and features of the columns of a table, a file for each kind."""

from tfvae.layers.columns.binary import Binary
from tfvae.layers.columns.block import Block
from tfvae.layers.columns.block import BLOCKS
from tfvae.layers.columns.categorical import Categorical
from tfvae.layers.columns.count import Count
from tfvae.layers.columns.date import Date
from tfvae.layers.columns.ordinal import Ordinal
from tfvae.layers.columns.positive import Positive
from tfvae.layers.columns.real import Real
