"""Simulation-based calibration of the posterior."""
