import json
from pathlib import Path

import pytest
import yaml

from microgesture.config.whole import load_config, schema_json
from microgesture.errors import InputError

ROOT = Path(__file__).parents[2]
CONFIGS = [ROOT / "config.yaml", *sorted((ROOT / "config").glob("*.yaml"))]


MVIT = {"name": "mvit", "width": 24, "depths": [1, 1, 1], "side": 48}  # and 16 frames


@pytest.fixture
def raw():
    return yaml.safe_load((ROOT / "config.yaml").read_text())


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)
def test_every_configuration_that_we_ship_is_valid(path):
    load_config(yaml.safe_load(path.read_text()))


def test_the_schema_is_the_one_that_the_classes_give():
    stored = (ROOT / "workflow/schemas/config.schema.json").read_text()
    assert stored == schema_json(), "run: microgesture schema > workflow/schemas/config.schema.json"


def test_every_key_is_described():
    nameless = []
    for name, definition in json.loads(schema_json())["$defs"].items():
        for key, value in definition["properties"].items():
            described = "description" in value or "$ref" in value or "const" in value or "discriminator" in value
            nameless += [] if described else [f"{name}.{key}"]
    assert nameless == []


def change(raw, path, value):
    *parents, last = path.split(".")
    for parent in parents:
        raw = raw[parent]
    raw[last] = value


POSED = {"format": "manifest", "root": "mine", "person": "most_moving"}


