"""From videos to their timelines: what the command behind ``predict-videos`` does."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from ..batches import Machine
from ..errors import InputError, UnusableClip
from .scoring import Scorer
from .segments import THRESHOLD, find_segments
from .timeline import write_timeline
from .windows import find_recording


def find_gestures(
    folder: Path,
    videos: Sequence[Path],
    output: Path,
    keypoints: Path | None,
    fps: float,
    threshold: float | None,
    machine: Machine,
) -> Iterator[str]:
    """Write ``<name>.csv`` in ``output`` for each video or file of keypoints, and tell of each in sentences.

    ``folder`` is an exported recogniser, ``keypoints`` those of the one video, ``fps`` frames a second where a file
    does not say, ``threshold`` that of ``find_segments``, by default ours. A file that cannot be used is told of and
    passed over. Raises ``InputError`` if the folder is none, if two files have one name, or if none can be used.
    """
    names = [video.stem for video in videos]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise InputError(f"two of the videos are named {twice[0]}, and so would their timelines; rename one")
    if keypoints and len(videos) > 1:
        raise InputError(f"--keypoints goes with one video, not with {len(videos)}; lay each file beside its video")
    scorer = Scorer(folder, machine)
    classes, usable = scorer.recogniser.classes, 0
    output.mkdir(parents=True, exist_ok=True)
    for video in videos:
        try:
            recording = find_recording(video, keypoints, fps)
        except UnusableClip as reason:
            yield str(reason)
            continue
        windows = scorer.score(recording)
        yield from windows.sentences
        if windows.silent:
            yield f"{recording.name}: no stream could use any of it"
            continue
        least = THRESHOLD if threshold is None else threshold
        found = find_segments(windows.starts_N, windows.ends_N, windows.probabilities_NK, least)
        write_timeline(output / f"{recording.name}.csv", found, classes, recording.fps)
        yield f"{output / recording.name}.csv: {len(found)} gestures in {recording.n_frames / recording.fps:.1f} s"
        usable += 1
    if not usable:
        raise InputError("none of the files could be used; see the reasons above")
