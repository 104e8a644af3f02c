"""The windows of a recording and their predictions, kept in a file beside the timeline.

Another threshold, stillness or join needs neither the video nor the networks, only this file.
"""

import hashlib
import json
from dataclasses import dataclass, replace
from importlib.metadata import entry_points
from pathlib import Path

import numpy as np
import pyarrow as pa

from ..config.extensions import GROUP
from ..config.recogniser import SUMS
from ..corpora.versions import file_digest
from ..errors import InputError
from ..storage.parquet import read_parquet, write_parquet
from ..videos.timestamps import FrameTimes
from .windows import Recording

DIGITS = 6  # decimals of a probability, so that a page shows the very numbers that are kept
PACKAGE = Path(__file__).parents[1]


@dataclass(frozen=True, eq=False)
class Windows:
    """The windows of a recording and their predictions.

    ``starts_N`` and ``ends_N`` are the first and last frames, from 0. ``motion_N`` is how much they move, see
    ``motion.motion_of``; NaN without a video. ``scored_N`` are those that the networks have seen: windows at rest are
    not shown to them. ``probabilities_NK`` are NaN for windows that were not scored, or that no stream could use.
    ``sentences`` are doubts about the times, and the streams without predictions, with the reason. ``threshold`` and
    ``overlap`` are the recogniser's own.
    """

    name: str
    has_video: bool
    times: FrameTimes
    classes: tuple[str, ...]
    threshold: float
    overlap: bool
    starts_N: np.ndarray
    ends_N: np.ndarray
    motion_N: np.ndarray
    scored_N: np.ndarray
    probabilities_NK: np.ndarray
    sentences: tuple[str, ...] = ()

    @property
    def silent(self) -> bool:
        """Whether some windows were scored, and no stream could use any of them."""
        return bool(self.scored_N.any() and np.isnan(self.probabilities_NK).all())

    def with_scores(self, rows: np.ndarray, probabilities_MK: np.ndarray, sentences: tuple[str, ...]) -> "Windows":
        """These windows with the predictions of some more of them, given by their numbers, and new sentences."""
        scored_N, probabilities_NK = self.scored_N.copy(), self.probabilities_NK.copy()
        scored_N[rows], probabilities_NK[rows] = True, np.round(probabilities_MK, DIGITS)
        together = tuple(dict.fromkeys((*self.sentences, *sentences)))
        return replace(self, scored_N=scored_N, probabilities_NK=probabilities_NK, sentences=together)


def digest_of(recogniser: Path, recording: Path, keypoints: Path | None, fps: float, pose: bool | None) -> str:
    """Return a digest of all that scores depend on: the recogniser, the files, two settings, and this program.

    Raises ``InputError`` if the folder is no recogniser, and ``OSError`` if a file cannot be read.
    """
    if not (recogniser / SUMS).is_file():
        raise InputError(f"{recogniser} has no {SUMS}; name a folder written by `microgesture export`")
    files = [file_digest(path) for path in (recogniser / SUMS, recording, *([keypoints] if keypoints else []))]
    code = [hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(PACKAGE.rglob("*.py"))]
    extensions = sorted((point.name, point.dist and point.dist.version) for point in entry_points(group=GROUP))
    return hashlib.sha256(repr([files, fps, pose, code, extensions]).encode()).hexdigest()


def write_windows(path: Path, windows: Windows, digest: str) -> None:
    """Keep the windows of a recording, and the ``digest`` of what they were made from."""
    times = windows.times
    about = {
        "digest": digest,
        "name": windows.name,
        "has_video": windows.has_video,
        "starts": times.starts_T.tolist(),
        "end": times.end,
        "classes": windows.classes,
        "threshold": windows.threshold,
        "overlap": windows.overlap,
        "sentences": windows.sentences,
    }
    flat = pa.array(windows.probabilities_NK.astype(np.float32).ravel())
    columns = {
        "start": pa.array(windows.starts_N, pa.int32()),
        "end": pa.array(windows.ends_N, pa.int32()),
        "motion": pa.array(windows.motion_N, pa.float64()),
        "scored": pa.array(windows.scored_N, pa.bool_()),
        "probabilities": pa.FixedSizeListArray.from_arrays(flat, len(windows.classes)),
    }
    write_parquet(path, pa.table(columns), {"windows": json.dumps(about, ensure_ascii=False)})


def read_windows(path: Path, digest: str | None = None) -> Windows | None:
    """Return the kept windows of a recording; None if there are none, or if they were made from something else.

    Without a ``digest``, they may be made from anything.
    """
    if not path.is_file():
        return None
    try:
        table = read_parquet(path)
        about = json.loads(table.schema.metadata[b"windows"])
    except (InputError, KeyError, ValueError):  # of another program, or damaged: it is made again
        return None
    if digest not in (None, about["digest"]):
        return None
    flat = table["probabilities"].combine_chunks().flatten().to_numpy()
    columns = [table[name].to_numpy() for name in ("start", "end", "motion", "scored")]
    return Windows(
        about["name"],
        about["has_video"],
        FrameTimes(np.array(about["starts"]), about["end"]),
        tuple(about["classes"]),
        about["threshold"],
        about["overlap"],
        *columns,
        np.round(flat.astype(np.float64), DIGITS).reshape(len(table), len(about["classes"])),
        tuple(about["sentences"]),
    )


def empty_windows(
    recording: Recording,
    classes: tuple[str, ...],
    threshold: float,
    overlap: bool,
    starts_N: np.ndarray,
    ends_N: np.ndarray,
    motion_N: np.ndarray,
) -> Windows:
    """The windows of a recording before any of them is scored."""
    unknown_NK = np.full((len(starts_N), len(classes)), np.nan)
    return Windows(
        recording.name,
        recording.video is not None,
        recording.times,
        classes,
        threshold,
        overlap,
        starts_N,
        ends_N,
        motion_N,
        np.zeros(len(starts_N), bool),
        unknown_NK,
        recording.doubts,
    )
