"""Charts, graphs and grids of images."""
