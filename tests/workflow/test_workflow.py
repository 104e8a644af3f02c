import copy
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter

import pandas as pd
import pytest

from fixtures.project import TINY, Project
from microgesture.workflow.preflight import estimate_run
from microgesture.workflow.read_plan import read_plan

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("one finished run")]

FLOW_ONLY = Counter(train_stream=1, predict_stream=1, fuse_streams=1, write_submission=1)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A project after its first run; tests work on copies."""
    project = Project(tmp_path_factory.mktemp("finished") / "project")
    project.first_run = project.run()
    return project


@pytest.fixture
def project(finished, tmp_path):
    shutil.copytree(finished.folder, tmp_path / "project", symlinks=True)
    copied = Project.__new__(Project)
    copied.folder = tmp_path / "project"
    copied.config = {**TINY, "recipes": {name: dict(recipe) for name, recipe in TINY["recipes"].items()}}
    return copied


def test_the_first_run_makes_everything_once(finished):
    assert finished.first_run == Counter(
        generate_demo=1,
        list_clips=1,
        measure_clips=2,
        check_clips=2,
        join_clips=1,
        read_skeletons=2,
        make_keypoints=2,
        make_rgb=2,
        make_flow=2,
        train_stream=2,
        predict_stream=2,
        list_quarantine=1,
        fuse_streams=1,
        write_submission=1,
    )
    submission = pd.read_csv(finished.folder / "results/submission.csv")
    ground_truth = pd.read_csv(finished.folder / "results/demo/imigue_test_labels.csv")
    assert list(submission.columns) == ["Id", "Target"]
    assert sorted(submission.Id) == sorted(ground_truth.Id)
    assert submission.Target.between(0, 31).all()
    assert "Validation split" in finished.printed


def test_fusion_weights_never_retrain(project):
    project.config["ensembles"] = {"final": {"streams": ["joint", "flow"], "weights": {"joint": 0.9, "flow": 0.1}}}
    project.write_config()
    assert project.run() == Counter(fuse_streams=1, write_submission=1)


def test_the_order_of_keys_spellings_comments_and_a_fresh_checkout_do_nothing(project):
    project.config = {key: project.config[key] for key in reversed(project.config)}
    project.config["recipes"]["flow"] = dict(reversed(project.config["recipes"]["flow"].items()))
    project.write_config()
    project.edit("config.yaml", "learning_rate: 0.001", "learning_rate: 1.0e-3  # the same number")
    project.edit("src/microgesture/streams/train.py", "\ndef train(", "\n# A comment.\ndef train(")
    for path in [
        *project.folder.glob("src/**/*.py"),
        *project.folder.glob("workflow/**/*"),
        project.folder / "config.yaml",
    ]:
        path.touch()
    assert project.run() == Counter()


def test_a_learning_rate_retrains_one_stream(project):
    project.config["recipes"]["flow"]["learning_rate"] = 0.002
    project.write_config()
    assert project.run() == FLOW_ONLY


def test_an_edit_of_a_modality_remakes_what_follows_even_if_training_fails_at_first(project):
    project.edit("src/microgesture/modalities/flow.py", 'preset: str = "medium"', 'preset: str = "fast"')
    in_the_way = project.folder / "results/streams/flow/.scratch"
    shutil.rmtree(in_the_way, ignore_errors=True)
    in_the_way.write_text("not a folder")
    assert project.run(fails=True)["make_flow"] == 2
    in_the_way.unlink()
    assert project.run() == FLOW_ONLY


def test_a_shard_killed_half_way_goes_on_and_gives_the_same_bytes(project):
    shard = project.folder / "results/rgb/imigue/0000.arrow"
    whole = shard.read_bytes()
    shard.unlink()
    shutil.rmtree(shard.parent / ".earlier")
    scratch = shard.parent / ".scratch"
    target = str(shard.relative_to(project.folder))
    running = subprocess.Popen(
        project.command(target, cores=1),
        cwd=project.folder,
        env=project.environment(),
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while len(list(scratch.glob("*/*/[0-9]*.arrow"))) < 3 and running.poll() is None:
        time.sleep(0.001)
    os.killpg(running.pid, signal.SIGKILL)
    running.wait()
    assert not shard.exists(), "the shard was done before it could be killed"
    finished = {part: part.stat().st_ino for part in scratch.glob("*/*/[0-9]*.arrow")}
    assert len(finished) >= 3
    subprocess.run([*project.command(), "--unlock"], cwd=project.folder, env=project.environment(), check=True)
    project.run(target)
    clips = len(pd.read_parquet(project.folder / "results/clips/imigue.parquet").query("shard == 0"))
    assert f"rgb imigue/0000: {clips - len(finished)} clips" in project.printed
    assert shard.read_bytes() == whole
    assert not list(scratch.glob("*/*"))


def test_gestures_are_found_in_videos_of_ones_own_with_this_run(project):
    video = next(project.folder.glob("results/demo/imigue/imigue_rgb_phase2/*/*.mp4"))
    sheet = next(project.folder.glob(f"results/demo/imigue/**/{video.stem}_openpose.xlsx"))
    folder = project.folder / "videos"
    folder.mkdir()
    for path in (video, sheet):
        shutil.copy(path, folder)
    project.config["predictions"] = {"folder": "videos", "threshold": 0, "stillness": 0, "pictures": False}
    project.write_config()
    assert project.run("predictions") == Counter(export_recogniser=1, find_gestures=1, predictions=1)
    timeline = pd.read_csv(project.folder / f"results/predictions/{video.stem}.csv")
    assert len(timeline) > 0
    assert (timeline.start_frame[1:].to_numpy() > timeline.end_frame[:-1].to_numpy()).all()
    assert "was left out" not in project.printed
    project.config["predictions"]["threshold"] = 1
    project.write_config()
    assert project.run("predictions") == Counter(find_gestures=1, predictions=1)
    assert len(pd.read_csv(project.folder / f"results/predictions/{video.stem}.csv")) == 0


def test_a_misspelt_key_stops_before_any_work(project):
    project.config["taylor"] = {"termz": 3}
    project.write_config()
    assert project.run(fails=True) == Counter()
    assert "taylor: unknown key 'termz'; did you mean 'terms'?" in project.printed


def test_a_truncated_video_costs_its_clips_and_not_the_run(project):
    video = next((project.folder / "results/demo/imigue").glob("**/imigue_rgb_phase2/**/*.mp4"))
    video.write_bytes(video.read_bytes()[:2000])
    shutil.rmtree(project.folder / "results/measured")
    shutil.rmtree(project.folder / "results/clips")
    assert project.run("clips", fails=True)["join_clips"] == 0
    assert f"{video.name}" in project.printed
    assert "more than the 2.0% of max_quarantined" in project.printed

    project.config["max_quarantined"] = 0.5
    project.write_config()
    repeated = project.run()
    assert (repeated["list_clips"], repeated["join_clips"]) == (0, 1)
    assert repeated["check_clips"] > 0
    project.config["max_quarantined"] = 0.6
    project.write_config()
    assert project.run() == Counter()
    lost = pd.read_csv(project.folder / "results/quarantine.csv")
    ground_truth = pd.read_csv(project.folder / "results/demo/imigue_test_labels.csv")
    submission = pd.read_csv(project.folder / "results/submission.csv")
    assert set(lost.clip_id) == set(ground_truth.Id)
    assert lost.reason.str.contains(video.name).all()
    assert sorted(submission.Id) == sorted(ground_truth.Id)
    labels = pd.read_parquet(project.folder / "results/clips/imigue.parquet").query("split == 'train'").label
    assert set(submission.Target) == {labels.mode()[0]}


def test_pseudo_labels_make_two_halves_and_only_the_second_follows_them(tmp_path):
    config = copy.deepcopy(TINY)
    config["streams"] = {"joint": TINY["streams"]["joint"]}
    config["streams"]["again"] = TINY["streams"]["joint"] | {"pseudo_labels": "base"}
    config["ensembles"] = {
        "base": {"streams": ["joint"], "pseudo_labels": {"threshold": 0}},
        "final": {"streams": ["again"], "calibration_from": "base"},
    }
    project = Project(tmp_path / "project", config)
    first = project.run()
    assert (first["train_stream"], first["predict_stream"], first["fuse_streams"], first["label_clips"]) == (2, 2, 2, 1)
    labels = project.folder / "results/ensembles/base/pseudo_labels.csv"
    assert len(pd.read_csv(labels)) == len(pd.read_csv(project.folder / "results/submission.csv"))
    assert "see that of base" in " ".join(project.printed.split())
    project.config["ensembles"]["base"]["pseudo_labels"] = {"threshold": 0.04, "quota": 1}
    project.write_config()
    second_half = Counter(label_clips=1, train_stream=1, predict_stream=1, fuse_streams=1, write_submission=1)
    assert project.run() == second_half
    assert pd.read_csv(labels).label.is_unique


def verify(project, *options):
    """The exit code of ``microgesture verify`` in the project, and what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", "microgesture", "verify", *options],
        cwd=project.folder,
        env=project.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, re.sub(r"\s+", " ", done.stdout + done.stderr)


