"""Operations of TensorFlow under the names that `keras.ops` has.

A formula that takes such a namespace is written once, for training in
TensorFlow and for models of Keras 3 alike.
"""

import types

import tensorflow as tf

TENSORFLOW = types.SimpleNamespace(
    abs=tf.abs, clip=tf.clip_by_value, elu=tf.nn.elu, exp=tf.exp,
    expm1=tf.math.expm1, log1p=tf.math.log1p, logical_not=tf.logical_not,
    maximum=tf.maximum, minimum=tf.minimum, relu=tf.nn.relu, where=tf.where)
