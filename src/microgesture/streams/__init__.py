"""Streams: the training of one network on one or more modalities, and its predictions."""
