"""Batches of images for training and evaluation, shuffled and resumable."""
