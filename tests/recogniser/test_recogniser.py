"""An ensemble that is handed over and used on videos: the folder, the windows and the timelines."""

import csv
import json
import os
import re
import subprocess
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import load_file

from fixtures.exported import STREAMS, finished_run, recorded, scored
from fixtures.timed_videos import of_a_browser, rate_halved, without_rate, write_timed
from microgesture.config.predictions import FindingSettings
from microgesture.config.recogniser import FORMAT, Lengths
from microgesture.ensembles.calibration import sharpened
from microgesture.errors import InputError, UnusableClip
from microgesture.machine.resources import Resources
from microgesture.measures.cross_subject import make_cross_subject
from microgesture.recogniser import stretches
from microgesture.recogniser.export import export_recogniser, results_of
from microgesture.recogniser.finding import find_gestures
from microgesture.recogniser.loading import open_recogniser
from microgesture.recogniser.scores import read_windows
from microgesture.recogniser.scoring import Scorer
from microgesture.recogniser.timeline import may_replace, write_timeline
from microgesture.recogniser.windows import find_recording, window_spans
from microgesture.videos.reading import probe
from microgesture.videos.timestamps import FrameTimes
from microgesture.workflow.prediction_stages import recogniser_step
from microgesture.workflow.read_plan import read_plan

LENGTHS = Lengths(frames=(8, 12), fps=25)
CPU = Resources("cpu")
EVERYTHING = FindingSettings(threshold=0)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    return read_plan(finished_run(folder), (), folder / "results")


@pytest.fixture(scope="module")
def exported(run, tmp_path_factory):
    folder = tmp_path_factory.mktemp("exported") / "model"
    export(run, folder)
    return folder


def export(plan, folder):
    step = recogniser_step(plan.config, plan.config.submission.ensemble)
    return export_recogniser(step, results_of(Path(plan.results), step, plan.config.ensembles["final"].streams), folder)


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    folder = tmp_path_factory.mktemp("videos")
    recorded(folder / "talk", 20)
    return folder / "talk.mp4"


@pytest.fixture(scope="module")
def scorer(exported):
    return Scorer(exported, CPU)


@pytest.fixture(scope="module")
def whole(scorer, video):
    return scored(scorer, find_recording(video, None, 25))


@pytest.mark.parametrize("n_frames", [1, 7, 8, 9, 11, 12, 13, 50])
def test_windows_leave_no_frame_out_and_none_runs_past_the_end(n_frames):
    spans = list(zip(*window_spans(FrameTimes.constant(25, n_frames), LENGTHS), strict=True))
    assert {frame for start, end in spans for frame in range(start, end + 1)} == set(range(n_frames))
    assert {end - start + 1 for start, end in spans} == {min(size, n_frames) for size in LENGTHS.frames}
    assert spans == sorted(set(spans))


def test_windows_last_as_long_at_any_frame_rate():
    starts_N, ends_N = window_spans(FrameTimes.constant(50, 200), LENGTHS)
    assert set(ends_N - starts_N + 1) == {16, 24}


def test_windows_last_as_long_where_the_rate_varies():
    times = FrameTimes.of(np.array(rate_halved()), None)
    starts_N, ends_N = window_spans(times, Lengths(frames=(20,), fps=40))
    lasting = [np.subtract(*times.seconds(start, end)[::-1]) for start, end in zip(starts_N, ends_N, strict=True)]
    np.testing.assert_allclose(lasting, 0.5, atol=1 / 15)
    sizes_N = ends_N - starts_N + 1
    assert set(sizes_N[ends_N < 60]) <= {14, 15, 16}
    assert set(sizes_N[starts_N >= 60]) <= {7, 8}
    shown = {frame for start, end in zip(starts_N, ends_N, strict=True) for frame in range(start, end + 1)}
    assert shown == set(range(90))


def test_a_recogniser_of_resampled_clips_knows_their_rate(run):
    mine = run.config.corpora["mine"].model_copy(update={"fps": 25.0})
    config = run.config.model_copy(update={"corpora": run.config.corpora | {"mine": mine}})
    assert recogniser_step(config, "final").fps == 25


def test_windows_are_resampled_as_the_clips_of_the_training(exported, video, whole, tmp_path):
    """A recording at 25 frames a second gives the same answers at 25, and those of half its frames at 12.5."""
    answers = {}
    for fps in (25.0, 12.5):
        scorer = Scorer(exported, CPU)
        scorer.recogniser = scorer.recogniser.model_copy(update={"fps": fps})
        answers[fps] = scored(scorer, find_recording(video, None, 25)).probabilities_NK
    np.testing.assert_array_equal(answers[25.0], whole.probabilities_NK)
    assert np.isfinite(answers[12.5]).all()
    assert np.abs(answers[12.5] - answers[25.0]).max() > 1e-4


