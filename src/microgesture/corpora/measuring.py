"""What the files of a corpus say of themselves: length, and of a video its size and rate."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from queue import SimpleQueue

from ..errors import UnusableClip
from ..progress import progress
from ..skeletons.reading import skeleton_length
from ..videos.isolation import Isolated, ProcessEnded
from ..videos.reading import DECODER_MEMORY, VideoInfo, probe
from .listing import Row

Measure = int | VideoInfo | UnusableClip  # frames of a skeleton file, a video's own account of itself, or why neither

AT_A_TIME = 8  # files, as a network drive keeps one waiting
VIDEOS_A_PROCESS = 16  # it would not pay to start one for fewer
SECONDS = 900  # to look into a video or to count its frames, for which it is read as a whole


def measure_files(rows: Sequence[Row], folder: Path, corpus: str) -> dict[str, Measure]:
    """The measure of each file by its path in ``folder``: of every video, and of skeletons where nothing else tells.

    Videos are opened in processes with a limit of time and memory: one that ends its process is unusable and says so.
    Their frames are counted where an end is open or lies beyond what the header claims, which is only a hint.
    """
    last: dict[str, int | None] = {}  # the last frame that is needed; None: all are, however many there are
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
            # What is started is ``probe`` itself.
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
        if last is not None and info.n_frames is not None and info.n_frames <= last:
            info = isolated.do(path, True, seconds=SECONDS)
        return info
    except ProcessEnded as ending:
        raise UnusableClip(f"{path}: {ending}") from None
    finally:
        free.put(isolated)
