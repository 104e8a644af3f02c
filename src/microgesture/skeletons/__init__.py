"""Skeletons: the files of the releases, the selections of joints, and what networks are shown of them."""
