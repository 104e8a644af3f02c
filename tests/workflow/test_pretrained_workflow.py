"""From clips to a submission with probes of a pretrained video encoder, and what a change makes again."""

import copy
import json
import re
import shutil
import subprocess
import sys

import pandas as pd
import pytest

from fixtures.project import TINY, Project
from fixtures.video_encoders import save_encoder
from microgesture.streams.weights import read_header

pytestmark = pytest.mark.slow

RECIPE = {"num_clips": 2, "flip": False, "epochs": 2, "batch_size": 8, "optimizer": "adamw", "learning_rate": 0.001}


def probe(folder, **network):
    network = {"name": "pretrained_video", "model": str(folder), **network}
    return {"corpus": "imigue", "input": "rgb", "network": network, "recipe": "probe"}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A project after its first run; its two streams share the features of one encoder."""
    folder = tmp_path_factory.mktemp("finished")
    save_encoder(folder / "tiny")
    config = copy.deepcopy(TINY)
    config["recipes"] = {"probe": RECIPE}
    config["streams"] = {
        "linear": probe(folder / "tiny"),
        "attentive": probe(folder / "tiny", head="attentive"),
    }
    config["ensembles"] = {"final": {"streams": ["linear", "attentive"], "weights": "equal"}}
    project = Project(folder / "project", config)
    project.first_run = project.run()
    return project


def test_clips_become_a_submission_and_features_are_computed_once(finished):
    counted = finished.first_run
    assert (counted["fetch_encoder"], counted["make_features"], counted["train_stream"]) == (1, 2, 2)
    submission = pd.read_csv(finished.folder / "results/submission.csv")
    assert len(submission) == 8
    assert submission.Target.between(0, 31).all()
    card = json.loads((finished.folder / "results/streams/linear/card.json").read_text())
    assert card["recipe"]["frames"] == card["encoder"]["frames"] == 4
    assert set(read_header(finished.folder / "results/streams/linear/model.safetensors").shapes) == {
        *("head.0.norm.weight", "head.0.norm.bias"),
        *("head.2.weight", "head.2.bias"),
    }


def test_the_exported_probes_find_gestures_in_a_video(finished, tmp_path):
    video = next((finished.folder / "results/demo/imigue").rglob("*.mp4"))
    shutil.copy(video, tmp_path / "new.mp4")
    for command in (
        ["export", "--output", str(tmp_path / "model")],
        ["predict-videos", str(tmp_path / "model"), str(tmp_path / "new.mp4"), "--output", str(tmp_path / "found")],
    ):
        call = [sys.executable, "-m", "microgesture", *command]
        subprocess.run(call, cwd=finished.folder, env=finished.environment(), check=True, capture_output=True)
    assert {"start", "end"} <= {name.partition("_")[0] for name in pd.read_csv(tmp_path / "found/new.csv").columns}


def planned(project) -> dict[str, int]:
    """How often a dry run would run the rules that matter here."""
    project.write_config()
    project.run("--dry-run")
    jobs = dict(re.findall(r"^(\w+) +(\d+)$", project.printed, re.MULTILINE))
    return {rule: int(jobs[rule]) for rule in ("fetch_encoder", "make_features", "train_stream") if rule in jobs}


def test_a_change_makes_what_depends_on_it_again(finished):
    assert planned(finished) == {}
    finished.config["recipes"] = {"probe": RECIPE | {"epochs": 3}}
    assert planned(finished) == {"train_stream": 2}
    finished.config["recipes"] = {"probe": RECIPE | {"num_clips": 1}}
    assert planned(finished) == {"make_features": 2, "train_stream": 2}
    finished.config["recipes"] = {"probe": RECIPE}
    shutil.rmtree(folder := finished.folder.parent / "tiny")
    save_encoder(folder, seed=1)
    assert planned(finished) == {"fetch_encoder": 1, "make_features": 2, "train_stream": 2}
