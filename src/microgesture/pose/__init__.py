"""Keypoints from video for corpora without keypoints: found by MediaPipe or RTMW, in the order of OpenPose-137."""
