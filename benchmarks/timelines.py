"""How many gestures of whole recordings an exported recogniser finds, and how many of those it finds are right.

    microgesture export --output model
    python benchmarks/timelines.py model [--split test] [--recordings 0054 0067] [--threshold 0.5]

The clips table of a corpus says where the gestures of its recordings are, and for test the file of true labels which
they are. A gesture is found if a segment of its class overlaps it by more than 0.3 (frames in both, as a share of those
in either). Thresholds are to be chosen on val; test is for the last word.
"""

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from microgesture.config.predictions import STILLNESS, FindingSettings
from microgesture.machine.resources import Resources
from microgesture.recogniser.finding import segments_of
from microgesture.recogniser.scoring import Scorer
from microgesture.recogniser.segments import Segment, at_rest
from microgesture.recogniser.windows import find_recording
from microgesture.storage.clips import Clips, read_clips


def overlap(one: Segment, other: Segment) -> float:
    """Frames that both have, as a share of those that either has, 0 to 1."""
    common = min(one.end, other.end) - max(one.start, other.start) + 1
    either = max(one.end, other.end) - min(one.start, other.start) + 1
    return max(common, 0) / either


def count_found(found: Sequence[Segment], ground_truth: Sequence[Segment], least: float = 0.3) -> int:
    """How many true segments have a found one of their class that overlaps them by more than ``least``.

    Each found segment stands for one true one; pairs are made in order of their overlap.
    """
    pairs = sorted(
        ((overlap(a, b), i, j) for i, a in enumerate(found) for j, b in enumerate(ground_truth) if a.label == b.label),
        reverse=True,
    )
    used, met = set(), set()
    for share, i, j in pairs:
        if share > least and i not in used and j not in met:
            used.add(i)
            met.add(j)
    return len(met)


def true_segments(clips: Clips, recording: str, answers: dict[str, str]) -> list[Segment]:
    """The gestures of a recording; ``answers`` name the targets of clips whose label the release does not hold."""
    label_of = {target: label for label, target in enumerate(clips.targets)}
    rows = clips.table[clips.table.recording == recording].itertuples()
    return [
        Segment(row.start, row.end, label_of[answers[row.clip_id]] if pd.isna(row.label) else int(row.label), 1.0)
        for row in rows
    ]


def main() -> None:
    """Print a line for each recording and one for all."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("model", type=Path, help="folder that microgesture export has written")
    parser.add_argument("--results", type=Path, default=Path("results"))
    parser.add_argument("--corpus", default="imigue")
    parser.add_argument("--root", type=Path, help="folder of the corpus; by default the demo's in the results")
    parser.add_argument("--ground-truth", type=Path, help="CSV with Id and Target; by default the demo's")
    parser.add_argument("--split", default="test")
    parser.add_argument("--recordings", nargs="*", help="by default all of the split")
    parser.add_argument("--threshold", type=float, help="by default the recogniser's own")
    parser.add_argument("--stillness", type=float, default=STILLNESS)
    options = parser.parse_args()
    how = FindingSettings(threshold=options.threshold, stillness=options.stillness)
    root = options.root or options.results / "demo" / options.corpus
    ground_truth = options.ground_truth or options.results / "demo" / f"{options.corpus}_test_labels.csv"
    answers = dict(pd.read_csv(ground_truth, dtype=str)[["Id", "Target"]].to_numpy().tolist())
    clips = read_clips(options.results / "clips" / f"{options.corpus}.parquet")
    files = clips.table[clips.table.split == options.split].groupby("recording").first()
    scorer = Scorer(options.model, Resources("cpu"))
    totals = [0, 0, 0]
    for name in options.recordings or files.index:
        started = time.monotonic()
        row = files.loc[name]
        recording = find_recording(root / row.video, root / row.skeleton, float(row.fps))
        windows = scorer.windows_of(recording)
        moving_N = ~at_rest(windows.motion_N, how.stillness)
        windows = scorer.score(recording, windows, np.flatnonzero(moving_N))
        found, true = segments_of(windows, how), true_segments(clips, name, answers)
        counts = [count_found(found, true), len(true), len(found)]
        totals = [sum(pair) for pair in zip(totals, counts, strict=True)]
        print(f"{name}: {sentence(*counts)}; {time.monotonic() - started:.0f} s", flush=True)
    print(f"all: {sentence(*totals)}")


def sentence(right: int, true: int, found: int) -> str:
    """The share of gestures that was found, and of what was found that is right, in words."""
    return (
        f"{right} of {true} gestures found ({right / max(true, 1):.1%}), "
        f"{right} of {found} segments right ({right / max(found, 1):.1%})"
    )


if __name__ == "__main__":
    main()
