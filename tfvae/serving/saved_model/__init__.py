"""SavedModels for TensorFlow Serving: export, checks and versions."""
