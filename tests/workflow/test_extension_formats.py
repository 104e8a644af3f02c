"""A corpus format, a loss, a fusion rule and a skeleton format declared outside of this package are used by name."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.special import softmax

from fixtures.project import RECIPE, Project

EXTENSION = Path(__file__).parents[1] / "fixtures" / "extension"
SPLITS = {"train": 8, "val": 4, "test": 4}
LOSSES = [{"name": "cross_entropy", "label_smoothing": 0.1}, {"name": "hinge", "weight": 0.5, "margin": 2}]
POSE = {"name": "poseconv3d", "width": 4}
STREAM = {"corpus": "mine", "network": POSE, "recipe": "hinge"}


def with_extension(environment):
    return environment | {"PYTHONPATH": os.pathsep.join([environment.get("PYTHONPATH", ""), str(EXTENSION)])}


class ExtendedProject(Project):
    def environment(self):
        return with_extension(super().environment())


@pytest.fixture
def corpus(tmp_path):
    """A folder with 16 clips of two classes, four people, in the lab's own files."""
    root, lines = tmp_path / "corpus", []
    root.mkdir()
    generator = np.random.default_rng(0)
    for split, count in SPLITS.items():
        for number in range(count):
            keypoints_TVC = generator.uniform(10, 90, (6, 35, 3))
            keypoints_TVC[..., 2] = 1
            np.savetxt(root / f"{split}{number}.points", keypoints_TVC.reshape(6, -1), fmt="%.3f")
            lines.append(f"{split} {split}{number % 2} {('nod', 'wave')[number % 2]} {split}{number}.points")
    (root / "clips.txt").write_text("\n".join(lines) + "\n\n")
    return root


def configuration(root):
    return {
        "device": "cpu",
        "shards": 2,
        "corpora": {"mine": {"format": "lab_list", "root": str(root), "list": "clips.txt"}},
        "keypoints": {"selection": "22"},
        "recipes": {"hinge": RECIPE | {"losses": LOSSES}, "plain": RECIPE},
        "streams": {"joint": STREAM | {"input": "joint"}, "limb": STREAM | {"input": "limb", "recipe": "plain"}},
        "ensembles": {"final": {"streams": ["joint", "limb"], "weights": "geometric", "calibrate": False}},
        "submission": {"ensemble": "final"},
    }


# Runs program after program, so that all import the package once; what one prints is a line of JSON.
INTERPRETER = """
import json, sys
for line in sys.stdin:
    code, sys.argv[1:] = json.loads(line)
    exec(code)
    sys.stdout.flush()
"""


@pytest.fixture(scope="module")
def with_the_extension():
    """Runs a program where the extension is installed; returns what it prints as JSON."""
    command, environment = [sys.executable, "-c", INTERPRETER], with_extension(dict(os.environ))
    with subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as ran:

        def run(code, *given):
            ran.stdin.write(json.dumps([code, list(map(str, given))]) + "\n")
            ran.stdin.flush()
            answer = ran.stdout.readline()
            assert answer, f"exit status {ran.wait()}"
            return json.loads(answer)

        yield run
        ran.stdin.close()


PLAN = """
from pathlib import Path
from microgesture.workflow.plan import Plan
before = Plan(json.loads(sys.argv[1]))
after = Plan(json.loads(sys.argv[2]))
steps = {" ".join(step): before._steps[step] == after._steps.get(step) for step in before._steps}
print(json.dumps([sorted(before.provides("mine")), steps]))
"""


def test_all_are_part_of_the_plan(corpus, with_the_extension):
    before, after = configuration(corpus), configuration(corpus)
    after["recipes"]["hinge"]["losses"] = [LOSSES[0], LOSSES[1] | {"margin": 3}]
    provided, same = with_the_extension(PLAN, json.dumps(before), json.dumps(after))
    assert provided == ["keypoints"]
    assert same["clips mine"]
    assert same["skeletons mine"]
    assert same["train limb"]
    assert not same["train joint"]
    assert not same["ensemble final"]


LIST = """
from pathlib import Path
from microgesture.corpora import list_clips
clips = list_clips("mine", "lab_list", Path(sys.argv[1]), 2, list="clips.txt")
print(clips.table[["clip_id", "split", "subject", "label", "end"]].to_json(orient="records"))
"""


