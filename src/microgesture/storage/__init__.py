"""Storage: tables, shards, atomic writing, checksums and disk space."""
