"""Native Keras 3 models of an encoder and a decoder."""
