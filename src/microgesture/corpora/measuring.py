"""Measure the files of a corpus: their length, and the size and frame rate of videos."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from queue import SimpleQueue

from ..errors import UnusableClip
from ..progress import progress
from ..skeletons.reading import skeleton_length
from ..videos.isolation import Isolated, ProcessEnded
from ..videos.reading import DECODER_MEMORY, VideoInfo, probe
from .listing import Row

Measure = int | VideoInfo | UnusableClip  # frames of a skeleton file, facts of a video, or the error

AT_A_TIME = 8  # files measured in parallel, because a network drive is slow to respond
VIDEOS_A_PROCESS = 16  # for fewer, another process costs more time than it saves
SECONDS = 900  # limit for measuring a video; to count its frames the whole file is read


def measure_files(rows: Sequence[Row], folder: Path, corpus: str) -> dict[str, Measure]:
    """Measure each file, keyed by its path in ``folder``: every video, and skeletons of clips without video and end.

    Videos are opened in processes with limits of time and memory; a video that ends its process is unusable. The frames
    of a video are counted, and their times read, if a clip has no end or ends after the number of frames in the header,
    which is only a hint, and if the header has no such number. Times at a constant rate are left out.
    """
    last: dict[str, int | None] = {}  # the last frame that is needed; None: all frames
    for row in rows:
        if row.reason is None and (row.video or row.end is None):
            path = row.video or row.skeleton
            frame = None if row.end is None else row.video_start + row.end - row.start
            known = last.get(path, 0)
            last[path] = None if None in (frame, known) else max(frame, known)
    if not last:
        return {}
    videos = {row.video for row in rows} & set(last)
    processes = min(AT_A_TIME, -(-len(videos) // VIDEOS_A_PROCESS))
    with ExitStack() as stack, ThreadPoolExecutor(AT_A_TIME) as pool:
        free: SimpleQueue[Isolated] = SimpleQueue()
        for _ in range(processes):
            # The outer partial is the start function; it returns the inner one, which is ``probe``.
            free.put(stack.enter_context(Isolated(partial(partial, probe), DECODER_MEMORY)))

        def measure(path: str) -> Measure:
            try:
                return _video(folder / path, last[path], free) if path in videos else skeleton_length(folder / path)
            except UnusableClip as reason:
                return reason

        results = progress(pool.map(measure, last), f"files {corpus}", len(last), "file")
        return dict(zip(last, results, strict=True))


def _video(path: Path, last: int | None, free: SimpleQueue[Isolated]) -> VideoInfo:
    isolated = free.get()
    try:
        info = isolated.do(path, last is None, seconds=SECONDS)
        if last is not None and (info.n_frames is None or info.n_frames <= last):
            info = isolated.do(path, True, seconds=SECONDS)
        # The times of all videos of a corpus may be larger than the memory.
        return replace(info, times=None) if info.times is not None and info.times.is_constant else info
    except ProcessEnded as ending:
        raise UnusableClip(f"{path}: {ending}") from None
    finally:
        free.put(isolated)
