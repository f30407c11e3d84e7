"""Finite `tf.data.Dataset`s, whose elements are examples."""
