"""What a configuration may say of streams that fuse others, and what follows from it."""

import json
from pathlib import Path

import pytest
import yaml

from microgesture.config.streams import TrainStep
from microgesture.config.whole import load_config
from microgesture.errors import InputError
from microgesture.workflow.plan import Plan

FUSED = {"fuses": ["rgb", "joint"], "recipe": "rgb"}


@pytest.fixture
def raw():
    """The demo's configuration, with a stream that fuses two of its own."""
    raw = json.loads(json.dumps(yaml.safe_load((Path(__file__).parents[2] / "config.yaml").read_text())))
    raw["streams"] = {"fused": FUSED.copy(), **raw["streams"]}  # before what it fuses
    raw["ensembles"]["final"]["streams"].append("fused")
    return raw


def step_of(plan, stage="train"):
    return TrainStep.model_validate_json(plan.step(stage, "fused").settings)


def test_all_that_a_fused_stream_needs_follows_from_the_two(raw):
    stream = load_config(raw).streams["fused"]
    assert (stream.corpus, stream.inputs, stream.parents) == ("imigue", ("rgb", "joint"), ("rgb", "joint"))
    assert (stream.network.name, stream.network.width) == ("token_fusion", 256)
    raw["streams"]["fused"]["network"] = {"name": "token_fusion", "width": 32, "heads": 2}
    assert load_config(raw).streams["fused"].network.width == 32
    plan = Plan(raw)
    assert plan.stores("fused") == ["keypoints", "rgb"]
    assert all(plan.step(stage, "fused") for stage in ("train", "predict"))


def test_each_branch_has_the_network_and_the_recipe_of_the_stream_that_it_comes_from(raw):
    raw["recipes"]["fusion"] = raw["recipes"]["rgb"] | {"flip": False, "test_flip": True, "frames": 3}
    raw["streams"]["fused"]["recipe"] = "fusion"
    plan = Plan(raw)
    step, config = step_of(plan), plan.config
    assert step.margin is None  # keypoints are cut to the person, as the joint stream is shown them
    assert step.selection == "36"
    for part, name in zip(step.parts, ("rgb", "joint"), strict=True):
        alone = TrainStep.model_validate_json(plan.step("train", name).settings)
        recipe = config.recipes[config.streams[name].recipe].tested().model_copy(update={"flip": False})
        assert (part.inputs, part.network, part.recipe) == (alone.inputs, alone.network, recipe)
        assert part.parts == alone.parts == ()
    assert [part.recipe.test_flip for part in step_of(plan, "predict").parts] == [True, True]


def changed(raw, path, value):
    """The steps that differ once a value has changed."""
    before = Plan(raw)
    *parents, last = path.split(".")
    inner = raw
    for parent in parents:
        inner = inner[parent]
    inner[last] = value
    after = Plan(raw)
    return {step for step in before._steps if before._steps[step] != after._steps[step]}


def test_it_is_trained_again_if_a_parent_is_and_its_own_settings_touch_no_parent(raw):
    touched = changed(raw, "streams.joint.network", raw["streams"]["joint"]["network"] | {"dropout": 0.1})
    assert {name for stage, name in touched if stage == "train"} == {"joint", "fused"}
    touched = changed(raw, "streams.fused.network", {"name": "token_fusion", "layers": 1})
    assert {name for stage, name in touched if stage in ("train", "predict")} == {"fused"}


def test_a_fold_starts_from_the_same_fold_of_both(raw):
    raw["folds"] = 2
    raw["ensembles"]["final"]["streams"] = ["fused", "flow"]
    plan = Plan(raw)
    assert plan.folded == ["fused", "joint", "rgb", "flow"]
    assert plan.fold_parents("fused") == {"rgb": True, "joint": True}
    assert step_of(plan, "train_fold").branches == step_of(plan).branches
    touched = changed(raw, "streams.joint.network", raw["streams"]["joint"]["network"] | {"dropout": 0.1})
    assert ("train_fold", "fused") in touched


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"fuses": ["rgb", "join"]}, "fused.fuses names 'join', .* fused, joint, limb"),
        ({"fuses": ["rgb", "rgb"]}, "fused.fuses names 'rgb' twice"),
        ({"fuses": ["rgb", "rgb_ma52"]}, "'rgb' on the corpus 'imigue' and 'rgb_ma52' on 'ma52'"),
        ({"fuses": ["rgb", "fused"]}, "fused.fuses names 'fused', which has two inputs"),
        ({"fuses": ["rgb", "pair"]}, "fused.fuses names 'pair', which has two inputs"),
        ({"fuses": ["rgb"]}, "streams.fused.fuses"),
        ({"init": "rgb"}, "streams.fused: init .*fuses"),
        ({"corpus": "imigue"}, "streams.fused: corpus .*fuses"),
        ({"input": "rgb"}, "streams.fused: input .*fuses"),
        ({"weights": "swin.pth"}, "streams.fused: weights .*fuses"),
        ({"network": {"name": "slowonly"}}, "network token_fusion, not slowonly"),
        ({"network": {"name": "token_fusion", "width": 30}}, "width of token_fusion is 30, .*4 heads"),
        ({"recipe": "anchored"}, "streams.fused: the loss semantic .*recipes.anchored"),
        ({"recipe": "none"}, "streams.fused.recipe names 'none'"),
    ],
)
def test_streams_that_cannot_be_fused_are_refused_with_a_sentence(raw, changes, sentence):
    raw["streams"]["pair"] = {"corpus": "imigue", "input": ["rgb", "limb"], "recipe": "pair"}
    raw["streams"]["pair"]["network"] = {"name": "rgbposeconv3d"}
    raw["recipes"]["pair"] = raw["recipes"]["rgb"] | {"heatmap_frames": 32, "heatmap_size": 12}
    raw["recipes"]["anchored"] = raw["recipes"]["rgb"] | {"semantic_weight": 1}
    load_config(raw)
    raw["streams"]["fused"] |= changes
    with pytest.raises(InputError, match=sentence):
        load_config(raw)


@pytest.mark.parametrize("missing", ["corpus", "input", "network"])
def test_other_streams_say_for_themselves_what_they_are(raw, missing):
    del raw["streams"]["flow"][missing]
    with pytest.raises(InputError, match=f"streams.flow: {missing} is missing; .*fuses"):
        load_config(raw)


def test_token_fusion_goes_with_fuses(raw):
    raw["streams"]["flow"]["network"] = {"name": "token_fusion"}
    with pytest.raises(InputError, match=r"streams.flow: network token_fusion .*fuses"):
        load_config(raw)


def test_a_stream_has_learnt_from_val_if_one_that_it_fuses_has(raw):
    raw["streams"]["again"] = raw["streams"]["joint"] | {"pseudo_labels": "base"}
    raw["streams"]["fused"]["fuses"] = ["rgb", "again"]
    raw["ensembles"] = {
        "base": {"streams": ["joint", "limb"]},
        "final": {"streams": ["rgb", "fused"], "calibration_from": "base"},
    }
    raw["folds"], raw["ablation"] = 0, []
    config = load_config(raw)
    assert [config.learns_from_val(name) for name in ("base", "final", "joint", "fused")] == [False, True, False, True]
    del raw["ensembles"]["final"]["calibration_from"]
    with pytest.raises(InputError, match=r"ensembles.final: .*val.*calibration_from"):
        load_config(raw)
