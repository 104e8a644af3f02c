"""Modalities: what is made of the frames and keypoints of a clip for networks to see, frame for frame."""
