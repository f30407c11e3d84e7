"""Means of p(x|z) for Keras 3, by `keras.ops` alone.

A file of a model that consists of them loads where only Keras is installed.
"""

from typing import Any

import keras
from keras import ops

from tfvae.layers import Likelihood
from tfvae.serving.keras3.hooks import check_hook

# A Keras 3 tensor, symbolic here.
Tensor = Any


def likelihood_mean(head: Likelihood, params: Tensor) -> Tensor:
  """Returns the mean of p(x|z), `[b, *event_shape]`.

  Args:
    head: Layer whose distribution it is.
    params: Parameters that the layer takes, `[b, *params_shape]` or flat.

  Raises:
    ValueError: If the likelihood has no `keras3_mean`.
  """
  check_hook(head, Likelihood, 'keras3_mean', ('element_distribution', 'new'))
  shape = head.params_shape(head.event_shape, **head.settings)
  if shape and params.shape[-len(shape):] != shape:
    params = keras.layers.Reshape(shape)(params)
  count = head.params_per_dim(**head.settings)
  parts = ops.split(params, count, axis=-1) if count > 1 else [params]
  return head.keras3_mean(*parts, ops=ops)
