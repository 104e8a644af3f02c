"""Checkpoints of other projects: read safely, and their tensors under the names they have here."""
