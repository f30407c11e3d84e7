"""Results of a trained run: evaluations and the report."""
