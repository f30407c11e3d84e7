"""Serving of trained models: SavedModels for TF Serving, Keras 3 and LiteRT."""

import importlib
from typing import Any

from tfvae.registry import public_names
from tfvae.serving.images.image_input import ImageInput
from tfvae.serving.saved_model.export import export_saved_model
from tfvae.serving.saved_model.lint import check_saved_model
from tfvae.serving.saved_model.lint import lint_saved_model
from tfvae.serving.saved_model.signatures import ServedModel
from tfvae.serving.saved_model.signatures import signatures
from tfvae.serving.tflite import export_tflite

# Keras 3 is imported at the first use of them.
_OF_KERAS3 = ('Keras3Models', 'to_keras3')

__all__ = sorted({*public_names(globals()), *_OF_KERAS3} - {'Any'})


def __getattr__(name: str) -> Any:
  if name in _OF_KERAS3:
    return getattr(
        importlib.import_module('tfvae.serving.keras3.conversion'), name)
  raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
