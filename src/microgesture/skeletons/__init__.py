"""Skeletons: the files of the releases, the selections of joints, and the inputs of networks."""
