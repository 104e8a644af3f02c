"""Annotations of recordings as coding tools write them, one reader a format; each returns the same kind of record."""
