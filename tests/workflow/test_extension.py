"""A modality and a network declared outside of this package go through the whole workflow."""

import copy
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fixtures.project import RECIPE, TINY, Project

EXTENSION = Path(__file__).parents[1] / "fixtures" / "extension"
CONFIG = copy.deepcopy(TINY) | {
    "frame_difference": {"step": 2},
    "recipes": {"small": RECIPE},
    "streams": {
        "difference": {
            "corpus": "imigue",
            "input": "frame_difference",
            "network": {"name": "mean_colour"},
            "recipe": "small",
        },
        "rgb": {"corpus": "imigue", "input": "rgb", "network": {"name": "mean_colour"}, "recipe": "small"},
    },
    "ensembles": {"final": {"streams": ["difference", "rgb"]}},
}
PLAN = """
import json, sys
from microgesture.workflow.plan import Plan
before, after = (Plan(config) for config in json.load(sys.stdin))
changed = [step for step in before._steps if before._steps[step] != after._steps[step]]
print(json.dumps([before.kinds("imigue"), changed]))
"""


def with_extension(environment):
    return environment | {"PYTHONPATH": os.pathsep.join([environment.get("PYTHONPATH", ""), str(EXTENSION)])}


class ExtendedProject(Project):
    def environment(self):
        return with_extension(super().environment())


def test_its_settings_are_part_of_the_plan():
    other = copy.deepcopy(CONFIG) | {"frame_difference": {"step": 1}}
    ran = subprocess.run(
        [sys.executable, "-c", PLAN],
        input=json.dumps([CONFIG, other]),
        env=with_extension(dict(os.environ)),
        capture_output=True,
        text=True,
        check=True,
    )
    kinds, changed = json.loads(ran.stdout)
    assert kinds == ["keypoints", "rgb", "frame_difference"]
    assert ["train", "difference"] in changed
    assert ["train", "rgb"] not in changed
    assert ["frame_difference", "imigue"] in changed
    assert ["rgb", "imigue"] not in changed


def test_an_extension_that_cannot_be_imported_is_named(tmp_path):
    broken = tmp_path / "broken-1.0.dist-info"
    broken.mkdir()
    (broken / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1.0\n")
    (broken / "entry_points.txt").write_text("[microgesture]\nours = no_such_module:DECLARATIONS\n")
    code = "import microgesture.config.modalities"
    environment = dict(os.environ) | {"PYTHONPATH": os.pathsep.join([os.environ.get("PYTHONPATH", ""), str(tmp_path)])}
    ran = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert ran.returncode != 0
    assert "extension 'ours'" in ran.stderr
    assert "no_such_module" in ran.stderr


@pytest.mark.slow
def test_it_runs_from_clips_to_submission(tmp_path):
    project = ExtendedProject(tmp_path / "project", CONFIG)
    counts = project.run("results/submission.csv", "results/report.html")
    assert counts["make_frame_difference"] == 2
    assert counts["train_stream"] == 2
    submission = pd.read_csv(project.folder / "results/submission.csv")
    assert len(submission) == 8
    from microgesture.storage.shards import Shard

    rgb, difference = (
        Shard(project.folder / f"results/{kind}/imigue/0000.arrow") for kind in ("rgb", "frame_difference")
    )
    clip_id = rgb.clip_ids[0]
    frames_THWC = rgb.read(clip_id).astype(int)
    expected_THWC = 128 + (frames_THWC[2:] - frames_THWC[:-2]) // 2
    assert np.abs(difference.read(clip_id)[2:] - expected_THWC).mean() < 3  # jpeg
