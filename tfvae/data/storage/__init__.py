"""Storage of images: in arrays, in files, and in the files of their source."""
