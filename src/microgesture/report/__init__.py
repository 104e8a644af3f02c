"""The report of a run: one HTML page, made from result files alone, that can be read offline."""
