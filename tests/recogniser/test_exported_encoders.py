"""Streams with a pretrained encoder in an ensemble that is handed over: the folder has all that they need."""

import hashlib
import json
import shutil

import numpy as np
import pytest

from fixtures.exported import finished_run, scored
from fixtures.video_encoders import save_encoder
from microgesture.checkpoints.encoders import read_encoder
from microgesture.config.base import parse_step
from microgesture.config.encoders import EncoderStep
from microgesture.config.streams import TrainStep
from microgesture.ensembles.fusion import Fusion, fuse
from microgesture.errors import InputError
from microgesture.machine.resources import Resources
from microgesture.modalities.rgb import make_rgb
from microgesture.networks import build
from microgesture.recogniser import stretches
from microgesture.recogniser.export import export_recogniser, results_of
from microgesture.recogniser.loading import open_network, open_recogniser
from microgesture.recogniser.scoring import Scorer
from microgesture.recogniser.windows import find_recording
from microgesture.storage.clips import read_clips
from microgesture.storage.files import read_json
from microgesture.storage.scores import read_scores
from microgesture.streams.encode import FeatureFiles, make_features
from microgesture.streams.predict import predict
from microgesture.streams.weights import load_weights
from microgesture.streams.weights import save_encoder as save_encoder_file
from microgesture.workflow.encoder_stages import features_of
from microgesture.workflow.prediction_stages import recogniser_step
from microgesture.workflow.read_plan import read_plan

CPU = Resources("cpu")
RECIPE = {"num_clips": 1, "flip": False}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A finished run with a probe and a tuned encoder: its folder, its plan, and the description of the encoder."""
    folder = tmp_path_factory.mktemp("run")
    save_encoder(folder / "private" / "tiny")
    asked = EncoderStep(model=str(folder / "private" / "tiny"))
    encoder, state = read_encoder(asked)
    encoder = save_encoder_file(folder / "results" / "encoders" / f"{asked.file_name}.safetensors", encoder, state)
    own = {"name": "pretrained_video", "model": asked.model}
    shared = {"corpus": "mine", "input": "rgb", "recipe": "small"}
    streams = {
        "full": shared | {"network": own | {"tune": "full"}},
        "probe": shared | {"network": own | {"head": "attentive", "grid": 2}},
    }
    file = finished_run(folder, streams, encoder=encoder, recipes={"small": RECIPE}, rgb={"size": 48, "crop": "none"})
    return folder, read_plan(file, (), folder / "results"), encoder


def exported(run):
    folder, plan, _ = run
    step = recogniser_step(plan.config, "final")
    export_recogniser(step, results_of(folder / "results", step, ["full", "probe"]), folder / "model")
    return folder / "model"


def use(folder):
    recogniser = open_recogniser(folder)
    return [open_network(folder, recogniser, member) for member in recogniser.members]


def said_by_the_run(run, scratch):
    """The probabilities of the clip d of test, frames 0 to 8, by the stages of the run and its ensemble."""
    folder, plan, encoder = run
    results, rgb = folder / "results", scratch / "rgb.arrow"
    clips = read_clips(results / "clips" / "mine.parquet")
    make_rgb(clips, 0, folder / "corpus", None, rgb, scratch / "work", plan.config.rgb.size, None)
    weights = results / "encoders" / f"{plan.config.streams['probe'].network.encoder.file_name}.safetensors"
    files = FeatureFiles(rgb, weights, scratch / "features.arrow", scratch / "work")
    step = parse_step(TrainStep, plan.step("features", features_of(plan.config, "probe")).settings)
    make_features(step.with_encoder(encoder), files, "cpu")
    fusion = read_json(results / "ensembles" / "final" / "fusion.json")
    logits = []
    for stream in fusion["streams"]:
        step = parse_step(TrainStep, plan.step("predict", stream).settings).with_encoder(encoder)
        model = results / "streams" / stream / "model.safetensors"
        shards = {"rgb": [rgb], "features": [files.output]}
        predict(clips, shards, model, step, build, {"test": scratch / f"{stream}.parquet"}, CPU)
        logits.append(read_scores(scratch / f"{stream}.parquet").log_probabilities["d"])
    return fuse(np.array(logits)[:, None], Fusion.from_json(fusion, fusion["streams"]))[0]


def test_a_window_is_scored_as_a_clip_of_the_run(run, tmp_path, monkeypatch):
    monkeypatch.setattr(stretches, "LONGEST", 1)
    model = exported(run)
    moved = shutil.move(model, tmp_path / "elsewhere")
    found = scored(Scorer(moved, CPU), find_recording(run[0] / "corpus" / "clip.mp4", None, 25))
    assert not found.sentences
    [window] = np.flatnonzero((found.starts_N == 0) & (found.ends_N == 8))
    np.testing.assert_allclose(found.probabilities_NK[window], said_by_the_run(run, tmp_path), atol=2e-3)
    assert np.ptp(found.probabilities_NK[:, 0]) > 1e-3  # or any window would do


def test_the_folder_has_the_encoder_and_not_the_path_of_its_model(run):
    model = exported(run)
    assert "private" not in (model / "recogniser.json").read_text()
    state, _ = load_weights(model / "probe.safetensors")
    assert {name.partition(".")[0] for name in state} == {"encoder", "head"}


def test_other_weights_than_those_that_the_features_come_from_are_refused(run, tmp_path):
    results = run[0] / "results"
    (file,) = (results / "encoders").glob("*.safetensors")
    kept = file.read_bytes()
    try:
        save_encoder(tmp_path / "other", seed=1)
        save_encoder_file(file, *read_encoder(EncoderStep(model=str(tmp_path / "other"))))
        with pytest.raises(InputError, match="has other weights than those of tiny"):
            exported(run)
    finally:
        file.write_bytes(kept)


@pytest.mark.parametrize(
    ("member", "key", "value", "named"),
    [
        (0, "encoder", None, "needs encoder"),
        (1, ("encoder", "stored"), True, "frames and the size of the recipe"),
        (1, ("encoder", "frames"), 8, "frames and the size of the recipe"),
        (0, ("encoder", "config", "hidden_size"), 32, "do not fit"),
        (0, ("encoder", "config", "num_hidden_layers"), 10**9, "too large"),
        (0, ("encoder", "config", "_attn_implementation"), "owner/kernel", "_attn_implementation"),
        (0, ("encoder", "config", "intermediate_size"), 10**12, "do not fit|cannot"),
        (0, ("encoder", "config", "model_type"), "bert", "bert"),
    ],
)
def test_what_no_export_has_is_refused(run, member, key, value, named):
    model = exported(run)
    manifest = json.loads((model / "recogniser.json").read_text())
    at = manifest["members"][member]["step"]
    *path, last = (key,) if isinstance(key, str) else key
    for part in path:
        at = at[part]
    at[last] = value
    (model / "recogniser.json").write_text(json.dumps(manifest))
    files = sorted(path for path in model.iterdir() if path.name != "SHA256SUMS")
    sums = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in files]
    (model / "SHA256SUMS").write_text("".join(sums))
    with pytest.raises(InputError, match=named):
        use(model)
