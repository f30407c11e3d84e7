"""Description of data that were read: counts, ranges, classes, repetitions."""
