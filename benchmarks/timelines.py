"""How many gestures of whole recordings an exported recogniser finds, and how many of those it finds are right.

    microgesture export --output model
    python benchmarks/timelines.py model [--split test] [--recordings 0054 0067] [--threshold 0.5]

The clips table of a corpus says where the gestures of its recordings are, and for test the file of true labels which
they are. A gesture is found if a segment of its class overlaps it by more than 0.3. Thresholds are to be chosen on val;
test is for the last word.
"""

import argparse
import resource
import time
from pathlib import Path

import numpy as np
import pandas as pd

from microgesture.config.predictions import STILLNESS, FindingSettings
from microgesture.machine.resources import Resources
from microgesture.measures.detection import Detection, Gesture, detect
from microgesture.recogniser.finding import segments_of
from microgesture.recogniser.scoring import Scorer
from microgesture.recogniser.segments import at_rest
from microgesture.recogniser.windows import find_recording
from microgesture.storage.clips import Clips, read_clips


def true_gestures(clips: Clips, recording: str, answers: dict[str, str]) -> list[Gesture]:
    """The gestures of a recording; ``answers`` name the targets of clips whose label the release does not hold."""
    label_of = {target: label for label, target in enumerate(clips.targets)}
    rows = clips.table[clips.table.recording == recording].itertuples()
    return [
        gesture(recording, label_of[answers[row.clip_id]] if pd.isna(row.label) else row.label, row.start, row.end)
        for row in rows
    ]


def gesture(recording: str, label: int, start: int, end: int) -> Gesture:
    """A gesture on a time axis of frames."""
    return Gesture(recording, str(label), start, end + 1)


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
    found, true, seconds, spent = [], [], 0.0, 0.0
    for name in options.recordings or files.index:
        before = time.process_time()
        row = files.loc[name]
        recording = find_recording(root / row.video, root / row.skeleton, float(row.fps))
        windows = scorer.windows_of(recording)
        windows = scorer.score(recording, windows, np.flatnonzero(~at_rest(windows.motion_N, how.stillness)))
        own = [gesture(name, one.label, one.start, one.end) for one in segments_of(windows, how)]
        ground_truth = true_gestures(clips, name, answers)
        seconds, spent = seconds + recording.times.end, spent + time.process_time() - before
        print(f"{name}: {sentence(detect(own, ground_truth))}", flush=True)
        found, true = [*found, *own], [*true, *ground_truth]
    print(f"all: {sentence(detect(found, true))}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"{spent / seconds:.2f} CPU-seconds per second of video, without decoding; {peak:.2f} GiB at most")


def sentence(counts: Detection) -> str:
    """The share of gestures that was found, and of what was found that is right, in words."""
    found, true, right, _ = counts
    return (
        f"{right} of {true} gestures found ({right / max(true, 1):.1%}), "
        f"{right} of {found} segments right ({right / max(found, 1):.1%})"
    )


if __name__ == "__main__":
    main()
