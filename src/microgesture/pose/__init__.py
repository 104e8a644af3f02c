"""Keypoints from video for corpora without keypoints: found by MediaPipe, in the order of OpenPose-137."""
