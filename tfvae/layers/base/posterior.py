"""The choices of posterior layers by name."""

from tfvae.registry import Registry

# Classes of posteriors by name.
POSTERIORS = Registry('posterior')
