"""Emotion on the real workflow: a drawn corpus, faces and gestures, and what a change makes run again."""

import copy
from collections import Counter

import pandas as pd
import pytest

from fixtures.project import TINY, Project

pytestmark = pytest.mark.slow

CONFIG = copy.deepcopy(TINY)
CONFIG["corpora"]["imigue"]["demo"] |= {"subjects": {"train": 4, "val": 1, "test": 2}, "emotion": True}
CONFIG["corpora"]["imigue"]["demo"]["clips"] = {"train": 20, "val": 6, "test": 10}
CONFIG["streams"] = {"joint": TINY["streams"]["joint"]}
CONFIG["ensembles"] = {"final": {"streams": ["joint"]}}
CONFIG["emotion"] = {
    "corpus": "imigue",
    "face": {
        "network": {"name": "swinface", "width": 8, "depths": [1, 1], "patch": 8, "embedding": 16},
        "size": 56,
        "frames": 1,
    },
    "gestures": "joint",
    "recipe": {"epochs": 1},
    "folds": 2,
    "ground_truth": "results/demo/imigue_test_emotions.csv",
}
TARGETS = ("results/emotion/submission.csv", "results/emotion/ablation.csv", "results/emotion/cross_subject.csv")


def test_emotions_are_told_and_a_change_reaches_what_depends_on_it(tmp_path):
    project = Project(tmp_path / "project", CONFIG)
    rows = 3  # face, gestures, all
    tables = Counter(submit_emotion=1, compare_emotion=1, compare_emotion_on_test=1)
    first = project.run(*TARGETS)
    made = Counter({rule: first[rule] for rule in ("list_videos", "embed_stream", "make_face", "train_emotion")})
    assert made == Counter(list_videos=1, embed_stream=1, make_face=2, train_emotion=rows)

    submission = pd.read_csv(project.folder / TARGETS[0], dtype=str)
    ground_truth = pd.read_csv(project.folder / CONFIG["emotion"]["ground_truth"], dtype=str)
    assert sorted(submission.video_id) == sorted(ground_truth.video_id)
    assert set(submission.label) <= {"0", "1"}
    videos = pd.read_csv(project.folder / "results/emotion/videos.csv", dtype=str)
    assert videos.label.isna().tolist() == (videos.split == "test").tolist()
    assert pd.read_csv(project.folder / TARGETS[1]).videos.tolist() == [10] * rows
    assert pd.read_csv(project.folder / TARGETS[2]).videos.tolist() == [4] * rows

    assert project.run(*TARGETS) == Counter()
    project.config["emotion"]["face"]["frames"] = 2
    project.write_config()
    assert project.run(*TARGETS) == Counter(train_emotion=2, predict_emotion=2) + tables
    project.config["emotion"]["targets"] = ["lose", "win"]
    project.write_config()
    assert project.run(*TARGETS) == Counter(submit_emotion=1)
