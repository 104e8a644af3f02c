"""Streams: one network each, from the samples that it is shown to what it says of every clip."""
