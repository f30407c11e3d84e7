"""Operations of TensorFlow under the names that `keras.ops` has.

A formula that takes such a namespace is written once, for training in
TensorFlow and for models of Keras 3 alike.
"""

import types

import tensorflow as tf

TENSORFLOW = types.SimpleNamespace(
    abs=tf.abs, argmax=tf.argmax, cast=tf.cast, clip=tf.clip_by_value,
    concatenate=tf.concat, cos=tf.cos, cumsum=tf.cumsum, elu=tf.nn.elu,
    exp=tf.exp,
    expm1=tf.math.expm1, isnan=tf.math.is_nan, log=tf.math.log,
    log1p=tf.math.log1p,
    log_sigmoid=tf.math.log_sigmoid, logical_not=tf.logical_not,
    maximum=tf.maximum, minimum=tf.minimum, mod=tf.math.floormod,
    one_hot=tf.one_hot, ones_like=tf.ones_like, relu=tf.nn.relu, sin=tf.sin,
    softmax=tf.nn.softmax, sqrt=tf.sqrt, sum=tf.reduce_sum, take=tf.gather,
    tanh=tf.tanh, where=tf.where, zeros_like=tf.zeros_like)
