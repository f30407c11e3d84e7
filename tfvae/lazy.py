"""Modules that are imported at their first use.

Statistics, drawing and scikit-learn take long to import, and most runs of the
program need them at the end or never.
"""

import importlib
import types
from typing import Any


class LazyModule(types.ModuleType):
  """A module whose first attribute imports it.

  ```python
  stats = LazyModule('scipy.stats')
  ```
  """

  def __getattr__(self, name: str) -> Any:
    return getattr(importlib.import_module(self.__name__), name)
