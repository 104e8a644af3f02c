"""What an edit of one's own data makes run again, from a new label to a replaced video."""

import copy
import csv
import os
import re
import shutil
import subprocess
from collections import Counter

import pytest

from fixtures.own_clips import write_own_clips
from fixtures.project import TINY, Project
from microgesture.storage.clips import read_clips

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("edited data")]

SHARDS = 8
DEMO = {
    "seed": 3,
    "subjects": {"train": 4, "val": 2, "test": 3},
    "clips": {"train": 16, "val": 8, "test": 9},
    "frame": (160, 120),
    "workers": 1,
}
LABELS = Counter(check_clips=1, join_clips=1)
SHARD = Counter(measure_clips=1, read_skeletons=1, make_keypoints=1, make_rgb=1, make_flow=1)
TRAINING = Counter(train_stream=2)
RESULTS = Counter(predict_stream=2, fuse_streams=1, write_submission=1, list_quarantine=1)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A project with clips of one's own after its first run; tests work on copies."""
    folder = tmp_path_factory.mktemp("edited")
    config = copy.deepcopy(TINY) | {"shards": SHARDS, "corpora": {"mine": {"format": "manifest", "root": "own"}}}
    for stream in config["streams"].values():
        stream["corpus"] = "mine"
    project = Project(folder / "project", config)
    write_own_clips(folder / "project" / "own", folder / "demo", **DEMO)
    project.run()
    assert project.run() == Counter()
    return project


@pytest.fixture
def project(finished, tmp_path):
    shutil.copytree(finished.folder, tmp_path / "project", symlinks=True)
    copied = Project.__new__(Project)
    copied.folder, copied.config = tmp_path / "project", copy.deepcopy(finished.config)
    return copied


def would_run(project):
    """What another run would do."""
    command = [*project.command(), "-n", "results/submission.csv"]
    planned = subprocess.run(
        command, cwd=project.folder, env=project.environment(), capture_output=True, text=True, check=True
    )
    project.printed = planned.stdout + planned.stderr
    counts = dict(re.findall(r"^(\w+) +(\d+)$", project.printed, re.MULTILINE))
    return Counter({rule: int(count) for rule, count in counts.items() if rule not in ("all", "total")})


