"""Batches of stored and of streamed images, for training and evaluation."""