def test_files_of_keypoints_are_read_by_the_settings_of_the_corpus(exported, video, whole, tmp_path):
    """A recogniser of a corpus with fractions gives, for the same points as fractions, the answers for pixels."""
    corpus = {"format": "manifest", "root": str(tmp_path / "corpus"), "normalized": True, "row_tolerance": 0.25}
    config = finished_run(tmp_path, corpora={"mine": corpus})
    export(read_plan(config, (), tmp_path / "results"), tmp_path / "model")
    scorer = Scorer(tmp_path / "model", CPU)
    assert scorer.recogniser.row_tolerance == 0.25

    keypoints_TVC = np.load(video.with_suffix(".npz"))["keypoints"]
    keypoints_TVC[..., :2] /= (320, 280)
    np.savez(tmp_path / "fractions.npz", keypoints=keypoints_TVC)
    answers = scored(scorer, find_recording(video, tmp_path / "fractions.npz", 25))
    np.testing.assert_allclose(answers.probabilities_NK, whole.probabilities_NK, atol=1e-5)
    assert "joint was left out" in scored(scorer, find_recording(video, None, 25)).sentences[0]


def test_a_timeline_has_the_times_of_a_video_whose_rate_varies(exported, tmp_path):
    without_rate(write_timed(tmp_path / "web.webm", of_a_browser(), "libvpx", Fraction(1, 1000)))
    said = list(find_gestures(exported, [tmp_path / "web.webm"], tmp_path / "out", None, EVERYTHING, lambda: CPU))
    assert [line for line in said if "frame rate varies, with 19.3" in line]
    assert any(re.search(r"web\.csv: \d+ gestures? in 4\.[67] s", line) for line in said)
    rows = list(csv.DictReader((tmp_path / "out/web.csv").open()))
    assert len(rows) > 2
    for row in rows:
        start, end = int(row["start_frame"]), int(row["end_frame"])
        assert float(row["start_seconds"]) == of_a_browser()[start]
        assert float(row["end_seconds"]) == pytest.approx([*of_a_browser(), 4.65][end + 1], abs=0.01)
    assert "frame rate varies" in (tmp_path / "out/web.html").read_text(encoding="utf-8")
    annotated = probe(tmp_path / "out/web.mp4", count=True)
    np.testing.assert_allclose(annotated.times.starts_T, of_a_browser(), atol=0.001)