def would_run(project):
    """What another run would do where even small files are judged by their times alone, as large ones always are."""
    command = [*project.command(), "-n", "--max-checksum-file-size", "0", "results/submission.csv"]
    planned = subprocess.run(
        command, cwd=project.folder, env=project.environment(), capture_output=True, text=True, check=True
    )
    counts = dict(re.findall(r"^(\w+) +(\d+)$", planned.stdout + planned.stderr, re.MULTILINE))
    return Counter({rule: int(count) for rule, count in counts.items() if rule not in ("all", "total")})


def test_a_damaged_shard_is_named_and_made_again_alone(project):
    shard = project.folder / "results/rgb/imigue/0000.arrow"  # of train and val
    whole, times = shard.read_bytes(), shard.stat()
    shard.write_bytes(whole[:5000] + bytes([whole[5000] ^ 1]) + whole[5001:])
    os.utime(shard, ns=(times.st_atime_ns, times.st_mtime_ns))  # a failing disk leaves no new time
    code, printed = verify(project, "--remove")
    assert code == 1
    assert "1 damaged" in printed
    target = "results/rgb/imigue/0000.arrow"
    assert f"snakemake --cores 8 {target} " in printed
    assert not shard.exists()

    assert project.run(target) == Counter(make_rgb=1)
    assert shard.read_bytes() == whole
    assert would_run(project)["train_stream"] == 1, "this test could not fail"
    code, printed = verify(project)
    assert code == 0
    assert f"{target} has its old content and time again" in printed
    assert would_run(project) == Counter()
    assert project.run() == Counter()


