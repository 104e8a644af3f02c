"""Every kind of stream in an ensemble that is handed over says of a window what the stages of its run say of a clip."""

import numpy as np
import pytest

from fixtures.exported import OTHERS, finished_run
from microgesture.config.base import parse_step
from microgesture.config.streams import TrainStep
from microgesture.ensembles.fusion import Fusion, fuse
from microgesture.machine.resources import Resources
from microgesture.modalities.face import make_face
from microgesture.modalities.keypoints import select_keypoints
from microgesture.modalities.rgb import make_rgb
from microgesture.networks import build
from microgesture.recogniser import stretches
from microgesture.recogniser.export import export_recogniser, results_of
from microgesture.recogniser.scoring import Scorer
from microgesture.recogniser.windows import find_recording
from microgesture.skeletons.reading import read_skeletons
from microgesture.storage.clips import read_clips
from microgesture.storage.files import read_json
from microgesture.storage.scores import read_scores
from microgesture.streams.predict import predict
from microgesture.workflow.prediction_stages import recogniser_step
from microgesture.workflow.read_plan import read_plan

CPU = Resources("cpu")


# Full frames for rgb, and the person for the pair.
FULL_FRAMES = OTHERS | {"pair": OTHERS["pair"] | {"input": ["rgb_person", "limb"]}}


@pytest.fixture(scope="module", params=["person", "none"])
def run(tmp_path_factory, request):
    folder = tmp_path_factory.mktemp("run")
    streams = OTHERS if request.param == "person" else FULL_FRAMES
    file = finished_run(folder, streams, rgb={"size": 24, "crop": request.param})
    return folder, read_plan(file, (), folder / "results")


@pytest.fixture(scope="module")
def scorer(run):
    folder, plan = run
    step = recogniser_step(plan.config, "final")
    export_recogniser(
        step, results_of(folder / "results", step, plan.config.ensembles["final"].streams), folder / "model"
    )
    return Scorer(folder / "model", CPU)


def said_by_the_run(folder, plan, scratch):
    """The probabilities of the clip d of test, frames 0 to 8, by the stages of the run and its ensemble."""
    root, config, results = folder / "corpus", plan.config, folder / "results"
    clips = read_clips(results / "clips" / "mine.parquet")
    files = {kind: scratch / f"{kind}.arrow" for kind in ("skeletons", "keypoints", "rgb", "rgb_person", "face")}
    read_skeletons(clips, 0, root, files["skeletons"], scratch / "work")
    select_keypoints(clips, 0, files["skeletons"], files["keypoints"], scratch / "work", config.keypoints.selection)
    for kind, settings in (("rgb", config.rgb), ("rgb_person", config.rgb_person)):
        margin = settings.person_margin
        make_rgb(clips, 0, root, files["keypoints"], files[kind], scratch / "work", settings.size, margin)
    make_face(clips, 0, root, files["skeletons"], files["face"], scratch / "work", **config.face.model_dump())
    fusion = read_json(results / "ensembles" / "final" / "fusion.json")
    logits = []
    for stream in fusion["streams"]:
        step = parse_step(TrainStep, plan.step("predict", stream).settings)
        shards = {kind: [files[kind]] for kind in plan.stores(stream)}
        model = results / "streams" / stream / "model.safetensors"
        predict(clips, shards, model, step, build, {"test": scratch / f"{stream}.parquet"}, CPU)
        logits.append(read_scores(scratch / f"{stream}.parquet").log_probabilities["d"])
    return fuse(np.array(logits)[:, None], Fusion.from_json(fusion, fusion["streams"]))[0]


def test_a_window_that_is_a_stretch_of_its_own_is_scored_as_a_clip_of_the_run(run, scorer, tmp_path, monkeypatch):
    monkeypatch.setattr(stretches, "LONGEST", 1)
    recording = find_recording(run[0] / "corpus" / "clip.mp4", None, 25)
    windows = scorer.windows_of(recording)
    [window] = np.flatnonzero((windows.starts_N == 0) & (windows.ends_N == 8))
    rows = np.array([window, len(windows.starts_N) - 1])
    found = scorer.score(recording, windows, rows)
    assert not found.sentences
    expected_K = said_by_the_run(*run, tmp_path)
    np.testing.assert_allclose(found.probabilities_NK[window], expected_K, atol=1e-5)
    assert np.ptp(found.probabilities_NK[rows, 0]) > 1e-3  # or any window would do


def test_what_fuses_two_inputs_goes_on_with_one_and_what_needs_two_is_left_out(run, scorer, tmp_path):
    alone = tmp_path / "alone.mp4"
    alone.write_bytes((run[0] / "corpus" / "clip.mp4").read_bytes())
    recording = find_recording(alone, None, 25)
    windows = scorer.windows_of(recording)
    found = scorer.score(recording, windows, np.arange(len(windows.starts_N))[::4])
    left_out = {sentence.split(": stream ")[1].split(" was left out:")[0] for sentence in found.sentences}
    assert left_out == {"joint", "pair", "face"}
    np.testing.assert_allclose(found.probabilities_NK[::4].sum(1), 1)
