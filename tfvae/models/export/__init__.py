"""The encoder and the decoder of a model as plain Keras models."""
