"""Check that a distribution layer has its method for Keras 3."""

from collections.abc import Sequence

from tfvae.layers import DistributionLayer


def check_hook(layer: DistributionLayer, base: type, hook: str,
               sources: Sequence[str]):
  """Raises unless a layer has a method for Keras 3 that fits its distribution.

  A subclass that defines another distribution does not inherit the method.

  Args:
    layer: Distribution layer.
    base: Base class, where the method is abstract.
    hook: Name of the method.
    sources: Names of the methods that define the distribution.

  Raises:
    ValueError: If the method is missing.
  """
  for kind in type(layer).__mro__:
    defined = vars(kind)
    if hook in defined and kind is not base:
      return
    if any(name in defined for name in sources):
      break
  name = type(layer).__name__
  raise ValueError(
      f'Keras 3 cannot compute the moments of {name}, whose class has no '
      f'{hook}; define it (see {base.__name__}.{hook}), or choose another '
      f'{base.__name__.lower()}. Received: {name} {layer.name!r}')
