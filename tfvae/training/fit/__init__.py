"""From settings to a fitted model."""
