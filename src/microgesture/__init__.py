"""Micro-gesture recognition: from videos and keypoints to a calibrated ensemble and a submission."""

__version__ = "0.1.0"