def rows_of(project):
    with open(project.folder / "own/clips.csv", newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def write_rows(project, rows):
    with open(project.folder / "own/clips.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)


def first(rows, split):
    return next(row for row in rows if row["split"] == split)


def test_a_changed_label_remakes_no_shard(project):
    rows = rows_of(project)
    row = first(rows, "train")
    row["label"] = next(other["label"] for other in rows if other["label"] not in ("", row["label"]))
    write_rows(project, rows)
    assert would_run(project) == LABELS + TRAINING + RESULTS
    assert "1 clip with another label" in project.printed


def test_a_clip_moved_from_val_to_train_remakes_no_shard(project):
    rows = rows_of(project)
    first(rows, "val")["split"] = "train"
    write_rows(project, rows)
    assert would_run(project) == LABELS + TRAINING + RESULTS


def test_rows_in_another_order_train_nothing(project):
    write_rows(project, rows_of(project)[::-1])
    assert would_run(project) == Counter(join_clips=1) + RESULTS


def test_a_new_test_clip_trains_nothing_and_gets_a_prediction(project):
    rows = rows_of(project)
    row = dict(first(rows, "test"), clip_id="late")
    row["end"] = str(int(row["end"]) - 1)
    write_rows(project, [row, *rows])  # the other rows move down by one
    assert would_run(project) == SHARD + LABELS + RESULTS
    assert project.run() == SHARD + LABELS + RESULTS
    assert re.search(r"rgb mine/000\d: 1 clip ", project.printed), "its neighbours are not made again"
    assert re.search(r"flow mine/000\d: 1 clip ", project.printed)
    assert "late" in (project.folder / "results/submission.csv").read_text()
    assert project.run() == Counter()


def test_two_people_who_change_sides_rerun_their_shards_and_all_after_them(project):
    rows = rows_of(project)
    one, other = first(rows, "train")["subject"], first(rows, "test")["subject"]
    label = first(rows, "train")["label"]
    for row in rows:
        if row["subject"] == one:
            row["split"] = "test"
        elif row["subject"] == other:
            row.update(split="train", label=label)
    write_rows(project, rows)
    counts = would_run(project)
    assert counts["check_clips"] == 2
    assert counts["train_stream"] == counts["predict_stream"] == 2
    assert counts["make_rgb"] == counts["make_keypoints"] == counts["measure_clips"] <= 4
    project.run("rgb")
    assert not re.search(r"rgb mine/000\d: \d+ clips", project.printed), "all clips have only moved"


def test_a_replaced_file_remakes_the_shard_that_holds_it(project):
    video = project.folder / "own" / first(rows_of(project), "train")["video"]
    os.utime(video)
    assert would_run(project) == Counter(), "the content is the same"
    video.write_bytes(video.read_bytes() + b"\0" * 8)
    assert would_run(project) == SHARD + LABELS + TRAINING + RESULTS
    assert video.name in project.printed


def test_a_file_replaced_by_another_of_the_same_size_is_seen(project):
    table = read_clips(project.folder / "results/clips/mine.parquet").table.query("split == 'test'")
    sheet = project.folder / "own" / table.skeleton.iloc[0]
    content = bytearray(sheet.read_bytes())
    content[len(content) // 2] ^= 1
    sheet.write_bytes(content)
    assert would_run(project) == SHARD + LABELS + RESULTS


def test_equal_lists_copied_files_and_times_that_nobody_looks_at_run_nothing(project):
    rows, table = rows_of(project), project.folder / "own/clips.csv"
    table.write_bytes(table.read_text().replace(",", ";").encode("utf-16"))  # as spreadsheets may save it
    assert would_run(project) == Counter()
    write_rows(project, rows)
    copied = project.folder / "copied"
    shutil.copytree(project.folder / "own", copied, copy_function=shutil.copyfile)
    shutil.rmtree(project.folder / "own")
    copied.rename(project.folder / "own")
    assert would_run(project) == Counter()
    project.config["corpora"]["mine"]["watch_files"] = False
    project.write_config()
    video = project.folder / "own" / first(rows_of(project), "train")["video"]
    video.write_bytes(video.read_bytes() + b"\0" * 8)
    assert would_run(project) == Counter()


def test_an_edit_whose_run_fails_is_not_forgotten(project):
    rows = rows_of(project)
    row = first(rows, "train")
    row["label"] = next(other["label"] for other in rows if other["label"] not in ("", row["label"]))
    write_rows(project, rows)
    for stream in ("joint", "flow"):
        scratch = project.folder / f"results/streams/{stream}/.scratch"
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.write_text("not a folder")
    assert project.run(fails=True)["train_stream"] == 0
    for stream in ("joint", "flow"):
        (project.folder / f"results/streams/{stream}/.scratch").unlink()
    left = would_run(project)
    assert left["train_stream"] == left["predict_stream"] == 2
    assert left["fuse_streams"] == left["write_submission"] == 1


def test_a_row_mended_after_too_many_were_unusable_goes_on(project):
    rows = rows_of(project)
    broken = [dict(row, end="999999") if row["split"] == "train" else row for row in rows]
    write_rows(project, broken)
    assert project.run(fails=True)["check_clips"] == 0
    assert "clips.csv, row 2" in project.printed
    write_rows(project, rows)
    counts = would_run(project)
    assert counts["check_clips"] == 1
    assert counts["measure_clips"] > 0
    project.run()
    assert project.run() == Counter()


def test_a_person_on_both_sides_stops_the_run_before_any_work(project):
    rows = rows_of(project)
    first(rows, "test")["subject"] = first(rows, "train")["subject"]
    write_rows(project, rows)
    assert project.run(fails=True) == Counter()
    project.config["corpora"]["mine"]["allow_shared_subjects"] = True
    project.write_config()
    assert would_run(project)["train_stream"] == 0
