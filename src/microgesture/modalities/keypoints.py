"""The keypoints modality: the chosen joints of each clip, cut out of the skeletons of whole recordings."""

from functools import lru_cache
from pathlib import Path

import numpy as np

from ..config.corpus_format import LARGEST
from ..config.layouts import SelectionChoice
from ..errors import UnusableClip
from ..progress import progress
from ..skeletons.keypoints import cut_clip, hands_put_right, present
from ..skeletons.layouts import Skeleton
from ..skeletons.person import InFile, Recordings
from ..skeletons.selections import selection_named
from ..skeletons.tracks import Track
from ..skeletons.trajectories import steady
from ..storage.clips import Clips, frames_of
from ..storage.shards import Noted, Shard, build_shard, each_clip
from .work import Work


def make(work: Work) -> None:
    """Run the stage; see ``select_keypoints``."""
    own, skeletons = work.settings["keypoints"], work.source("skeletons")
    how = {"fill_gaps": own.fill_gaps, "smoothing": own.smoothing, "person": work.person}
    select_keypoints(work.clips, work.shard, skeletons, work.output, work.scratch, own.selection, **how)


def select_keypoints(
    clips: Clips,
    shard: int,
    skeletons: Path,
    output: Path,
    scratch: Path,
    selection: SelectionChoice,
    *,
    fill_gaps: int = 0,
    smoothing: int | None = None,
    person: str = LARGEST,
) -> None:
    """Write one shard of the selection's keypoints, float32 (T, V, 3) for each clip, from the recordings' skeletons.

    x and y are in pixels of the source video, confidence is in [0, 1], a missing joint is (0, 0, 0). If a recording is
    in space, x, y and z in its unit follow, (T, V, 6); see ``in_picture`` and ``in_space``. Swapped hands are corrected
    with a warning. Gaps are filled and jitter is smoothed in the whole recording, see ``skeletons.trajectories``; the
    note of each clip then has ``filled``, the share of its points that were filled. If there are several people,
    ``person`` is the rule that chooses the person, and the note has the choice, see ``skeletons.person``. Raises
    ``InputError`` if there is no such selection.
    """
    chosen = selection_named(selection)
    table = clips.usable[clips.usable.shard == shard]
    rows = {row.clip_id: row for row in table.itertuples()}
    stored = Recordings(Shard(skeletons), person)

    @lru_cache(maxsize=1)  # the clips of a recording are consecutive
    def recording(file: str, track: Track | None) -> tuple[Skeleton, Skeleton]:
        """The person of a recording as in its file, and after filling and smoothing."""
        alone = hands_put_right(stored.alone(file, track), file)
        return alone, alone.converted(lambda alone_TVC: steady(alone_TVC, fill_gaps, smoothing))

    def make(clip_id: str) -> np.ndarray | Noted:
        row = rows[clip_id]
        if not isinstance(row.skeleton, str):
            raise UnusableClip(f"{clip_id} has no keypoints")
        frames_T = frames_of(row, row.skeleton_start)
        choice = stored.choice(InFile.of(row), frames_T)
        alone, steadied = recording(row.skeleton, choice and choice.track)
        clip_TVC = cut_clip(steadied, frames_T, chosen, row.skeleton)
        note = choice.note if choice else {}
        if fill_gaps:
            before_TVC = cut_clip(alone, np.minimum(frames_T, alone.length - 1), chosen, row.skeleton)
            note["filled"] = float((present(clip_TVC) & ~present(before_TVC)).mean())
        return Noted(clip_TVC, note) if note else clip_TVC

    def produce(clip_ids: list[str]):
        title = f"keypoints {output.parent.name}/{output.stem}"
        return each_clip(progress(clip_ids, title, total=len(clip_ids)), make)

    build_shard(output, scratch, list(rows), produce, "zstd_clip")
