"""Divide a recording into stretches: each modality is made once for a stretch, and its windows are views of it."""

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from ..config.layouts import SelectionChoice
from ..errors import UnusableClip
from ..pose.making import stored as stored_pose
from ..pose.methods import Pose
from ..pose.videos import keypoints_of_videos
from ..skeletons.keypoints import LATE_ROWS, cut_clip, hands_put_right
from ..skeletons.layouts import Skeleton
from ..skeletons.person import InFile, Recordings
from ..skeletons.plausibility import DEFAULTS, Rules
from ..skeletons.reading import read_skeletons
from ..skeletons.selections import selection_named
from ..storage.clips import SCHEMA, Clips
from ..storage.shards import Shard, write_shard
from .windows import Recording

log = logging.getLogger(__name__)

LONGEST = 512  # frames of a stretch with several windows, which limits the memory for recordings of any length
ROOT = Path("/")  # the files of stretches are relative to it


@dataclass(frozen=True, eq=False)
class Stretch:
    """Successive windows, given by their numbers (M,), and the frames of the recording that they show, in order.

    If the recogniser was trained on resampled clips, frames are left out or repeated. ``keypoints`` are those of the
    frames, (T, V, 3 or 6) as the keypoints stage writes them, or the reason why there are none.
    """

    name: str
    rows_M: np.ndarray
    frames_T: np.ndarray
    keypoints: np.ndarray | UnusableClip

    def part(self, first: int, last: int) -> slice:
        """The places in ``frames_T`` of a window, given by its first and last frame; at least one place."""
        start, stop = (int(place) for place in np.searchsorted(self.frames_T, (first, last + 1)))
        start = min(start, len(self.frames_T) - 1)
        return slice(start, max(stop, start + 1))


def divided(
    recording: Recording,
    starts_M: np.ndarray,
    ends_M: np.ndarray,
    damaged_M: np.ndarray,
    keypoints: Skeleton | UnusableClip,
    selection: SelectionChoice,
    resampled: float | None = None,
) -> list[Stretch]:
    """Divide windows, which are sorted by their starts, into stretches, in the order of their first frames.

    Every frame of a stretch is shown by one of its windows, and it has at most ``LONGEST`` frames unless it is a single
    window. Windows of a stretch are alike: all are ``damaged_M`` or none, all have usable keypoints or none, and all
    show a person or none, so that one bad frame costs only the windows that show it. ``resampled`` is the frame rate of
    the frames to choose; by default all frames are chosen.
    """
    selected, usable_T, person_T = _selected(keypoints, selection, recording)
    alike: dict[tuple[bool, ...], list[int]] = {}
    for row, (start, end) in enumerate(zip(starts_M, ends_M, strict=True)):
        shown = slice(start, end + 1)
        kind = bool(damaged_M[row]), bool(usable_T[shown].all()), bool(person_T[shown].any())
        alike.setdefault(kind, []).append(row)
    stretches = []
    for (_, usable, _), rows in alike.items():
        for group_M in _grouped(rows, starts_M, ends_M):
            first, last = int(starts_M[group_M].min()), int(ends_M[group_M].max())
            frames_T = np.arange(first, last + 1, dtype=np.int32)
            if resampled:
                frames_T = recording.times.resampled(first, last, resampled)
            found = selected
            if isinstance(selected, np.ndarray):
                found = selected[np.minimum(frames_T, len(selected) - 1)]
                if not usable:
                    found = _reason(keypoints, range(first, last + 1), selection, recording)
            stretches.append(Stretch(f"{recording.name}_{first}_{last}_{len(stretches)}", group_M, frames_T, found))
    return sorted(stretches, key=lambda stretch: int(stretch.frames_T[0]))


def _grouped(rows: Sequence[int], starts_M: np.ndarray, ends_M: np.ndarray) -> Iterator[np.ndarray]:
    group, last = [rows[0]], ends_M[rows[0]]
    for row in rows[1:]:
        if starts_M[row] > last + 1 or max(last, ends_M[row]) - starts_M[group[0]] >= LONGEST:
            yield np.array(group)
            group, last = [], ends_M[row]
        group.append(row)
        last = max(last, ends_M[row])
    yield np.array(group)


