"""Measures: metrics of predictions, held-out people, and confidence intervals of differences."""
