"""Image data sets of TensorFlow Datasets: names, features and records."""
