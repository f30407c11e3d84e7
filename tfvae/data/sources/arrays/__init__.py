"""Arrays: `.npy` and `.npz` files, and NumPy arrays in memory."""
