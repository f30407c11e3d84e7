"""Callbacks of training: checkpoints, validation and TensorBoard."""
