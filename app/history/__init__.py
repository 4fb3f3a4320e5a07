"""What the feed saw, minute by minute: recorded as Parquet, read back through DuckDB, played again from a tape."""
