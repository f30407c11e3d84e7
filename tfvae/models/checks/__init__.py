"""Checks of batches, graphs and Keras objects that a model receives."""
