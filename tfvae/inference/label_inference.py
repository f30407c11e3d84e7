"""Inference of a label y that has factors, so that it may be missing."""

from collections.abc import Mapping
from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp

from tfvae.inference import batches
from tfvae.inference import labels
from tfvae.inference.inference import Draw
from tfvae.inference.inference import Inference

tfd = tfp.distributions


class LabelInference:
  """The part of a `LatentVariableModel` that concerns an inferred label.

  In a graph in which y has factors, a missing y is summed out exactly in the
  ELBO (`infer_classes`), and replaced by its most probable class (`completed`)
  where a single value is needed, as in a reconstruction. Without such factors
  these methods return what they would return without a label.
  """

  def infer_classes(self, inputs: Any, draw: Draw,
                    training: bool = False) -> Inference:
    """Draws the latents as `infer` does, for each class of an inferred label.

    Without such a label it is `infer`. Otherwise the sample shape of all parts
    begins with the number of classes, and `latents` has the classes as 'y':

      parts = inference.elbo_parts(model.log_likelihood(
          inference.latents, target, inputs))

    is the sum over the classes of a missing y, and the value at a given one.
    Latents that do not depend on y in q have no dimension for the classes. If
    all parents of x are among them, the decoder runs once for each row, and
    otherwise for all classes of all rows.

    Args:
      inputs: Inputs of `infer`; rows of 'y' that are zeros or NaN are missing,
        and all of them if there is no 'y'.
      draw: Function from a posterior to a draw.
      training: Whether networks run in training mode.
    """
    if not self.graph.infers_label:
      return self.infer(inputs, draw, training)
    values = self.inference_values(inputs, training)
    given, posteriors, classes = values.pop('y'), {}, None
    for name in self.graph.inference_order:
      q = self.posterior_factor(name, values, training)
      if name == 'y':
        classes = labels.ClassSum.of(q, given, draw)
        values['y'] = classes.y
      else:
        posteriors[name], values[name] = q, draw(q)
    values |= {name: classes.with_known_shape(values[name])
               for name in posteriors}
    return self._inference(values, posteriors, classes)

  def parents_of_x(
      self, latents: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    """Returns the latents that `decode` takes, all of one sample shape.

    Without an inferred label these are all latents, unchanged.

    Args:
      latents: Latents of an `Inference`, and y among those of `infer_classes`.
    """
    if not self.graph.infers_label:
      return dict(latents)
    return labels.of_one_shape({
        name: latents[name] for name in self.graph.parents('generative', 'x')
        if name in latents})

  def label_posterior(self, inputs: Any) -> tfd.OneHotCategorical:
    """Returns q(y|Pa_q(y)), batch shape `[b]`, of a graph that infers y.

    Latents among the parents of y are at their posterior means.

    Args:
      inputs: Inputs of `infer`; y is ignored.

    Raises:
      ValueError: If the graph does not infer the label.
    """
    if not self.graph.infers_label:
      raise ValueError(
          'Only a graph in which y has factors infers the label, such as '
          f"'y|x; z|x,y' and 'z; y; x|z,y'. Received: {self.graph}")
    return self._label_posterior(self.inference_values(inputs))

  def _label_posterior(self, values):
    values = dict(values)
    for name in self.graph.inference_order:
      q = self.posterior_factor(name, values)
      if name == 'y':
        return q
      values[name] = q.mean()

  def completed(self, inputs: Any) -> Any:
    """Returns inputs with the most probable class where y is missing.

    Where the graph does not infer the label, they are returned unchanged.

    Args:
      inputs: Batch of x, or a dictionary of 'x' and perhaps 'y', whose rows of
        zeros or NaN are missing.

    Returns:
      A dictionary of 'x' and the complete 'y': the class with the highest
      q(y|x) in the missing rows.
    """
    if not self.graph.infers_label:
      return inputs
    values = self.inference_values(inputs)
    y = labels.most_probable(self._label_posterior(values), values['y'])
    return batches.observed(inputs) | {'y': y}

  def log_label(self, latents: Mapping[str, tf.Tensor],
                inputs: Any) -> tf.Tensor | float:
    """Returns log p(y|Pa_p(y)) of the given labels, and 0 without a factor.

    Args:
      latents: Tensors `[*sample_shape, b, size]` by name.
      inputs: Dictionary of 'x' and a complete 'y'; see `completed`.
    """
    if not self.graph.infers_label:
      return 0.0
    values = self.observed_values(inputs) | dict(latents)
    return self.prior_factor('y', values).log_prob(values['y'])
