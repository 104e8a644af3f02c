"""The keypoints modality: the chosen joints of each clip, cut out of the skeletons of whole recordings."""

from ..skeletons.keypoints import select_keypoints
from .work import Work


def make(work: Work) -> None:
    """Run the stage; see ``select_keypoints``."""
    selection = work.settings["keypoints"].selection
    select_keypoints(work.clips, work.shard, work.source("skeletons"), work.output, work.scratch, selection)
