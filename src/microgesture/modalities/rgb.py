"""The modalities rgb and rgb_person: each source video is decoded once, and each clip may be cropped to its person."""

from functools import partial
from pathlib import Path

from ..storage.clips import Clips
from .cutting import cutter
from .decoded import store_decoded
from .work import Work


def make_rgb(
    clips: Clips,
    shard: int,
    root: Path,
    keypoints: Path | None,
    output: Path,
    scratch: Path,
    size: int,
    margin: float | None,
) -> None:
    """Store the clips of a shard, uint8 (T, H, W, 3) RGB in 0..255, cropped to the person and resized.

    The crop is the box around the clip's points in the ``keypoints`` shard (see ``person_box``; ``margin`` is a
    fraction of the person's extent). It is the full frame if the clip has no points, or if ``margin`` is None. Its
    shorter side becomes ``size`` pixels. A clip that cannot be decoded is stored without frames, with the reason; see
    ``store_decoded``. ``root`` is the corpus's folder, or a file in it such as ``clips.csv``.
    """
    store_decoded("rgb", clips, shard, root, partial(cutter, keypoints, size, margin), output, scratch)


def make(work: Work) -> None:
    """Run the stage; see ``make_rgb``."""
    (settings,) = work.settings.values()
    files = work.root, work.shards.get("keypoints"), work.output, work.scratch
    make_rgb(work.clips, work.shard, *files, size=settings.size, margin=settings.person_margin)