@pytest.mark.parametrize(
    ("path", "value", "sentence"),
    [
        ("taylor.termz", 3, "taylor: unknown key 'termz'; did you mean 'terms'?"),
        ("recipes.videos.epocs", 3, "recipes.videos: unknown key 'epocs'; did you mean 'epochs'?"),
        ("recipes.videos.batch", 8, "recipes.videos: key 'batch' is now called 'batch_size'"),
        ("recipes.videos.device_batch", 8, "recipes.videos: key 'device_batch' is now called 'micro_batch_size'"),
        ("recipes.videos.keep", "best", "recipes.videos: key 'keep' is now called 'keep_checkpoint'"),
        ("recipes.videos.variation", {}, "recipes.videos: key 'variation' is now called 'augmentation'"),
        ("recipes.videos.jitter", 0.2, "recipes.videos: key 'jitter' is now called 'color_jitter'"),
        ("recipes.videos.views", 1, "recipes.videos: key 'views' is now called 'num_clips'"),
        ("recipes.videos.crops", 1, "recipes.videos: key 'crops' is now called 'num_crops'"),
        ("ensembles.final.like", "base", "ensembles.final: key 'like' is now called 'calibration_from'"),
        ("truth", {}, "key 'truth' is now called 'ground_truth'"),
        ("recipes.videos.keep_checkpoint", "best", "recipes.videos.keep_checkpoint: .* 'best_accuracy' or 'last'"),
        ("emotion", {"corpus": "imigue", "recipe": {"batch": 8}}, "emotion.recipe: key 'batch' .* 'batch_size'"),
        ("sead", 3, "unknown key 'sead'; did you mean 'seed'?"),
        ("seed", -1, "seed: .* -1$"),
        ("shards", 10_001, "shards: .* 10000, not 10001$"),
        ("recipes.videos.learning_rate", float("inf"), "recipes.videos.learning_rate: .* inf$"),
        ("streams.rgb_ma52.weights", "w{0}.safetensors", "streams.rgb_ma52.weights: .*w{0}.*'{'"),
        ("ground_truth", {"file": "<truth>.csv"}, "ground_truth.file: .*<truth>.*'<'"),
        ("predictions", {"folder": "a\nb"}, r"predictions.folder: .*a\\nb"),
        ("shards", 0, "shards: Input should be greater than or equal to 1, not 0"),
        ("taylor.window", 5, "taylor.window is 5, .* 3 terms .* 6 frames"),
        ("streams.rgb.corpus", "imigeu", "streams.rgb.corpus names 'imigeu', .* imigue, ma52"),
        ("streams.rgb_ma52.init", "rgb", "rgb_ma52 -> rgb -> rgb_ma52"),
        ("streams.joint.init", ["limb", "rgb"], "init names 2 streams for 1 inputs"),
        ("streams.rgb.weights", "swin.pth", "streams.rgb: .*init.*weights"),
        ("streams.rgb.input", "joint", "network video_swin .*rgb.*, not joint"),
        ("streams.rgb.input", ["rgb", "joint"], "network video_swin .*, not rgb, joint"),
        ("ensembles.final.weights", {"joint": 1.0}, "ensembles.final: weights .*'depth'"),
        ("ensembles.final.streams", ["joint", "rgb_ma52"], "ensembles.final .* corpora .imigue, ma52"),
        ("submission.ensemble", "best", "submission.ensemble names 'best', .* final"),
        ("corpora.imigue.root", "/data", "give either root"),
        ("ensembles", {"rgb": {"streams": ["joint"]}}, "'rgb' .* a stream .* an ensemble"),
        ("ablation", [{"name": "final"}, {"name": "final"}], "ablation: 'final' .* twice"),
        ("ablation", [{"name": "final", "versus": "joint"}], "ablation: 'final' .* 'joint', .* row above"),
        ("ablation", [{"name": "rgb_ma52"}], "ablation: 'rgb_ma52' "),
        ("folds", 1, "folds .* at least 2, or 0 .*1"),
        ("depth.backend", "folder", "depth.folder .*depth.backend: folder"),
        ("depth.backend", "transformers", "depth.model .*depth.backend: transformers"),
        ("flow.backend", "raft_small", "flow.weights .*flow.backend"),
        ("flow", {"backend": "ptlflow", "weights": "things"}, "flow.model .*flow.backend: ptlflow"),
        ("recipes.videos.schedule", "steps", "recipes.videos: decay_epochs .*schedule: steps"),
        ("rgb", {"crop": "none", "margin": 0.3}, "rgb: rgb.margin .* rgb.crop: none"),
        ("streams.rgb.network", MVIT, "streams.rgb: .* recipes.rgb .*frames: 16, size: 48 .*test_size"),
        ("streams.joint.network.name", "posec3d", "streams.joint.network: .*network 'posec3d'.*'poseconv3d'"),
        ("streams.joint.network.name", "lstm", "streams.joint.network: .*network 'lstm'.*poseconv3d, slowonly"),
        ("streams.joint.network.wdth", 3, "streams.joint.network: .*'wdth'.*'width'"),
        ("streams.joint.network.dropout", 3, r"(?m)streams.joint.network.dropout: .* 3$"),
        ("streams.joint.network", {"width": 3}, "streams.joint.network: .*'name'"),
        ("streams.joint.input", "joints", "(?m)streams.joint.input: .*'joints'$"),
        ("corpora.imigue", POSED | {"pose": "mediapipe"}, "corpora.imigue: .*one person.* most_moving .*pose: rtmw"),
        ("corpora.imigue.format", "miiga", "corpora.imigue: .*format 'miiga'.*'miga'"),
        ("corpora.imigue.films", 3, "corpora.imigue: .*'films'"),
        ("recipes.videos.losses", [{"name": "cross"}], r"recipes.videos.losses.0: .*loss 'cross'"),
    ],
)
def test_wrong_settings_are_refused_with_a_sentence(raw, path, value, sentence):
    change(raw, path, value)
    with pytest.raises(InputError, match=sentence):
        load_config(raw)


@pytest.mark.parametrize(
    ("key", "value", "sentence"),
    [
        ("heatmap_frames", 16, "streams.pair: .*4 heatmaps .*recipes.rgb.heatmap_frames .*32"),
        ("heatmap_size", 24, "streams.pair: .*recipes.rgb.heatmap_size .* a quarter of size, 48"),
    ],
)
def test_the_two_paths_of_a_pair_must_meet(raw, key, value, sentence):
    raw["streams"]["pair"] = {
        "corpus": "imigue",
        "input": ["rgb", "limb"],
        "network": {"name": "rgbposeconv3d"},
        "recipe": "rgb",
    }
    raw["recipes"]["rgb"] |= {"heatmap_frames": 32, "heatmap_size": 12}
    load_config(raw)
    raw["recipes"]["rgb"][key] = value
    with pytest.raises(InputError, match=sentence):
        load_config(raw)


def test_all_mistakes_are_told_at_once(raw):
    change(raw, "shards", 0)
    change(raw, "flow.backend", "warp")
    with pytest.raises(InputError, match=r"(?s)shards.*flow\.backend"):
        load_config(raw)