def test_the_folder_holds_the_weights_and_what_they_need(run, exported):
    listed = subprocess.run(["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=exported, capture_output=True)
    assert listed.returncode == 0
    assert {path.name for path in exported.iterdir()} == {
        *("README.md", "SHA256SUMS", "recogniser.json", "joint.safetensors", "taylor.safetensors")
    }
    opened = open_recogniser(exported)
    assert opened.classes == ("nod", "wave")
    assert opened.lengths.frames == (8, 9, 10)
    assert opened.fusion["weights"] == {"joint": 0.25, "taylor": 0.75}
    for stream in STREAMS:
        source = load_file(f"{run.results}/streams/{stream}/model.safetensors")
        copied = load_file(exported / f"{stream}.safetensors")
        assert all((source[name] == copied[name]).all() for name in source)


def test_two_exports_have_the_same_bytes(run, exported, tmp_path):
    export(run, tmp_path / "again")
    assert (tmp_path / "again" / "SHA256SUMS").read_bytes() == (exported / "SHA256SUMS").read_bytes()


def test_the_card_has_the_results_on_test_clips_if_their_labels_are_known(tmp_path):
    """Of the streams and the ensemble that are exported, but not of other rows of the table."""
    plan = read_plan(finished_run(tmp_path), (), tmp_path / "results")
    labels_N, person_N = np.array([0, 1, 1, 1, 0]), np.array(["a", "a", "b", "b", "b"])
    answers = {"final": [0, 1, 1, 0, 0], "joint": [1, 0, 0, 1, 0], "limb": [0, 0, 0, 0, 0]}
    said = {name: np.eye(2)[answer_N] for name, answer_N in answers.items()}
    table = make_cross_subject(dict.fromkeys(said), said, labels_N, person_N)
    (tmp_path / "results/cross_subject").mkdir()
    table = table.assign(people=2, people_in_training=1)
    table.to_csv(tmp_path / "results/cross_subject/ablation.csv", index=False)
    export(plan, tmp_path / "model")
    card = (tmp_path / "model/README.md").read_text(encoding="utf-8")
    _, of_test = card.split("On test (5 cut clips of 2 people, 1 ")
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in of_test.splitlines() if line[:1] == "|"]
    assert {row[0]: row[1] for row in cells if row[0] in said} == {"final": "0.8", "joint": "0.4"}


def test_no_folder_of_other_files_is_written_into(run, tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(InputError, match="has other files"):
        export(run, tmp_path)


@pytest.mark.parametrize("file", ["joint.safetensors", "recogniser.json", "README.md"])
def test_a_folder_in_which_a_file_has_changed_is_refused(run, tmp_path, file):
    export(run, tmp_path / "model")
    path = tmp_path / "model" / file
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match=f"{file} has changed"):
        open_recogniser(tmp_path / "model")


def rewritten(run, folder, change):
    """An exported folder whose manifest somebody has changed, with its checksums."""
    export(run, folder)
    manifest = folder / "recogniser.json"
    content = json.loads(manifest.read_text())
    change(content)
    manifest.write_text(json.dumps(content))
    files = ["recogniser.json", *(f"{stream}.safetensors" for stream in STREAMS)]
    sums = subprocess.run(["sha256sum", *files], cwd=folder, capture_output=True, check=True)
    (folder / "SHA256SUMS").write_bytes(sums.stdout)
    return folder


def test_no_file_outside_the_folder_is_ever_named(run, tmp_path):
    folder = rewritten(
        run, tmp_path / "model", lambda content: content["members"][0].update(file="../joint.safetensors")
    )
    with pytest.raises(InputError, match="file"):
        open_recogniser(folder)


def test_a_folder_of_a_newer_format_is_refused_and_says_so(run, tmp_path):
    folder = rewritten(run, tmp_path / "model", lambda content: content.update(format=FORMAT + 1, secret=1))
    with pytest.raises(InputError, match=rf"recogniser\.json has format {FORMAT + 1}, .*reads format {FORMAT}"):
        open_recogniser(folder)


def test_weights_of_another_network_are_refused(run, tmp_path):
    def widen(content):
        content["members"][0]["step"]["network"]["width"] = 8

    with pytest.raises(InputError, match=r"weights in .*joint\.safetensors do not fit"):
        Scorer(rewritten(run, tmp_path / "model", widen), CPU)


@pytest.mark.parametrize("file", ["joint.safetensors", "SHA256SUMS"])
def test_a_folder_that_lacks_a_file_is_refused_and_names_it(run, tmp_path, file):
    export(run, tmp_path / "model")
    (tmp_path / "model" / file).unlink()
    with pytest.raises(InputError, match=file):
        open_recogniser(tmp_path / "model")


def test_a_video_becomes_a_timeline(exported, video, tmp_path):
    said = list(find_gestures(exported, [video], tmp_path, None, EVERYTHING, lambda: CPU))
    assert re.search(r": (1 gesture|(\d\d|[02-9]) gestures) in 0\.8 s$", said[-1])
    with open(tmp_path / "talk.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows
    assert {row["class"] for row in rows} <= {"wave", "nod"}
    assert int(rows[-1]["end_frame"]) <= 19
    assert {path.suffix for path in tmp_path.iterdir()} == {
        *(".csv", ".srt", ".eaf", ".xlsx", ".mp4", ".html", ".parquet")
    }


def test_another_threshold_needs_no_network_and_no_video_and_another_stillness_only_the_rest(
    exported, video, tmp_path, monkeypatch
):
    def found(**options):
        return list(find_gestures(exported, [video], tmp_path, None, FindingSettings(**options), lambda: CPU))

    found(threshold=0.9, stillness=1)
    kept = read_windows(tmp_path / "talk.windows.parquet")
    assert 0 < kept.scored_N.sum() < len(kept.starts_N)
    film = (tmp_path / "talk.mp4").stat().st_mtime_ns
    shown = []
    score = Scorer.score

    def counted(scorer, recording, windows, rows_M):
        shown.append(len(rows_M))
        return score(scorer, recording, windows, rows_M)

    monkeypatch.setattr(Scorer, "score", counted)
    found(threshold=0, stillness=1)
    assert not shown
    assert (tmp_path / "talk.mp4").stat().st_mtime_ns == film
    found(threshold=0, stillness=0)
    assert shown == [len(kept.starts_N) - kept.scored_N.sum()]
    again = list(csv.DictReader((tmp_path / "talk.csv").open()))
    found(threshold=0, stillness=0, fps=30)  # a setting on which scores depend
    assert shown[1:] == [len(kept.starts_N)]
    assert len(again) == len(list(csv.DictReader((tmp_path / "talk.csv").open())))


def test_where_nothing_is_found_the_likeliest_is_told(exported, video, tmp_path):
    said = list(find_gestures(exported, [video], tmp_path, None, FindingSettings(threshold=1), lambda: CPU))
    assert "0 gestures" in said[-2]
    assert re.search(r"^talk: .* (wave|nod) at 0\.\d s, with probability 0\.\d\d;", said[-1])


def test_stretches_change_scores_only_by_what_is_made_at_their_borders(scorer, video, whole, monkeypatch):
    monkeypatch.setattr(stretches, "LONGEST", 1)  # a stretch for each window, made as a clip is made
    alone = scored(scorer, find_recording(video, None, 25))
    assert np.abs(alone.probabilities_NK - whole.probabilities_NK).max() < 0.05
    np.testing.assert_allclose(whole.probabilities_NK.sum(1), 1)
    assert not whole.sentences


def test_without_keypoints_or_video_the_other_streams_go_on(scorer, whole, video, tmp_path):
    alone = tmp_path / "alone.mp4"
    alone.write_bytes(video.read_bytes())
    silent = scored(scorer, find_recording(alone, None, 25))
    assert [sentence.split(": ")[1] for sentence in silent.sentences] == ["stream joint was left out"]
    np.testing.assert_allclose(silent.probabilities_NK.sum(1), 1)
    blind = scored(scorer, find_recording(video.with_suffix(".npz"), None, 25))
    assert [sentence.split(": ")[1] for sentence in blind.sentences[1:]] == ["stream taylor was left out"]
    # The keypoints are read alike with and without a video: a quarter of the whole is what they say alone.
    pooled, alone_NK = (
        sharpened(windows.probabilities_NK, 1 / 0.5) for windows in (whole, blind)
    )  # without temperature
    assert (pooled >= 0.25 * alone_NK - 1e-5).all()
    assert np.abs(blind.probabilities_NK - whole.probabilities_NK).max() > 1e-4


def test_what_is_no_video_is_told_of_and_passed_over(exported, video, tmp_path):
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no video")
    with pytest.raises(UnusableClip, match=r"broken\.mp4"):
        find_recording(broken, None, 25)
    said = list(
        find_gestures(
            exported, [broken, video.with_suffix(".npz")], tmp_path / "out", None, FindingSettings(), lambda: CPU
        )
    )
    assert "broken.mp4" in said[0]
    assert {path.name for path in (tmp_path / "out").iterdir()} >= {"talk.csv", "talk.html"}
    with pytest.raises(InputError, match="none of the files"):
        list(find_gestures(exported, [broken], tmp_path / "out", None, FindingSettings(), lambda: CPU))


def test_two_videos_of_one_name_are_refused(exported, video, tmp_path):
    with pytest.raises(InputError, match="name talk"):
        list(find_gestures(exported, [video, tmp_path / "talk.avi"], tmp_path, None, FindingSettings(), lambda: CPU))


def test_results_never_replace_what_they_are_made_of(exported, video):
    with pytest.raises(InputError, match="name another output folder"):
        list(find_gestures(exported, [video], video.parent, None, FindingSettings(), lambda: CPU))
    assert video.with_suffix(".npz").is_file()


def test_results_replace_no_link_to_a_video_and_no_table_of_keypoints(exported, video, tmp_path):
    link = tmp_path / "talk.mp4"
    link.symlink_to(video)
    with pytest.raises(InputError, match="name another output folder"):
        list(find_gestures(exported, [link], tmp_path, None, FindingSettings(), lambda: CPU))
    assert link.is_symlink()
    keypoints = tmp_path / "keypoints/talk.csv"
    keypoints.parent.mkdir()
    keypoints.write_text("x,y\n1,2\n")
    with pytest.raises(InputError, match="is no timeline"):
        list(find_gestures(exported, [video], keypoints.parent, None, FindingSettings(), lambda: CPU))
    assert keypoints.read_text() == "x,y\n1,2\n"


def test_an_earlier_timeline_is_replaced(tmp_path):
    timeline = tmp_path / "talk.csv"
    assert may_replace(timeline)
    write_timeline(timeline, [], ("wave",), 25)
    assert may_replace(timeline)


def test_a_pipe_is_not_opened(tmp_path):
    os.mkfifo(tmp_path / "talk.csv")
    with pytest.raises(UnusableClip, match="is not a file"):
        find_recording(tmp_path / "talk.csv", None, 25)
