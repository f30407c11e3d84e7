"""Descriptions of tables: a kind for each column, and its code as a number."""

from tfvae.registry import public_names
from tfvae.tables.coding import coded
from tfvae.tables.coding import decoded
from tfvae.tables.column import Column
from tfvae.tables.column import KINDS
from tfvae.tables.schema import Schema
from tfvae.tables.texts import MISSING
from tfvae.tables.texts import texts

__all__ = public_names(globals())
