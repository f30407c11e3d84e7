"""Execution of a measure over the batches of a data set."""