def test_a_corpus_format_lists_its_clips(corpus, with_the_extension):
    rows = with_the_extension(LIST, corpus)
    assert len(rows) == 16
    assert rows[1] == {"clip_id": "train1", "split": "train", "subject": "train1", "label": 1, "end": 5}
    assert rows[-1] == {"clip_id": "test3", "split": "test", "subject": "test1", "label": None, "end": 5}


SKELETON = """
from microgesture.skeletons.reading import read_skeleton, skeleton_length
read = read_skeleton(sys.argv[1])
print(json.dumps([read.keypoints_TVC.tolist(), skeleton_length(sys.argv[1]), read.layout.name]))
"""


def test_a_skeleton_format_is_read(corpus, with_the_extension):
    read_TVC, length, layout = with_the_extension(SKELETON, corpus / "val2.points")
    np.testing.assert_allclose(np.array(read_TVC).reshape(6, -1), np.loadtxt(corpus / "val2.points"), atol=1e-4)
    assert (length, layout) == (6, "light_hand")


LOSS = """
import torch
from torch import nn
from microgesture.config.recipes import Recipe
from microgesture.streams.losses import make_loss
loss = make_loss(Recipe(losses=json.loads(sys.argv[1])), nn.Identity(), [1, 1], torch.device("cpu"))
logits_BK, label_B = torch.tensor([[1.0, 0.0], [0.5, 0.0], [0.0, 4.0]]), torch.tensor([0, 1, 1])
part = loss.of_step(label_B.numpy())
print(json.dumps([part(logits_BK, label_B).item(), (part(logits_BK[:1], label_B[:1]) + part(logits_BK[1:], label_B[1:])).item()]))
"""  # noqa: E501


def test_a_loss_is_added_to_others_and_to_itself_over_micro_batches(with_the_extension):
    whole, in_two = with_the_extension(LOSS, json.dumps(LOSSES))
    apart_B = np.array([1, -0.5, 4])  # by how much the logit of the true class is above the other
    hinge = np.maximum(0, 2 - apart_B).sum() / 2 / 3  # PyTorch divides by the number of classes
    right_B = 1 / (1 + np.exp(-apart_B))
    entropy = -(0.95 * np.log(right_B) + 0.05 * np.log(1 - right_B)).mean()
    assert whole == pytest.approx(entropy + 0.5 * hinge, rel=1e-5)
    assert in_two == pytest.approx(whole, rel=1e-6)


FUSE = """
import numpy as np
from microgesture.ensembles.fusion import Fitting, Fusion, fit_fusion, fuse
logits_SNK = np.array(json.loads(sys.argv[1]))
fusion = fit_fusion(logits_SNK, np.array([0, 1]), Fitting("geometric", 2.0, recalibrate=False))
stored = json.loads(json.dumps(fusion.to_json(["a", "b"])))
print(json.dumps([stored, fuse(logits_SNK, Fusion.from_json(stored, ["a", "b"])).tolist()]))
"""


def test_a_fusion_rule_is_stored_and_applied(with_the_extension):
    logits_SNK = np.array([[[2.0, 0.0, 1.0], [0.0, 1.0, 0.0]], [[1.0, 1.0, 0.0], [3.0, 0.0, 0.0]]])
    stored, fused_NK = with_the_extension(FUSE, json.dumps(logits_SNK.tolist()))
    temperatures = {"temperatures": {"a": 2.0, "b": 2.0}, "temperature": 1.0}
    assert stored == {"rule": "geometric", "pool": "linear", **temperatures}
    np.testing.assert_allclose(fused_NK, softmax(logits_SNK.mean(0) / 2, axis=1), rtol=1e-6)


@pytest.mark.slow
def test_all_run_from_clips_to_submission(corpus, tmp_path):
    project = ExtendedProject(tmp_path / "project", configuration(corpus))
    project.run("results/submission.csv", "results/report.html")
    ensemble = project.folder / "results/ensembles/final"
    assert json.loads((ensemble / "fusion.json").read_text())["rule"] == "geometric"
    assert len(pd.read_csv(project.folder / "results/submission.csv")) == 4
