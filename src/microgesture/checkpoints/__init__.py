"""Checkpoints of other projects: safe reading, and translation of tensor names to ours."""
