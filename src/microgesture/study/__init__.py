"""The first minutes with clips of one's own: from a folder, however it is laid out, to a list and a configuration."""
