"""What a pretraining depends on: the clips, and none of their labels."""

import copy

import pytest

from fixtures.release_files import keypoints, write_lines, write_npz
from microgesture.config.whole import load_config
from microgesture.errors import InputError
from microgesture.workflow.listings import refresh_listings
from microgesture.workflow.plan import Plan

NETWORK = {"name": "skeleton_transformer", "width": 8, "depth": 2, "heads": 2}
CONFIG = {
    "corpora": {"mine": {"format": "manifest", "root": ""}},
    "recipes": {"short": {"epochs": 2, "layer_decay": 0.8}, "last": {"epochs": 2, "freeze": "backbone"}},
    "pretraining": {
        "masked": {"corpora": ["mine"], "input": "skeleton", "network": NETWORK, "recipe": "short"},
    },
    "streams": {
        "tuned": {
            "corpus": "mine",
            "input": "skeleton",
            "network": {**NETWORK, "drop_path": 0.3},
            "recipe": "short",
            "pretraining": "masked",
        },
        "balanced": {
            "corpus": "mine",
            "input": "skeleton",
            "network": NETWORK,
            "recipe": "last",
            "init": "tuned",
        },
    },
    "ensembles": {"final": {"streams": ["balanced"]}},
    "submission": {"ensemble": "final"},
}


def write_clips(folder, labels):
    rows = zip("abcdef", ("train", "train", "train", "val", "test", "test"), labels, strict=True)
    lines = [f"{name},{split},s{name},{label},30,12,{name}.npz" for name, split, label in rows]
    write_lines(folder / "clips.csv", ["clip_id,split,subject,label,fps,n_frames,keypoints", *lines])


@pytest.fixture
def planned(tmp_path):
    """A function that plans a run of six clips with these labels."""
    config = copy.deepcopy(CONFIG)
    config["corpora"]["mine"]["root"] = str(tmp_path)
    for name in "abcdef":
        write_npz(tmp_path / f"{name}.npz", keypoints(12, 137))

    def plan(labels="xyxyxy", **changed):
        write_clips(tmp_path, labels)
        results = str(tmp_path / "results")
        list(refresh_listings(load_config(config), results))
        return Plan(config | changed, results)

    return plan


def test_planted_labels_do_not_touch_a_pretraining(planned):
    before = planned()
    for labels in ("yxyxyx", "xyxyyy"):  # of all clips; of test clips alone
        after = planned(labels)
        assert after.step("pretrain", "masked") == before.step("pretrain", "masked")
    touched = {stage for (stage, _), step in planned("yxyxyx")._steps.items() if step != before._steps[stage, _]}
    assert {"train", "train_clips"} <= touched


def test_its_settings_touch_every_stream_that_starts_from_it(planned):
    before = planned()
    masked = CONFIG["pretraining"]["masked"] | {"masking": {"ratio": 0.5}}
    after = planned(pretraining={"masked": masked})
    touched = {step for step in before._steps if before._steps[step] != after._steps[step]}
    assert {("pretrain", "masked"), ("train", "tuned"), ("train", "balanced")} <= touched
    assert not touched & {("keypoints", "mine"), ("measured", "mine"), ("clips", "mine")}


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("pretraining", "masked", "corpora"), ["other"], "pretraining.masked.corpora names 'other'"),
        (("streams", "tuned", "pretraining"), "other", "streams.tuned.pretraining names 'other'"),
        (("streams", "tuned", "input"), "bone", "whose input is skeleton, not bone"),
        (("streams", "tuned", "network", "width"), 16, "whose network has other sizes"),
        (("streams", "tuned", "init"), "balanced", "cannot have both init and pretraining"),
        (
            ("streams", "balanced"),
            {"corpus": "mine", "input": "bone", "network": {"name": "stcnn"}, "recipe": "short"},
            "layer_decay of recipes.short is for skeleton_transformer",
        ),
        (("streams", "balanced", "init"), None, "freeze of recipes.last needs trained weights"),
    ],
)
def test_what_does_not_fit_together_is_refused(path, value, message):
    config = copy.deepcopy(CONFIG)
    inner = config
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    with pytest.raises(InputError, match=message):
        load_config(config)


def test_without_test_clips_there_must_be_shards_without_them():
    config = copy.deepcopy(CONFIG) | {"shards": 1}
    config["pretraining"]["masked"]["test_clips"] = False
    with pytest.raises(InputError, match=r"without test_clips, shards must be at least 2"):
        load_config(config)
