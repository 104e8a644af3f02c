"""Find gestures in videos and write their timelines, for the command ``predict-videos``."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from ..config.predictions import FindingSettings
from ..errors import InputError, UnusableClip
from ..machine.resources import Resources
from ..terminal import counted
from .annotation import annotate
from .page import write_page
from .scoring import Scorer, Windows
from .segments import Segment, find_segments, joined, without_rest
from .timeline import may_replace, write_timeline
from .windows import find_recording


def find_gestures(
    folder: Path,
    videos: Sequence[Path],
    output: Path,
    keypoints: Path | None,
    how: FindingSettings,
    resources: Resources,
) -> Iterator[str]:
    """Write ``<name>.csv`` in ``output`` for each video or file of keypoints, and yield messages about each.

    ``folder`` is an exported recogniser, ``keypoints`` is the file of keypoints for a single video. With
    ``how.pictures``, ``<name>.mp4`` is the annotated video and ``<name>.html`` the timeline next to it. A file that
    cannot be used is reported and skipped. Raises ``InputError`` if the folder is not a recogniser, if two files have
    the same name, if a file or a link to it is in ``output``, if another table there has the name of a timeline, or if
    no file can be used.
    """
    names = [video.stem for video in videos]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise InputError(f"two of the videos have the name {twice[0]}, which names their timelines; rename one")
    if keypoints and len(videos) > 1:
        raise InputError(
            f"--keypoints needs a single video, not {len(videos)}; put each file of keypoints next to its video instead"
        )
    given = [*videos, *([keypoints] if keypoints else [])]
    # A result would also replace a link to a file.
    places = {file: {file.resolve().parent, file.parent.resolve()} for file in given}
    if beside := [file for file in given if output.resolve() in places[file]]:
        raise InputError(f"{beside[0]} is in {output}, where results could replace it; name another output folder")
    if other := [path for name in names if not may_replace(path := output / f"{name}.csv")]:
        raise InputError(f"{other[0]} is no timeline, and would be replaced by one; name another output folder")
    scorer = Scorer(folder, resources, how.pose)
    classes, usable = scorer.recogniser.classes, 0
    output.mkdir(parents=True, exist_ok=True)
    for video in videos:
        try:
            recording = find_recording(video, keypoints, how.fps)
        except UnusableClip as reason:
            yield str(reason)
            continue
        yield from recording.doubts
        windows = scorer.score(recording)
        yield from windows.sentences
        if windows.silent:
            yield f"{recording.name}: no stream could use any window of it"
            continue
        found = segments_of(windows, how)
        write_timeline(output / f"{recording.name}.csv", found, classes, recording.times)
        if how.pictures:
            yield from _show(output, windows, found, classes)
        yield f"{output / recording.name}.csv: {counted(len(found), 'gesture')} in {recording.times.end:.1f} s"
        if not found:
            yield _likeliest(windows, classes)
        usable += 1
    if not usable:
        raise InputError("none of the files could be used; see the reasons above")


def segments_of(windows: Windows, how: FindingSettings) -> list[Segment]:
    """Return the gestures in the windows of a recording, in order."""
    probabilities_NK = without_rest(windows.probabilities_NK, windows.motion_N, how.stillness)
    found = find_segments(windows.starts_N, windows.ends_N, probabilities_NK, how.threshold)
    return found if how.join is None else joined(found, how.join, windows.recording.times)


def _likeliest(windows: Windows, classes: Sequence[str]) -> str:
    """Describe the most probable gesture of a recording in which none was found."""
    row, label = np.unravel_index(np.nanargmax(windows.probabilities_NK), windows.probabilities_NK.shape)
    second = windows.recording.times.starts_T[windows.starts_N[row]]
    return (
        f"{windows.recording.name}: the most probable gesture is {classes[label]} at {second:.1f} s, with probability "
        f"{windows.probabilities_NK[row, label]:.2f}; lower threshold or stillness to find more"
    )


def _show(output: Path, windows: Windows, found: Sequence[Segment], classes: Sequence[str]) -> Iterator[str]:
    """Write the annotated video and the page of a recording; yield a message if the video cannot be written."""
    recording, shown = windows.recording, None
    if recording.video:
        path = output / f"{recording.name}.mp4"
        try:
            annotate(recording, found, classes, path)
            shown = path.name
        except UnusableClip as reason:
            yield f"{recording.name}: no annotated video: {reason}"
    page = output / f"{recording.name}.html"
    sentences = (*recording.doubts, *windows.sentences)
    write_page(page, recording.name, found, classes, recording.times, shown, sentences)
