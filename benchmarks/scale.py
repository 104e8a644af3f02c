"""How time and memory of the clips and keypoints stages grow with the corpus, up to 41,000 clips (iMiGUE and MA-52).

    python benchmarks/scale.py [--clips 41000] [--shards 4]

Makes corpora of keypoints alone in the layout of MA-52, one small file a clip, with a tenth, half and all of the
clips, and runs the commands behind the rules on them, one after the other. Printed are the seconds of each stage, those
that processors worked for it (which hardly depend on what else the machine does), these for one clip and as a ratio to
the first corpus (1 is linear growth; starting a command takes some seconds, so that a larger corpus is below 1), and
the most memory that a command and its processes held at once.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np
import psutil

from microgesture.storage.clips import read_clips
from microgesture.storage.shards import Shard

POINTS = 28  # of which 22 are chosen
FRAMES = (8, 24)  # shortest and longest clip
SPLITS = {"train": 0.5, "val": 0.25, "test": 0.25}
GIB = 1 << 30
AIM = 2.0  # GiB


def make_corpus(folder: Path, clips: int) -> None:
    """Write lists and keypoints of that many clips; one in a thousand is damaged."""
    rng = np.random.default_rng(0)
    figure_TVC = rng.uniform((100, 100, 0.3), (900, 900, 1), (FRAMES[1], POINTS, 3)).astype(np.float32)
    (folder / "keypoints").mkdir(parents=True)
    for split, share in SPLITS.items():
        names = [
            f"{split}{i:04d}" if split == "test" else f"{i // 60:04d}_01_{i:05d}" for i in range(int(clips * share))
        ]
        names = [name.replace("_01_", "_02_") for name in names] if split == "val" else names
        (folder / f"{split}_list_videos.txt").write_text(
            "".join(f"{name}.mp4 {i % 52}\n" for i, name in enumerate(names))
        )
        for name in names:
            np.savez(folder / "keypoints" / f"{name}.npz", keypoints=figure_TVC[: rng.integers(*FRAMES, endpoint=True)])
            if rng.random() < 0.001:
                os.truncate(folder / "keypoints" / f"{name}.npz", 1000)


class Cost(NamedTuple):
    """Seconds, seconds of processors, and the most bytes held at once."""

    seconds: float
    processor: float
    peak: int


def run(*arguments: object) -> Cost:
    """Run a command of the pipeline; what it and the processes that it starts cost."""
    command = [sys.executable, "-m", "microgesture", *map(str, arguments)]
    started, peak, processor = time.perf_counter(), 0, {}
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        while process.poll() is None:
            held = 0
            for each in family(process.pid):
                with suppress(psutil.Error):  # it has just ended
                    held += each.memory_info().rss  # what processes share counts for each of them
                    processor[each.pid] = sum(each.cpu_times()[:2])
            peak = max(peak, held)
            time.sleep(0.05)
        complaint = process.stderr.read()
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)}:\n{complaint}")
    return Cost(time.perf_counter() - started, sum(processor.values()), peak)


def family(number: int) -> list[psutil.Process]:
    """A process and those that it has started."""
    try:
        process = psutil.Process(number)
        return [process, *process.children(recursive=True)]
    except psutil.Error:
        return []


def run_stages(corpus: Path, results: Path, shards: int) -> dict[str, Cost]:
    """Run the three stages of a corpus; what all commands of each cost."""
    listed, measured = results / "listed", results / "measured"
    listing = {"corpus": "scale", "format": "ma52", "root": str(corpus), "shards": shards}
    settings = json.dumps(listing | {"options": {"skeletons": "keypoints"}})
    listing_cost = run("list-clips", "--settings", settings, "--output", listed)
    costs = {"list": [listing_cost], "measure": [], "skeletons": [], "keypoints": []}
    for shard in range(shards):
        table = measured / f"{shard:04d}.parquet"
        step = json.dumps({"corpus": "scale", "root": str(corpus), "end_tolerance": 5})
        opened = "--listed", listed / f"{shard:04d}.parquet", "--shard", shard
        costs["measure"].append(run("measure-clips", "--settings", step, *opened, "--output", table))
        place = "--clips", table, "--shard", shard
        skeletons, keypoints = (
            results / stage / "scale" / f"{shard:04d}.arrow" for stage in ("skeletons", "keypoints")
        )
        root = json.dumps({"root": str(corpus)})
        costs["skeletons"].append(run("skeletons", "--settings", root, *place, "--output", skeletons))
        chosen = "--settings", '{"keypoints": {"selection": "22"}}', skeletons
        costs["keypoints"].append(run("keypoints", *chosen, *place, "--output", keypoints))
    check(sorted(measured.glob("*.parquet")), sorted(results.glob("keypoints/scale/*.arrow")))
    return {
        stage: Cost(sum(c.seconds for c in each), sum(c.processor for c in each), max(c.peak for c in each))
        for stage, each in costs.items()
    }


def check(tables: list[Path], shards: list[Path]) -> None:
    """Stop if a clip is missing from the shards, or has other than 22 points in its number of frames."""
    frames = {row.clip_id: row.n_frames for table in tables for row in read_clips(table).usable.itertuples()}
    shapes = {clip_id: shard.shape(clip_id) for shard in map(Shard, shards) for clip_id in shard.clip_ids}
    if shapes != {clip_id: (count, 22, 3) for clip_id, count in frames.items()}:
        raise RuntimeError("the shards do not hold the keypoints of the clips")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clips", type=int, default=41_000, help="clips of the largest corpus (41000)")
    parser.add_argument("--shares", type=float, nargs="+", default=[0.1, 0.5, 1.0], help="sizes to try (0.1 0.5 1)")
    parser.add_argument("--shards", type=int, default=4, help="shards of each corpus (4)")
    chosen = parser.parse_args()
    first: dict[str, float] = {}
    print(f"{'clips':>8}  {'stage':<10}{'seconds':>9}{'processor':>11}{'ms a clip':>11}{'ratio':>7}{'peak GiB':>10}")
    for share in chosen.shares:
        clips = int(chosen.clips * share)
        with tempfile.TemporaryDirectory() as name:
            corpus, results = Path(name, "corpus"), Path(name, "results")
            make_corpus(corpus, clips)
            for stage, cost in run_stages(corpus, results, chosen.shards).items():
                each = cost.processor / clips * 1000
                ratio = each / first.setdefault(stage, each)
                line = f"{clips:>8,}  {stage:<10}{cost.seconds:>9.1f}{cost.processor:>11.1f}{each:>11.2f}{ratio:>7.2f}"
                print(f"{line}{cost.peak / GIB:>10.2f}", flush=True)
    print(f"aims: a ratio of about 1 or less, memory under {AIM:g} GiB")


if __name__ == "__main__":
    main()
