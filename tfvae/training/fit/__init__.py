"""Fitting: data, model, optimizer and the training itself."""
