"""Modalities: the inputs of networks, computed frame by frame from the frames and keypoints of a clip."""
