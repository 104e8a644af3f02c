"""A trained ensemble as one folder, and what it finds in videos that no stage of a run has seen."""
