"""Image files as inputs of a signature: decoding and resizing in TensorFlow."""
