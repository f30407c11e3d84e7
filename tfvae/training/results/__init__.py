"""What a finished training leaves: evaluations and the report."""
