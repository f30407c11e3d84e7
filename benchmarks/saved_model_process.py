"""Program that runs SavedModels with the TensorFlow of its environment.

It does not need tfvae. Standard input is a pickle of (model, signature, inputs)
triples, grouped by model; standard output is a pickle of their outputs.
"""

import pickle
import sys

import tensorflow as tf


def main():
  """Answers all requests."""
  loaded, functions, replies = None, {}, []
  for path, signature, inputs in pickle.load(sys.stdin.buffer):
    if path != loaded:
      loaded, functions = path, tf.saved_model.load(path).signatures
    outputs = functions[signature](
        **{name: tf.constant(value) for name, value in inputs.items()})
    replies.append({name: value.numpy() for name, value in outputs.items()})
  pickle.dump(replies, sys.stdout.buffer)


if __name__ == '__main__':
  main()
