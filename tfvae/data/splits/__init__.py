"""Splits of a data set: in memory, in a cache on disk, or streamed."""
