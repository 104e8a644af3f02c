import re

import pytest
import yaml

from microgesture.config.whole import load_config
from microgesture.skeletons.layouts import layout_named
from microgesture.study.proposal import ENCODER_MB, Data, propose
from microgesture.study.settings import settings_text


def labels(classes, each):
    return tuple(f"class {number}" for number in range(classes) for _ in range(each))


def data(train, val=(), groups=6, video=True, keypoints=True):
    return Data(train, val, groups, video, keypoints)


MANY = labels(8, 30)
FEW = labels(10, 4)


@pytest.mark.parametrize(
    ("given", "streams", "folds"),
    [
        (data(MANY, MANY), {"skeleton", "bone", "joint", "limb", "rgb", "taylor", "flow", "depth"}, 0),
        (data(MANY, MANY, keypoints=False), {"rgb", "taylor", "flow"}, 0),
        (data(MANY, MANY, video=False), {"skeleton", "bone", "joint", "limb"}, 0),
        (data(labels(100, 3), labels(100, 1)), {"skeleton", "bone", "taylor", "flow"}, 0),  # many clips, few of a class
        (data(FEW, FEW[:8]), {"skeleton", "bone", "taylor", "flow"}, 3),
        (data(FEW, FEW[:8], groups=2), {"skeleton", "bone", "taylor", "flow"}, 2),
        (data(FEW, FEW[:8], groups=1), {"skeleton", "bone"}, 0),  # one recording
        (data(labels(70, 1)), {"skeleton", "bone"}, 0),  # one clip of each class
        (data(labels(70, 1), keypoints=False), {"taylor", "flow"}, 0),
        (data(labels(4, 4), labels(4, 1)), {"skeleton", "bone"}, 0),
    ],
)
def test_streams_are_mixed_only_where_clips_tell_their_weights(given, streams, folds):
    proposed = propose(given)
    assert (set(proposed.streams), proposed.folds) == (streams, folds)


@pytest.mark.parametrize("given", [data(MANY, MANY), data(FEW, FEW[:8]), data(labels(70, 1))])
@pytest.mark.parametrize("gpu", [True, False])
def test_every_proposal_is_a_valid_configuration(tmp_path, given, gpu):
    text = settings_text(tmp_path, given, layout_named("openpose_137"), 300, {"left"}, False, False, gpu, None)
    config = load_config(yaml.safe_load(text))
    final = config.ensembles["final"]
    assert final.streams == propose(given).streams == tuple(config.streams)
    assert config.folds == propose(given).folds
    assert (final.weights, final.calibrate) == (("search", True) if propose(given).weighs else ("equal", False))
    last = {recipe.keep_checkpoint == "last" for recipe in config.recipes.values()}
    assert last == {len(given.val) < 30}
    assert not any(recipe.flip for recipe in config.recipes.values())


@pytest.mark.parametrize(
    ("given", "seen"),
    [
        (data(FEW, FEW[:8]), "rgb_person"),
        (data(FEW, FEW[:8], keypoints=False), "rgb"),
        (data(FEW, FEW[:8], video=False), None),
        (data(labels(10, 49), labels(10, 1)), None),  # 500 labelled clips
        (data(labels(10, 49), labels(9, 1)), "rgb_person"),
    ],
)
@pytest.mark.parametrize("clips", [["left"], ["nod"]])
def test_a_pretrained_encoder_is_a_comment_that_becomes_a_stream(tmp_path, given, seen, clips):
    layout = layout_named("openpose_137") if given.keypoints else None
    text = settings_text(tmp_path, given, layout, 300, set(clips), False, False, False, None)
    before = load_config(yaml.safe_load(text))
    assert "probe" not in before.streams
    added, count = re.subn(r"^( *)# ((- )?probe)", r"\1\2", text, flags=re.MULTILINE)
    assert count == (3 if seen else 0)
    after = load_config(yaml.safe_load(added))
    if seen is None:
        assert after == before
        return
    assert after.ensembles["final"].streams == (*before.ensembles["final"].streams, "probe")
    assert after.streams["probe"].inputs == (seen,)
    assert after.streams["probe"].network.tune == "probe"
    assert after.recipes["probe"].flip == (clips == ["nod"])
    assert f"about {ENCODER_MB} MB" in text
