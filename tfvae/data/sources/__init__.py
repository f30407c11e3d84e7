"""Sources of images: a module or room for each kind, behind one interface."""