def test_the_preflight_of_a_run_knows_its_sizes_and_times(project):
    results = project.folder / "results"
    whole = {file: file.stat().st_size for file in results.glob("flow/imigue/*.arrow")}
    removed, kept = sorted(whole)
    removed.unlink()
    plan = read_plan(project.folder / "config.yaml", results=results)
    flow = next(estimate for estimate in estimate_run(plan) if estimate.stage == "flow")
    assert (flow.done, flow.to_do, flow.bytes_now) == (1, 1, whole[kept])
    assert flow.bytes_to_come == pytest.approx(whole[removed], rel=0.2)
    assert flow.hours_to_come > 0


def test_views_of_every_class_are_drawn(project):
    project.config["view"] = {"cell": 48}
    project.write_config()
    made = project.run("views")
    assert (made["view_clips"], made["views"]) == (1, 1)
    folder = project.folder / "results/views/imigue"
    listed = pd.read_csv(folder / "views.csv")
    assert len(listed) >= 8
    assert listed.groupby("class").size().max() == 2
    assert all((folder / name).stat().st_size > 1000 for name in [*listed.sheet, *listed.video])
    project.config["view"] = {"clips": 1, "cell": 48}
    project.write_config()
    assert project.run("views") == Counter(view_clips=1, views=1)
    assert pd.read_csv(folder / "views.csv").groupby("class").size().max() == 1
