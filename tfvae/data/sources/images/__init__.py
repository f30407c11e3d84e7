"""Folders of images: finding, checking and decoding their files."""
