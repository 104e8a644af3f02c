"""Ensembles: calibration and fusion of streams, pseudo-labels, and the submission file."""
