"""Process the windows of a recording in pieces, each with its stretch of the video and its keypoints."""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from ..config.layouts import JointSelection
from ..errors import UnusableClip
from ..pose.making import stored as made_of
from ..pose.methods import Pose
from ..pose.videos import keypoints_of_videos
from ..skeletons.keypoints import cut_clip, hands_put_right
from ..skeletons.layouts import Skeleton
from ..skeletons.person import InFile, Recordings, noted
from ..skeletons.plausibility import DEFAULTS, Rules
from ..skeletons.reading import read_skeletons
from ..skeletons.selections import selection_named
from ..storage.clips import Clips, frames_of
from ..storage.shards import Shard, each_clip, write_shard
from .stretches import each_stretch
from .windows import Recording

log = logging.getLogger(__name__)

ROOT = Path("/")  # the files of windows are relative to it


class Piece(NamedTuple):
    """Windows as the only shard of a clips table, and the reason if their video cannot be decoded."""

    clips: Clips
    damage: UnusableClip | None


def each_piece(clips: Clips, seen: bool, folder: Path) -> Iterator[Piece]:
    """Yield the pieces of ``windows.window_table``; ``seen`` is true if the video is needed.

    If there are several pieces, the windows of each refer to a separate video of their stretch, which is deleted after
    the piece, so that a piece takes no more time and disk later in the recording. From the first frame that cannot be
    decoded on, all pieces are damaged.
    """
    pieces = [rows.assign(shard=0) for _, rows in clips.table.groupby("shard")]
    videos: Iterator[Path] = iter(())
    if seen and len(pieces) > 1 and pieces[0].video.notna().all():
        spans = [(rows.start.min(), rows.end.max()) for rows in pieces]
        spans = [(int(first), int(last)) for first, last in spans]
        videos = each_stretch(Path(pieces[0].video.iloc[0]), spans, folder)
    damage = None
    for rows in pieces:
        try:
            stretch = None if damage else next(videos, None)
        except UnusableClip as reason:
            stretch, damage = None, reason
        if stretch:
            rows = rows.assign(video=str(stretch), video_start=rows.video_start - rows.start.min())
        yield Piece(Clips(rows, clips.classes, clips.targets), damage)
        if stretch:
            stretch.unlink()


def read_keypoints(
    clips: Clips, recording: Recording, pose: Pose | None, scratch: Path, person: str, rules: Rules = DEFAULTS
) -> Skeleton | UnusableClip:
    """Read the keypoints of a recording, with swapped hands corrected; or return why it has none.

    With ``pose``, this method finds the keypoints of a video that has no file of keypoints. Of several people,
    ``person`` is the rule that chooses one for the whole recording.
    """
    stored, row = scratch / "skeletons.arrow", clips.table.iloc[[0]].assign(shard=0)
    if recording.skeleton is None and recording.video is not None and pose:
        row = row.assign(skeleton=str(recording.video))
        [(_, found)] = keypoints_of_videos({recording.video: [(0, recording.n_frames - 1)]}, pose)
        write_shard(stored, [(str(recording.video), made_of(found, pose))], "zstd")
    elif recording.skeleton is None:
        return UnusableClip(
            f"{recording.name} has no keypoints; put a file of keypoints next to the video, or find them with --pose"
        )
    else:
        read_skeletons(Clips(row, clips.classes, clips.targets), 0, ROOT, stored, scratch / "reading", rules)
    shard, file = Shard(stored), row.skeleton.iloc[0]
    people = Recordings(shard, person)
    try:
        choice = people.choice(InFile.of(next(row.itertuples())), range(shard.shape(file)[0]))
        if choice and choice.people > 1:
            close = "; another is nearly as likely" if choice.close else ""
            name = choice.track.names[0]
            log.warning("%s has %d people; %s is meant, as the %s%s", file, choice.people, name, person, close)
        return hands_put_right(people.alone(file, choice and choice.track), file)
    except UnusableClip as reason:
        return reason


def store_keypoints(
    rows: pd.DataFrame, keypoints: Skeleton | UnusableClip, selection: str | JointSelection, output: Path
) -> None:
    """Write the keypoints of some windows as the stage ``keypoints`` does for clips, or the reason for each."""
    chosen, row_of = selection_named(selection), {row.clip_id: row for row in rows.itertuples()}

    def make(clip_id: str) -> np.ndarray:
        if isinstance(keypoints, UnusableClip):
            raise keypoints
        row = row_of[clip_id]
        return cut_clip(keypoints, frames_of(row, row.skeleton_start), chosen, row.recording)

    write_shard(output, each_clip(row_of, make), "zstd")


def store_part(rows: pd.DataFrame, keypoints: Skeleton | UnusableClip, output: Path) -> pd.DataFrame:
    """Write the keypoints of some windows as a shard of skeletons; return the windows with their rows in this shard.

    It is for ``make_face``, which would otherwise read the whole recording for each piece.
    """
    part, first = keypoints, 0
    if isinstance(keypoints, Skeleton):
        first = min(int(rows.skeleton_start.min()), len(keypoints.keypoints_TVC) - 1)
        last = int((rows.skeleton_start + rows.end - rows.start).max())
        part = noted(keypoints._replace(keypoints_TVC=keypoints.keypoints_TVC[first : last + 1]))
    name = rows.recording.iloc[0]
    write_shard(output, [(name, part)], "zstd")
    return rows.assign(skeleton=name, skeleton_start=rows.skeleton_start - first)


def store_reason(rows: pd.DataFrame, reason: UnusableClip, output: Path) -> None:
    """Write a shard in which every window is unusable for the same reason."""
    write_shard(output, ((clip_id, reason) for clip_id in rows.clip_id), "raw")