def _selected(
    keypoints: Skeleton | UnusableClip, selection: SelectionChoice, recording: Recording
) -> tuple[np.ndarray | UnusableClip, np.ndarray, np.ndarray]:
    """The selection's keypoints of the whole recording; the frames with usable ones; those that show a person."""
    usable_T, person_T = np.zeros((2, recording.n_frames), bool)
    if isinstance(keypoints, UnusableClip):
        return keypoints, usable_T, person_T
    rows = min(keypoints.length, recording.n_frames)
    try:
        selected = cut_clip(keypoints.converted(np.nan_to_num), range(rows), selection_named(selection), recording.name)
    except UnusableClip as reason:
        return reason, usable_T, person_T
    usable_T[:rows] = np.isfinite(keypoints.keypoints_TVC[:rows]).all((1, 2))
    usable_T[rows : rows + LATE_ROWS] = usable_T[rows - 1]
    person_T[:rows] = (selected[..., 2] > 0).any(1)
    return selected, usable_T, person_T


def _reason(
    keypoints: Skeleton, frames: Sequence[int], selection: SelectionChoice, recording: Recording
) -> np.ndarray | UnusableClip:
    """Why the keypoints of some frames cannot be used."""
    try:
        return cut_clip(keypoints, frames, selection_named(selection), str(recording.skeleton or recording.video))
    except UnusableClip as reason:
        return reason


def clips_of(recording: Recording, stretches: Iterable[Stretch], rate: float | None, classes: Sequence[str]) -> Clips:
    """The stretches as clips, so that every stage processes them; ``rate`` is that of resampled frames."""
    rows = []
    for stretch in stretches:
        first, last = int(stretch.frames_T[0]), int(stretch.frames_T[-1])
        frames = stretch.frames_T - first if rate else None
        rows.append((stretch.name, first, last, len(stretch.frames_T), frames))
    table = pd.DataFrame(rows, columns=["clip_id", "start", "end", "n_frames", "frames"])
    table = table.assign(
        corpus="videos",
        recording=recording.name,
        subject=None,
        split="test",
        label=pd.array([None] * len(table), "Int32"),
        video=str(recording.video) if recording.video else None,
        video_start=table.start,
        video_frames=pd.array([recording.n_frames if recording.video else None] * len(table), "Int32"),
        skeleton=str(recording.skeleton) if recording.skeleton else None,
        skeleton_start=table.start,
        person=None,
        fps=np.float32(rate or recording.times.rate),
        width=pd.array([recording.width] * len(table), "Int32"),
        height=pd.array([recording.height] * len(table), "Int32"),
        shard=0,
        status="ok",
        reason=None,
    )
    return Clips(table[SCHEMA.names], tuple(classes), tuple(classes))


def read_keypoints(
    recording: Recording, pose: Pose | None, scratch: Path, person: str, rules: Rules = DEFAULTS
) -> Skeleton | UnusableClip:
    """Read the keypoints of a recording, with swapped hands corrected; or return why it has none.

    With ``pose``, this method finds the keypoints of a video that has no file of keypoints. Of several people,
    ``person`` is the rule that chooses one for the whole recording.
    """
    stored = scratch / "skeletons.arrow"
    whole = Stretch(recording.name, np.array([0]), np.arange(recording.n_frames), UnusableClip(""))
    clips = clips_of(recording, [whole], None, ())
    if recording.skeleton is None and recording.video is not None and pose:
        clips = replace(clips, table=clips.table.assign(skeleton=str(recording.video)))
        [(_, found)] = keypoints_of_videos({recording.video: [(0, recording.n_frames - 1)]}, pose)
        write_shard(stored, [(str(recording.video), stored_pose(found, pose))], "zstd")
    elif recording.skeleton is None:
        return UnusableClip(
            f"{recording.name} has no keypoints; put a file of keypoints next to the video, or find them with --pose"
        )
    else:
        read_skeletons(clips, 0, ROOT, stored, scratch / "reading", rules)
    shard, file = Shard(stored), clips.table.skeleton.iloc[0]
    people = Recordings(shard, person)
    try:
        choice = people.choice(InFile.of(next(clips.table.itertuples())), range(shard.shape(file)[0]))
        if choice and choice.people > 1:
            close = "; another is nearly as likely" if choice.close else ""
            name = choice.track.names[0]
            log.warning("%s has %d people; %s is chosen, as the %s%s", file, choice.people, name, person, close)
        return hands_put_right(people.alone(file, choice and choice.track), file)
    except UnusableClip as reason:
        return reason
