"""Ensembles: streams calibrated and joined, what they are sure of, and the file that is handed in."""
