"""The rgb modality: each source video decoded once, each clip cropped to its person."""

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
    margin: float,
) -> None:
    """Store the clips of a shard, uint8 (T, H, W, 3) RGB in 0..255, cropped to the person and resized.

    The box is that of the clip's points in the ``keypoints`` shard (see ``person_box``; ``margin`` is a share of the
    person's extent), and the full frame where the clip has none; its shorter side becomes ``size`` pixels. A clip that
    cannot be decoded has no frames and says why, see ``store_decoded``. ``root`` is the corpus's folder, or a file in
    it such as ``clips.csv``.
    """
    store_decoded("rgb", clips, shard, root, partial(cutter, keypoints, size, margin), output, scratch)


def make(work: Work) -> None:
    """The stage; see ``make_rgb``."""
    settings, keypoints = work.settings["rgb"], work.shards.get("keypoints")
    make_rgb(work.clips, work.shard, work.root, keypoints, work.output, work.scratch, **settings.model_dump())
