"""Missing values: imputation, and how good it is on values that are known."""
