"""What a first study reaches with the configuration that ``microgesture init`` proposes, before and after a change.

Starts a study of a folder of clips, runs it for each seed, and prints a table with the accuracy of each stream and of
the ensemble: on the held-out clips that the report shows, and on the test clips if the list has their labels.

    python benchmarks/first_study.py clips --work /tmp/first --seeds 0 1 2 --before ../old-checkout
    python benchmarks/first_study.py --demo 100 --work /tmp/first-demo
    python benchmarks/first_study.py videos --work /tmp/quick --pose mediapipe --epochs 5  # a quick look, not a result

Finished runs are kept in ``--work``, so the command can be stopped and repeated.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

ROOT = Path(__file__).resolve().parent.parent
DEMO = {  # people and clips of each split, by the number of clips
    24: ({"train": 4, "val": 2, "test": 2}, {"train": 16, "val": 4, "test": 4}),
    100: ({"train": 6, "val": 3, "test": 3}, {"train": 56, "val": 19, "test": 25}),
    470: ({"train": 12, "val": 5, "test": 6}, {"train": 260, "val": 90, "test": 120}),
}


def demo_clips(folder: Path, size: int) -> Path:
    """Draw a demo corpus as somebody's own recordings: videos, keypoints, and one list with all labels."""
    from microgesture.corpora import list_clips
    from microgesture.demo.corpus import make_demo

    if (folder / "clips.csv").exists():
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    subjects, clips = DEMO[size]
    with tempfile.TemporaryDirectory() as name:
        root = Path(name, "release")
        make_demo(root, "miga", Path(name, "truth.csv"), 1, subjects, clips, (320, 240), workers=1)
        found = list_clips("demo", "miga", root, 1)
        truth = pd.read_csv(Path(name, "truth.csv"), dtype=str).set_index("Id").Target
        names = dict(zip(map(str, found.targets), found.classes, strict=True))
        table = found.table
        labels = [
            names[truth[row.clip_id]] if row.split == "test" else found.classes[row.label] for row in table.itertuples()
        ]
        for column in ("video", "skeleton"):
            for path in table[column].unique():
                os.rename(root / path, folder / Path(path).name)
        listed = table[["split", "subject"]].assign(
            label=labels, video=table.video.map(lambda path: Path(path).name), start_frame=table.start,
            end_frame=table.end,
        )  # fmt: skip
        listed.to_csv(folder / "clips.csv", index=False)
    return folder


def start(checkout: Path, folder: Path, study: Path, pose: Sequence[str], epochs: int | None) -> None:
    """Start a study with the code of a checkout, unless it was started before."""
    if (study / "config.yaml").exists():
        return
    command = [sys.executable, "-m", "microgesture", "init", str(study), "--from", str(folder)]
    subprocess.run([*command, *pose], env=_environment(checkout), check=True)
    if epochs:
        file = study / "config.yaml"
        text = re.sub(r"(?<=epochs: )\d+", lambda found: str(min(epochs, int(found[0]))), file.read_text())
        file.write_text(text.replace("warmup_epochs: 2", f"warmup_epochs: {min(2, epochs / 2):g}"))


def run(checkout: Path, study: Path, seed: int, cores: int) -> pd.DataFrame:
    """Run a study with a seed, and return its table: name, held_out, test, and the minutes of the whole run."""
    kept = study / f"seed{seed}.csv"
    if not kept.exists():
        started = time.monotonic()
        targets = ["results/ensembles/final/summary.csv", "results/submission.csv"]
        labelled = "ground_truth" in (study / "config.yaml").read_text()
        targets += ["results/cross_subject/ablation.csv"] if labelled else []
        command = [sys.executable, "-m", "snakemake", "--cores", str(cores), "--directory", str(study)]
        command += ["--configfile", str(study / "config.yaml"), "--config", f"seed={seed}", "--", *targets]
        subprocess.run(command, cwd=checkout, env=_environment(checkout), check=True)
        minutes = (time.monotonic() - started) / 60
        summary = pd.read_csv(study / "results/ensembles/final/summary.csv").set_index("name")
        table = pd.DataFrame({"held_out": summary.accuracy, "weight": summary.weight})
        if labelled:
            test = pd.read_csv(study / "results/cross_subject/ablation.csv").set_index("name")
            table = table.reindex(table.index.union(test.index, sort=False)).assign(test=test.accuracy)
        table.assign(seed=seed, minutes=round(minutes, 1)).to_csv(kept)
    return pd.read_csv(kept)


def shown(runs: pd.DataFrame) -> str:
    """The mean over seeds, with the range in brackets, as a table in Markdown."""
    lines = [
        "| defaults | stream or ensemble | held out | test | minutes of the run |",
        "| --- | --- | --- | --- | --- |",
    ]
    for (which, name), rows in runs.groupby(["defaults", "name"], sort=False):
        cells = [_mean(rows[column]) if column in rows else "" for column in ("held_out", "test")]
        lines.append(f"| {which} | {name} | {' | '.join(cells)} | {rows.minutes.mean():.0f} |")
    return "\n".join(lines)


def _mean(values: pd.Series) -> str:
    values = values.dropna()
    if values.empty:
        return ""
    return f"{values.mean():.3f}" + (f" ({values.min():.3f} to {values.max():.3f})" if len(values) > 1 else "")


def _environment(checkout: Path) -> dict[str, str]:
    paths = [str(checkout / "src"), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", help="folder of clips, as for init")
    parser.add_argument("--demo", type=int, choices=DEMO, help="draw a demo with so many clips instead")
    parser.add_argument("--work", type=Path, required=True, help="folder for the studies")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--before", type=Path, help="a checkout whose defaults are measured too")
    parser.add_argument("--pose", help="the method that finds keypoints in the videos, as for init")
    parser.add_argument("--epochs", type=int, help="at most so many epochs")
    parser.add_argument("--cores", type=int, default=2)
    asked = parser.parse_args()
    if (asked.folder is None) == (asked.demo is None):
        parser.error("give a folder of clips or --demo")
    folder = asked.folder or demo_clips(asked.work / "clips", asked.demo)
    checkouts = {**({"before": asked.before.resolve()} if asked.before else {}), "now": ROOT}
    runs = []
    for which, checkout in checkouts.items():
        study = asked.work / which
        # Until there was a second method, --pose had no value.
        method = [asked.pose] if asked.pose and which == "now" else []
        start(checkout, folder.resolve(), study, ["--pose", *method] if asked.pose else [], asked.epochs)
        runs += [run(checkout, study.resolve(), seed, asked.cores).assign(defaults=which) for seed in asked.seeds]
    print(shown(pd.concat(runs)))


if __name__ == "__main__":
    main()
