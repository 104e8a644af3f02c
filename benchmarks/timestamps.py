"""What the times of frames cost: measuring a video and cutting its clips, per frame, as ratios in one run.

    python benchmarks/timestamps.py [--before ../other-checkout/src] [--frames 600] [--source 720] [--repeats 5]

The video has clips of 60 frames, as mp4 (whose index tells the times) and as Matroska (whose frames are counted).
``--before`` names the sources of another version, which take turns with these. All times are those of the
processor in one process, without starting it: trust the ratios, not the milliseconds.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import av
import numpy as np

import microgesture
from microgesture.corpora import list_clips
from microgesture.modalities.cutting import cutter
from microgesture.modalities.decoded import cut_clips
from microgesture.videos.reading import probe
from microgesture.videos.writing import write_video

CLIP, SIZE = 60, 256


def write_corpus(folder: Path, suffix: str, frames: int, height: int) -> None:
    """Write a video and the list of its clips."""
    from modalities import scene  # with torch, which takes seconds to import

    pictures = scene(frames, height, height * 16 // 9, np.random.default_rng(0))
    folder.mkdir()
    write_video(folder / "video.mp4", pictures, 25, quick=True)
    if suffix != "mp4":
        copy(folder / "video.mp4", folder / f"video.{suffix}")
    rows = [
        f"c{start},train,x,video.{suffix},{start},{start + CLIP - 1}" for start in range(0, frames - CLIP + 1, CLIP)
    ]
    (folder / "clips.csv").write_text("\n".join(["clip_id,split,label,video,start,end", *rows]) + "\n")


def copy(source: Path, target: Path) -> None:
    """Copy the coded frames of a video into another container."""
    with av.open(str(source)) as old, av.open(str(target), "w") as new:
        stream = new.add_stream_from_template(old.streams.video[0])
        for packet in old.demux(video=0):
            if packet.size:
                packet.stream = stream
                new.mux(packet)


class Here:
    """Cuts clips in this process, in place of ``Isolated``."""

    def each(self, video: Path, frames: dict, seconds: float) -> Iterator:
        return cutter(None, SIZE, 0.2)(video, frames)


def once(folder: Path) -> None:
    """Print the processor's seconds of reading a video's header, of reading its times, and of cutting its clips."""
    rows = list_clips("mine", "manifest", folder, 1).table
    video = folder / rows.video.iloc[0]
    marks = [time.process_time()]
    cut = partial(deque, cut_clips(rows, folder, Here()), 0)
    for work in (partial(probe, video), partial(probe, video, count=True), cut):
        work()
        marks.append(time.process_time())
    print(*np.diff(marks))


def main() -> None:
    """Print the times per frame of each version, and their ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--before", type=Path, help="the folder src of another version")
    parser.add_argument("--frames", type=int, default=600)
    parser.add_argument("--source", type=int, default=720, help="height of the video in pixels, 16:9 (720)")
    parser.add_argument("--repeats", type=int, default=5, help="turns of which the median is taken (5)")
    parser.add_argument("--once", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.once:
        once(chosen.once)
        return
    versions = {"before": chosen.before} if chosen.before else {}
    versions["now"] = Path(microgesture.__file__).parents[1]
    with tempfile.TemporaryDirectory() as folder:
        for suffix in ("mp4", "mkv"):
            corpus = Path(folder, suffix)
            write_corpus(corpus, suffix, chosen.frames, chosen.source)
            seconds: dict[str, list[list[float]]] = {name: [] for name in versions}
            for _ in range(chosen.repeats):
                for name, sources in versions.items():
                    command = [sys.executable, __file__, "--once", str(corpus)]
                    environment = os.environ | {"PYTHONPATH": str(sources)}
                    printed = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
                    seconds[name].append([float(part) for part in printed.stdout.split()])
            print(f"\n{chosen.frames} frames of {chosen.source} lines, {suffix}")
            report(seconds, chosen.frames)


def report(seconds: dict[str, list[list[float]]], frames: int) -> None:
    """Print the median times per frame, and the median ratio of neighbouring turns."""
    for name, turns in seconds.items():
        header, times, cutting = 1e3 * np.median(turns, axis=0) / frames
        print(f"  {name:<7} header {header:.4f}, times {times:.4f}, cutting {cutting:.4f} ms a frame")
        print(
            f"  {'':<7} the times take {times / cutting:.2%} of cutting, {times - header:.4f} ms more than the header"
        )
    if "before" in seconds:
        ratios = [now[2] / before[2] for now, before in zip(seconds["now"], seconds["before"], strict=True)]
        print(f"  now / before: cutting {np.median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f})")


if __name__ == "__main__":
    main()
