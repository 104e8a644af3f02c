"""Measures: how good predictions are, for people that were not seen, and which gain is real."""
