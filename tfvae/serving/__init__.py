"""Serving of trained models: SavedModels for TF Serving, Keras 3 and LiteRT."""

from tfvae.registry import public_names
from tfvae.serving.images.image_input import ImageInput
from tfvae.serving.keras3.conversion import Keras3Models
from tfvae.serving.keras3.conversion import to_keras3
from tfvae.serving.saved_model.export import export_saved_model
from tfvae.serving.saved_model.lint import check_saved_model
from tfvae.serving.saved_model.lint import lint_saved_model
from tfvae.serving.saved_model.signatures import ServedModel
from tfvae.serving.saved_model.signatures import signatures
from tfvae.serving.tflite import export_tflite

__all__ = public_names(globals())
