"""Find gestures in videos and write their timelines, for the command ``predict-videos``."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..config.predictions import FindingSettings
from ..errors import InputError, UnusableClip
from ..terminal import counted
from .coder_files import write_boris, write_elan
from .page import write_page
from .recordings import SKELETONS, keypoints_beside
from .scores import Windows, digest_of, read_windows, write_windows
from .segments import Segment, at_rest, candidates, find_segments
from .timeline import may_replace, write_subtitles, write_timeline

if TYPE_CHECKING:
    from ..machine.resources import Resources
    from .scoring import Scorer
    from .windows import Recording


def find_gestures(
    folder: Path,
    videos: Sequence[Path],
    output: Path,
    keypoints: Path | None,
    how: FindingSettings,
    resources: Callable[[], "Resources"],
) -> Iterator[str]:
    """Write ``<name>.csv`` in ``output`` for each video or file of keypoints, and yield messages about each.

    ``folder`` is an exported recogniser, ``keypoints`` is the file of keypoints for a single video. The scores of
    windows are kept as ``<name>.windows.parquet``. Where they exist and nothing that they depend on has changed, no
    network runs, no video is read, and ``resources`` is not called. The gestures are also written as subtitles and for
    ELAN and BORIS. With ``how.pictures``, ``<name>.mp4`` is the video for browsers and ``<name>.html`` the timeline
    next to it. A file that cannot be used is reported and skipped. Raises ``InputError`` if the folder is not a
    recogniser, if two files have the same name, if a file or a link to it is in ``output``, if another table there has
    the name of a timeline, or if no file can be used.
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
    usable = 0
    recogniser = _Recogniser(folder, how, resources)
    output.mkdir(parents=True, exist_ok=True)
    for video in videos:
        source = _Source(video, keypoints, how.fps)
        try:
            kept = output / f"{video.stem}.windows.parquet"
            windows, is_new = recogniser.windows(source, kept)
            told = windows.sentences
            yield from told
            windows = recogniser.scored(source, windows, kept)
        except UnusableClip as reason:
            yield str(reason)
            continue
        yield from [sentence for sentence in windows.sentences if sentence not in told]
        if windows.silent:
            yield f"{windows.name}: no stream could use any window of it"
            continue
        found = segments_of(windows, how)
        write_timeline(output / f"{windows.name}.csv", found, windows.classes, windows.times)
        write_subtitles(output / f"{windows.name}.srt", found, windows.classes, windows.times)
        media = video if windows.has_video else None
        write_elan(output / f"{windows.name}.eaf", found, windows.classes, windows.times, media)
        write_boris(output / f"{windows.name}_boris.xlsx", found, windows.classes, windows.times)
        if how.pictures:
            yield from _show(output, source, windows, how, is_new)
        yield f"{output / windows.name}.csv: {counted(len(found), 'gesture')} in {windows.times.end:.1f} s"
        if not found:
            yield _likeliest(windows)
        usable += 1
    if not usable:
        raise InputError("none of the files could be used; see the reasons above")


class _Source:
    """A video or a file of keypoints; it is measured only if that is needed."""

    def __init__(self, path: Path, keypoints: Path | None, fps: float) -> None:
        self.path, self.fps = path, fps
        beside = [] if path.suffix.lower() in SKELETONS else keypoints_beside(path)
        self.keypoints = keypoints or next(iter(beside), None)

    @cached_property
    def recording(self) -> "Recording":
        from .windows import find_recording

        return find_recording(self.path, self.keypoints, self.fps)


class _Recogniser:
    """An exported folder whose networks are loaded only if windows have to be scored."""

    def __init__(self, folder: Path, how: FindingSettings, resources: Callable[[], "Resources"]) -> None:
        self._folder, self._how, self._resources = folder, how, resources

    @cached_property
    def _scorer(self) -> "Scorer":
        from .scoring import Scorer

        return Scorer(self._folder, self._resources(), self._how.pose)

    def windows(self, source: "_Source", kept: Path) -> tuple[Windows, bool]:
        """The windows of a recording, and whether they are new: those that are kept in a file have scores.

        Raises ``UnusableClip``.
        """
        if source.path.is_file() and (windows := read_windows(kept, self._digest(source))):
            return windows, False
        scorer = self._scorer  # a folder that is no recogniser is refused before a video is read
        return scorer.windows_of(source.recording), True

    def scored(self, source: "_Source", windows: Windows, kept: Path) -> Windows:
        """The windows with scores of all that are not at rest; new scores are kept. Raises ``UnusableClip``."""
        missing_N = ~windows.scored_N & ~at_rest(windows.motion_N, self._how.stillness)
        if missing_N.any():
            windows = self._scorer.score(source.recording, windows, np.flatnonzero(missing_N))
            write_windows(kept, windows, self._digest(source))
        return windows

    def _digest(self, source: "_Source") -> str:
        return digest_of(self._folder, source.path, source.keypoints, self._how.fps, self._how.pose)


def segments_of(windows: Windows, how: FindingSettings) -> list[Segment]:
    """Return the gestures in the windows of a recording, in order."""
    threshold, overlap = resolved(windows, how)
    found = candidates(windows.starts_N, windows.ends_N, live(windows, how), threshold, overlap)
    return find_segments(found, threshold, overlap, None if how.join is None else (how.join, windows.times))


def resolved(windows: Windows, how: FindingSettings) -> tuple[float, bool]:
    """The threshold, and whether gestures may overlap: the recogniser's own unless the settings have others."""
    threshold = windows.threshold if how.threshold is None else how.threshold
    return threshold, windows.overlap if how.overlap is None else how.overlap


def live(windows: Windows, how: FindingSettings) -> np.ndarray:
    """The probabilities of windows, NaN where they are at rest."""
    return np.where(at_rest(windows.motion_N, how.stillness)[:, None], np.nan, windows.probabilities_NK)


def _likeliest(windows: Windows) -> str:
    """Describe the most probable gesture of a recording in which none was found."""
    row, label = np.unravel_index(np.nanargmax(windows.probabilities_NK), windows.probabilities_NK.shape)
    second = windows.times.starts_T[windows.starts_N[row]]
    return (
        f"{windows.name}: the most probable gesture is {windows.classes[label]} at {second:.1f} s, with probability "
        f"{windows.probabilities_NK[row, label]:.2f}; lower threshold or stillness to find more"
    )


def _show(output: Path, source: _Source, windows: Windows, how: FindingSettings, is_new: bool) -> Iterator[str]:
    """Write the page of a recording and its video for browsers; yield a message if the video cannot be written."""
    film = output / f"{windows.name}.mp4" if windows.has_video else None
    if film and (is_new or not film.is_file()):
        from .film import write_film

        try:
            write_film(source.recording, film)
        except UnusableClip as reason:
            yield f"{windows.name}: no video for the page: {reason}"
            film = None
    threshold, overlap = resolved(windows, how)
    page = output / f"{windows.name}.html"
    write_page(page, replace(windows, probabilities_NK=live(windows, how)), threshold, overlap, how.join, film)
