"""Keypoints from video, for corpora that have none: found by MediaPipe, put in the order of OpenPose-137."""
