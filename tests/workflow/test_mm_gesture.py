"""The published system as a configuration: at full size, and the same in small on synthetic corpora."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import yaml

from microgesture.config.modalities import HEATMAPS, MODALITIES
from microgesture.config.whole import load_config
from microgesture.storage.clips import read_clips

ROOT = Path(__file__).parents[2]
FULL, SMALL = (
    load_config(yaml.safe_load((ROOT / f"config/{name}.yaml").read_text()))
    for name in ("mm_gesture", "mm_gesture_small")
)


def wiring(config):
    """What the streams see and start from, apart from published weights."""
    return {name: (s.corpus, s.inputs, s.parents, s.network.name) for name, s in config.streams.items()}


def test_the_small_one_has_the_same_streams_ensembles_and_rows():
    assert wiring(FULL) == wiring(SMALL)
    assert FULL.ensembles == SMALL.ensembles
    assert FULL.ablation == SMALL.ablation
    assert FULL.submission == SMALL.submission
    assert bool(FULL.folds) == bool(SMALL.folds)


def test_the_weights_handed_in_are_a_fifth_for_each_swin_and_a_half_for_each_pair():
    weights = FULL.ensembles["published"].weights
    by_network = {(FULL.streams[name].network.name, weight) for name, weight in weights.items()}
    assert by_network == {("video_swin", 0.2), ("rgbposeconv3d", 0.5)}
    assert len(weights) == 7
    assert not FULL.ensembles["published"].calibrate


def test_steps_decay_and_kept_epochs_are_those_of_the_authors_files():
    # In momiji-bit/MM-Gesture: clips in a step (GPUs x clips of each), learning rate and weight decay from the
    # configurations, the kept epoch from the names of the files that ensemble.py and its notebook read.
    published = {
        "joint": (8 * 32, 0.05, 0.0003, "best"),
        "rgb_slow": (8 * 26, 0.15, 0.0001, "best"),
        "rgb_joint": (8 * 6, 0.0075, 0.0001, "best"),
        "rgb_limb": (8 * 6, 0.0075, 0.0001, "latest"),
        "rgb": (4, 0.001, 0.05, "last"),
        "rgb_transfer": (5, 0.001, 0.02, "last"),
        "taylor": (3, 0.001, 0.05, "best"),
        "flow": (3, 0.001, 0.05, "best"),
        "depth": (3, 0.001, 0.05, "best"),
        "taylor_small": (5, 0.001, 0.02, "last"),
    }
    kept = {"best": "best_accuracy", "last": "last", "latest": "last"}
    for stream, (clips, rate, decay, file) in published.items():
        recipe = FULL.recipes[FULL.streams[stream].recipe]
        assert (recipe.batch_size, recipe.learning_rate, recipe.weight_decay) == (clips, rate, decay), stream
        assert recipe.keep_checkpoint == kept[file], stream
    for stream in FULL.streams.values():
        recipe = FULL.recipes[stream.recipe]
        is_swin = stream.network.name == "video_swin"
        assert recipe.decayed_parameters == ("all_but_norms" if is_swin else "all")
        assert not recipe.nesterov


@pytest.mark.parametrize("config", [FULL, SMALL], ids=["full", "small"])
def test_each_stream_of_the_published_system_sees_its_part_of_the_frame(config):
    """Video Swin: Resize(-1, 256) of the full frame. SlowOnly and the pairs: MMCompact, 1.25 times the extent."""
    videos = {name: stream.inputs[0] for name, stream in config.streams.items() if stream.inputs[0] not in HEATMAPS}
    of_person = {name for name, video in videos.items() if MODALITIES[video].framed_as == "rgb_person"}
    assert of_person == {"rgb_slow", "rgb_joint", "rgb_limb"}
    assert len(videos) == len(config.streams) - 2
    assert config.rgb.person_margin is None
    assert 1 + 2 * config.rgb_person.person_margin == 1.25
    assert {config.margin_beside(config.streams[name]) for name in ("rgb_joint", "rgb_limb")} == {0.125}
    assert FULL.rgb.size == FULL.rgb_person.size == 256


def test_a_sum_has_the_smaller_taylor_network_and_what_was_handed_in_the_larger():
    sums = [FULL.ensembles[name] for name in FULL.ensembles if name.startswith("joint_limb_rgb_taylor")]
    assert len(sums) == 3
    assert {FULL.streams[stream].network.size for made in sums for stream in made.streams if "taylor" in stream} == {
        "small"
    }
    assert FULL.streams["taylor"].network.size == "base"
    assert "taylor" in FULL.ensembles["published"].streams


def test_a_pair_starts_from_streams_that_see_what_its_paths_see():
    for config in (FULL, SMALL):
        for stream in config.streams.values():
            if len(stream.inputs) == 2:
                assert tuple(config.streams[parent].input for parent in stream.parents) == stream.inputs


@pytest.mark.slow
def test_all_of_it_is_planned_on_releases_of_full_size(tmp_path):
    spec = importlib.util.spec_from_file_location("plan_benchmark", ROOT / "benchmarks/plan.py")
    benchmark = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(benchmark)
    benchmark.make_releases(tmp_path)
    command = benchmark.plan_command(tmp_path)
    printed = subprocess.run([sys.executable, *command], capture_output=True, text=True, check=True).stdout
    jobs = {rule: int(count) for rule, count in re.findall(r"^(\w+) +(\d+)$", printed, re.MULTILINE)}
    streams, folds, shards = len(FULL.streams), FULL.folds, FULL.shards
    one_corpus = streams - 1
    assert jobs.pop("total") == sum(jobs.values())
    assert jobs == {
        "measure_clips": 2 * shards,
        "check_clips": 4,
        "join_clips": 2,
        "read_skeletons": shards,
        "make_keypoints": shards,
        "make_rgb": 2 * shards,
        "make_rgb_person": shards,
        "make_taylor": shards,
        "make_flow": shards,
        "make_depth": shards,
        "fetch_weights": 3,  # two sizes of Swin, and RAFT
        "train_stream": streams,
        "train_fold": one_corpus * folds,
        "predict_stream": one_corpus - 1,
        "predict_fold": (one_corpus - 1) * folds,
        "fuse_streams": len(FULL.ensembles),
        "compare_rows": 1,
        "list_quarantine": 1,
        "write_submission": 1,
    }


def shortened():
    """The small configuration with few clips and two epochs: all jobs run, and no network learns much."""
    raw = yaml.safe_load((ROOT / "config/mm_gesture_small.yaml").read_text())
    for corpus in raw["corpora"].values():
        corpus["demo"]["subjects"] = {"train": 4, "val": 2, "test": 1}
        corpus["demo"]["clips"] = {"train": 32, "val": 16, "test": 8}
    for recipe in raw["recipes"].values():
        recipe |= {"epochs": 2, "warmup_epochs": 1} | ({"decay_epochs": [1]} if "decay_epochs" in recipe else {})
    return raw


@pytest.mark.slow
def test_the_small_one_runs_from_the_corpora_to_the_ablation_table(tmp_path):
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(shortened()))
    command = [sys.executable, "-m", "snakemake", "--cores", "2", "--snakefile", ROOT / "Snakefile"]
    command += ["--directory", tmp_path, "results/submission.csv", "results/ablation.csv"]
    subprocess.run([*command, "--configfile", tmp_path / "config.yaml"], check=True)
    results = tmp_path / "results"

    ground_truth = pd.read_csv(results / "demo/imigue_test_labels.csv")
    submission = pd.read_csv(results / "submission.csv")
    assert set(submission.Id) == set(ground_truth.Id)

    table = pd.read_csv(results / "ablation.csv").set_index("name")
    assert list(table.index) == [row.name for row in SMALL.ablation]
    labelled = read_clips(results / "clips/imigue.parquet").table.label.notna().sum()
    assert set(table.clips) == {labelled}  # the people of train and val, each seen by networks that have not seen them
    assert table.accuracy.between(0, 1).all()

    names = {stream: len(list((results / "scores" / stream).glob("fold*.parquet"))) for stream in table.index[:10]}
    assert set(names.values()) == {SMALL.folds}
