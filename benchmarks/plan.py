"""How long Snakemake takes to plan a full-size run: MM-Gesture on iMiGUE and MA-52 in 64 shards, 5 folds.

Makes a folder with the releases' file names (empty files: planning opens none) and times ``snakemake -n`` on it.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

# Clips of iMiGUE are rows of its 359 label files (18,499 in all); MA-52 has one file a clip (22,422).
IMIGUE = {"imigue_data_phase1/imigue_skeleton_train": 241, "imigue_data_phase1/imigue_skeleton_validate": 10}
IMIGUE_TEST = {"imigue_data_phase2/imigue_skeleton_test": 108}
IMIGUE_CLIPS = 18_499
MA52 = {"train": 11_250, "val": 5_586, "test": 5_586}
ROOT = Path(__file__).resolve().parent.parent


def make_releases(folder: Path) -> None:
    """Write the releases' file names and label files under ``folder``."""
    recordings = [(split, number) for split, count in {**IMIGUE, **IMIGUE_TEST}.items() for number in range(count)]
    for index, (split, _) in enumerate(recordings):
        name = f"{index + 1:04d}"
        rows = IMIGUE_CLIPS // len(recordings) + (index < IMIGUE_CLIPS % len(recordings))
        home = folder / "imigue" / split / name
        home.mkdir(parents=True)
        (home / f"{name}_label.csv").write_text("".join(f"8,{50 * row},{50 * row + 40}\n" for row in range(rows)))
        (home / f"{name}_openpose.xlsx").touch()
        (home / f"{name}.mp4").touch()
    for split, count in MA52.items():
        home = folder / "ma52" / f"videos_{split}"
        home.mkdir(parents=True)
        names = [f"{split}{number:05d}.mp4" for number in range(count)]
        for name in names:
            (home / name).touch()
        lines = "\r\n".join(f"{name} 0" for name in names)
        (folder / "ma52" / f"{split}_list_videos.txt").write_text(lines, newline="")


def plan_command(folder: Path) -> list[str]:
    """Arguments for Python that plan everything of ``config/mm_gesture.yaml`` on the releases in ``folder``."""
    config = (ROOT / "config/mm_gesture.yaml").read_text().replace("root: data/", f"root: {folder}/")
    (folder / "config.yaml").write_text(config)
    targets = ["results/submission.csv", "results/ablation.csv"]
    command = ["-m", "snakemake", "-n", "--snakefile", str(ROOT / "Snakefile"), "--directory", str(folder)]
    return [*command, "--configfile", str(folder / "config.yaml"), "--", *targets]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    repeats = parser.parse_args().repeats
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_releases(folder)
        command = [sys.executable, *plan_command(folder)]
        for _ in range(repeats):
            started = time.perf_counter()
            printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
            seconds = time.perf_counter() - started
            jobs = next(line.split()[-1] for line in printed.splitlines() if line.startswith("total"))
            clips = IMIGUE_CLIPS + sum(MA52.values())
            print(f"snakemake -n: {jobs} jobs for {clips:,} clips in {seconds:.1f} s (aim: under 10)")


if __name__ == "__main__":
    main()
