import copy
import json
from pathlib import Path

import pytest
import yaml

from microgesture.config.whole import load_config
from microgesture.errors import InputError
from microgesture.workflow.emotion_stages import label_files
from microgesture.workflow.plan import Plan

DEMO = json.loads(json.dumps(yaml.safe_load((Path(__file__).parents[2] / "config.yaml").read_text())))
EMOTION = {
    **DEMO,
    "emotion": {
        "corpus": "imigue",
        "face": {"network": {"name": "swinface", "width": 8, "depths": [1, 1]}},
        "context": "rgb",
        "gestures": "joint",
    },
}
ROWS = ["face", "context", "gestures", "face_context", "all"]
TABLES = {"emotion_ablation emotion", "emotion_cross_subject emotion", "emotion_submission emotion"}


def changed(before, after):
    """The steps whose settings or stamps differ, or that only one of the plans has, but for those that show all."""
    steps = {step for step in (*before._steps, *after._steps) if step[0] not in ("report", "view")}
    return {" ".join(step) for step in steps if before._steps.get(step) != after._steps.get(step)}


def with_emotion(**changes):
    raw = copy.deepcopy(EMOTION)
    raw["emotion"].update(changes)
    return raw


def of_rows(*rows):
    return {f"{stage}_emotion {row}" for stage in ("train", "predict") for row in rows}


def test_emotion_adds_steps_and_faces_and_changes_none():
    before, after = Plan(DEMO), Plan(EMOTION)
    assert list(after.config.emotion.rows) == ROWS
    assert changed(before, after) == {"videos emotion", "embed rgb", "embed joint", *of_rows(*ROWS), *TABLES}
    assert after.kinds("imigue") == [*before.kinds("imigue"), "face"]
    assert after.kinds("ma52") == before.kinds("ma52")


@pytest.mark.parametrize(
    ("changes", "steps"),
    [
        ({"ground_truth": "truth.csv"}, {"emotion_cross_subject emotion"}),
        ({"targets": ["lose", "win"]}, {"emotion_submission emotion"}),
        ({"submission": "face_context"}, {"emotion_submission emotion"}),
        ({"recipe": {"epochs": 5}}, of_rows(*ROWS) | TABLES),
        (
            {"face": {**EMOTION["emotion"]["face"], "frames": 2}},
            of_rows("face", "face_context", "all") | TABLES,
        ),
        ({"labels": ["mine.csv"]}, {"videos emotion"} | of_rows(*ROWS) | TABLES),
        ({"split": "published"}, {"videos emotion"} | of_rows(*ROWS) | TABLES),
        ({"gestures": "limb"}, {"embed joint", "embed limb"} | of_rows("gestures", "all") | TABLES),
    ],
)
def test_a_setting_touches_exactly_what_depends_on_it(changes, steps):
    assert changed(Plan(EMOTION), Plan(with_emotion(**changes))) == steps


def test_another_stream_network_reaches_the_rows_that_see_it():
    raw = copy.deepcopy(EMOTION)
    raw["streams"]["rgb"]["network"]["dropout"] = 0.5
    touched = changed(Plan(EMOTION), Plan(raw))
    assert {"embed rgb", *of_rows("context", "face_context", "all")} <= touched
    assert not touched & {"embed joint", *of_rows("face", "gestures")}


def test_rows_are_those_that_the_sources_allow():
    assert list(load_config(with_emotion(face=None)).emotion.rows) == ["context", "gestures", "all"]
    assert list(load_config(with_emotion(face=None, context=None)).emotion.rows) == ["gestures"]
    emotion = load_config(EMOTION).emotion
    assert emotion.submitted == "all"
    assert load_config(with_emotion(submission="face")).emotion.submitted == "face"
    assert emotion.versus == dict.fromkeys(ROWS) | {"all": "face_context"}
    assert emotion.rows["all"] == ("face", "context", "gestures")


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"context": "nope"}, "emotion.context names 'nope', .* joint, limb"),
        ({"gestures": "rgb_ma52"}, "emotion.gestures names 'rgb_ma52', .*corpus"),
        ({"corpus": "smg"}, "emotion.corpus names 'smg', .* imigue, ma52"),
        ({"face": None, "context": None, "gestures": None}, "emotion: .*face, context or gestures"),
        ({"network": {"width": 10, "heads": 4}}, "emotion.network: width 10 .*4 heads"),
        ({"targets": ["win", "win"]}, "emotion: targets .*'win'"),
        ({"face": None, "submission": "face_context"}, "emotion: submission .*context, gestures, all"),
        ({"fold": 3}, "unknown key 'fold'; did you mean 'folds'"),
    ],
)
def test_wrong_settings_are_refused_with_a_sentence(changes, sentence):
    with pytest.raises(InputError, match=sentence):
        load_config(with_emotion(**changes))


def test_faces_need_a_corpus_with_videos_and_keypoints():
    raw = with_emotion(corpus="ma52", context="rgb_ma52", gestures=None)
    with pytest.raises(InputError, match=r"emotion.face needs video and keypoints, but corpus 'ma52'"):
        Plan(raw)


def test_label_files_that_are_found_in_the_corpus_are_inputs(tmp_path):
    (tmp_path / "lists").mkdir()
    found = tmp_path / "lists/train_label.csv"
    found.write_text("video_id,label\n1,0\n")
    raw = with_emotion()
    assert label_files(load_config(raw), "anywhere") == [], "a synthetic corpus is listed by the run"
    del raw["corpora"]["imigue"]["demo"]
    raw["corpora"]["imigue"]["root"] = str(tmp_path)
    assert label_files(load_config(raw), str(tmp_path)) == [str(found)]
    raw["emotion"]["labels"] = ["mine.csv"]
    assert label_files(load_config(raw), str(tmp_path)) == ["mine.csv"]
