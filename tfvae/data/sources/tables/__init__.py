"""Tables: CSV, TSV and Parquet files, and data frames."""
