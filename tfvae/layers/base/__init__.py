"""Shared parts of the distribution layers."""
