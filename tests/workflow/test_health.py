import copy
from dataclasses import replace

import numpy as np
import pytest
import yaml

from fixtures.project import TINY
from fixtures.release_files import keypoints, numbered_frames, write_lines, write_npz, write_video
from fixtures.skeletons import layout_with
from fixtures.timed_videos import write_timed
from microgesture.cli import main
from microgesture.config.corpora import ManifestCorpus
from microgesture.config.modalities import MODALITIES
from microgesture.config.networks import VideoSwinSettings
from microgesture.corpora import manifest
from microgesture.skeletons.person import Crowd
from microgesture.skeletons.tracks import Followed, Track
from microgesture.workflow import health, keypoint_health

SPLITS = {"a": "train", "b": "train", "c": "val", "d": "test"}
ROWS = [f"{name},{split},{name},wave,{name}.mp4,{name}.npz" for name, split in SPLITS.items()]


@pytest.fixture
def config(tmp_path, monkeypatch):
    """The settings of a run on a corpus of four clips, in the current folder."""
    monkeypatch.chdir(tmp_path)
    for name in SPLITS:
        write_video(tmp_path / f"mine/{name}.mp4", numbered_frames(4), fps=30)
        write_npz(tmp_path / f"mine/{name}.npz", keypoints(4, 137))
    write_lines(tmp_path / "mine/clips.csv", ["clip_id,split,subject,label,video,keypoints", *ROWS])
    settings = copy.deepcopy(TINY)
    settings["corpora"] = {"mine": {"format": "manifest", "root": "mine"}}
    for stream in settings["streams"].values():
        stream["corpus"] = "mine"
    return settings


@pytest.fixture
def doctor(config, tmp_path, capsys):
    """Runs the command on the settings; its exit code, and its lines."""

    def run():
        (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
        with pytest.raises(SystemExit) as ended:
            main(["doctor"])
        return ended.value.code, capsys.readouterr().out.splitlines()

    return run


def stopping(lines):
    return [line for line in lines if line.startswith("!")]


def test_a_healthy_corpus_is_counted_and_nothing_stops(doctor):
    code, lines = doctor()
    assert code == 0
    assert not stopping(lines)
    printed = "\n".join(lines)
    assert "2 train, 1 val, 1 test clips of 4 recordings in 1 class, with video and keypoints" in printed
    assert lines[-1] == "Nothing would stop a run."


def test_too_many_unusable_clips_stop_and_are_named(doctor, tmp_path, config):
    (tmp_path / "mine/b.mp4").write_bytes(b"<html>")
    code, lines = doctor()
    assert code == 1
    assert "1 of 4 clips cannot be used, more than the 2.0% of max_quarantined" in stopping(lines)[0]
    assert any("b.mp4: not a readable video" in line for line in lines)
    config["max_quarantined"] = 0.3
    assert doctor()[0] == 0


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"corpora": {"mine": {"format": "manifest", "root": "nowhere"}}}, "nowhere: no such folder"),
        ({"seads": 1}, "unknown key 'seads'"),
        ({"device": "cuda"}, "(device: cuda)"),
        ({"depth": {"backend": "folder", "folder": "depths"}}, "depths: no such file or folder"),
    ],
)
def test_what_would_stop_a_run_is_marked(doctor, config, monkeypatch, change, sentence):
    monkeypatch.setattr(health.torch.cuda, "device_count", lambda: 0)
    config |= change
    code, lines = doctor()
    assert code == 1
    assert stopping(lines)
    assert sentence in "\n".join(lines)
    assert any(line.startswith("  torch ") for line in lines), "the other checks still run"


def test_a_module_that_does_not_exist_is_a_finding(doctor, monkeypatch):
    monkeypatch.setattr(ManifestCorpus, "module", "microgesture.corpora.manifst")
    assert "microgesture.corpora.manifst" in stopping(doctor()[1])[0]


@pytest.mark.parametrize("kind", ["network", "modality"])
def test_a_misspelt_module_of_a_declaration_is_a_finding(doctor, monkeypatch, kind):
    if kind == "network":
        monkeypatch.setattr(VideoSwinSettings, "module", "microgesture.networks.video_swim")
    else:
        flow = replace(MODALITIES["flow"], module="microgesture.modalities.flo")
        monkeypatch.setitem(MODALITIES, "flow", flow)
    code, lines = doctor()
    assert code == 1
    named = "microgesture.networks.video_swim" if kind == "network" else "microgesture.modalities.flo"
    assert named in stopping(lines)[0]


@pytest.mark.parametrize("part", ["read", "provides"])
def test_an_error_of_a_reader_is_a_finding_with_its_place(doctor, monkeypatch, part):
    def broken(root, person=None, subject_column="subject"):
        raise ValueError("not enough values to unpack")

    monkeypatch.setattr(f"microgesture.corpora.manifest.{part}", broken)
    code, lines = doctor()
    assert code == 1
    (line,) = stopping(lines)[:1]
    assert "ValueError: not enough values to unpack" in line
    assert "test_health.py" in line


def test_a_function_with_other_arguments_is_a_finding(doctor, monkeypatch):
    monkeypatch.setattr(VideoSwinSettings, "sees", (("flow", "skeleton"),))
    (line,) = stopping(doctor()[1])
    assert "network video_swin" in line
    assert "(settings, channels, classes, selection)" in line


def test_a_module_without_its_function_is_a_finding(doctor, monkeypatch):
    monkeypatch.delattr("microgesture.modalities.taylor.make")
    (line,) = stopping(doctor()[1])
    assert "microgesture.modalities.taylor has no function make(work)" in line


def test_several_people_and_close_choices_are_counted(doctor, config, monkeypatch):
    def compared(files, table, folder, rules):
        big, small = keypoints(4, 137, seed=1), keypoints(4, 137, seed=2)
        for number, file in enumerate(files):
            people = np.stack([big, small if number else 0.1 * small], 1)
            people[..., 2] = 1
            yield file, Crowd(Followed(people, (Track(("1",), 0, 0, 3), Track(("2",), 1, 0, 3))), layout_with(137)), []

    monkeypatch.setattr(keypoint_health, "each_compared", compared)
    code, lines = doctor()
    assert code == 0
    (line,) = [line for line in lines if "several people" in line]
    assert "4 of 4 clips" in line
    assert "in 3 of them" in line
    config["corpora"]["mine"]["person"] = "subject"
    (line,) = stopping(doctor()[1])
    assert "'a'" in line


def test_skeletons_without_landmarks_of_the_face_are_counted_where_faces_are_wanted(doctor, config, tmp_path):
    write_npz(tmp_path / "mine/b.npz", keypoints(4, 35))
    assert not stopping(doctor()[1])
    stream = {"corpus": "mine", "input": "face", "network": {"name": "swinface"}, "recipe": "flow"}
    config["streams"]["face"] = stream
    (line,) = stopping(doctor()[1])
    assert "1 of 4 clips have no face: skeleton files such as b.npz" in line
    config["max_quarantined"] = 0.5
    assert not stopping(doctor()[1])


def test_a_start_from_a_stream_that_sees_another_part_of_the_frame_is_doubted(doctor, config, tmp_path):
    write_lines(tmp_path / "other/clips.csv", ["clip_id,split,subject,label,video", "z,train,z,wave,z.mp4"])
    write_video(tmp_path / "other/z.mp4", numbered_frames(4), fps=30)
    config["corpora"]["other"] = {"format": "manifest", "root": "other"}
    video = {"input": "rgb", "network": {"name": "video_swin"}, "recipe": next(iter(config["recipes"]))}
    config["streams"] |= {"first": video | {"corpus": "other"}, "second": video | {"corpus": "mine", "init": "first"}}
    warning = "warning: second sees crops of the person, but starts from first, which sees full frames"
    assert sum(warning in line for line in doctor()[1]) == 1
    config["rgb"] = {"crop": "none"}
    assert not any("starts from" in line for line in doctor()[1])


def test_missing_weights_are_named(doctor, config):
    config["streams"]["flow"]["weights"] = "swin.pth"
    code, lines = doctor()
    assert code == 1
    assert "swin.pth: no such file or folder" in stopping(lines)[0]


def test_a_missing_extra_is_named_as_it_is_installed(doctor, config, monkeypatch):
    monkeypatch.setattr(health.importlib.util, "find_spec", lambda name: None)
    config["flow"] = {"backend": "ptlflow", "model": "raft_small", "weights": "things"}
    code, lines = doctor()
    assert code == 1
    assert 'in the checkout, pip install ".[flow]"' in stopping(lines)[0]


def test_a_decoder_that_this_build_lacks_is_named(monkeypatch):
    monkeypatch.setattr(health, "CODECS", ("h264", "nonsense"))
    found = list(health.codecs())
    assert [finding.stops for finding in found] == [False, True]


def test_a_folder_that_cannot_be_written_to_is_named(tmp_path):
    assert not health.writable(tmp_path / "new/results").stops
    (tmp_path / "file").touch()
    assert health.writable(tmp_path / "file").stops


def test_rates_that_differ_are_named_with_the_key_that_resamples(doctor, config, tmp_path):
    assert not any("frames per second" in line for line in doctor()[1])
    write_video(tmp_path / "mine/b.mp4", numbered_frames(4), fps=25)
    code, lines = doctor()
    assert code == 0
    [line] = [line for line in lines if "frames per second" in line]
    assert "from 25 to 30 frames per second (3 at 30, 1 at 25)" in line
    assert "corpora.mine.fps: 30 resamples them" in line
    config["corpora"]["mine"]["fps"] = 30
    assert not any("frames per second" in line for line in doctor()[1])


def test_a_rate_that_varies_is_named_once(doctor, tmp_path):
    for name in ("a", "b"):
        write_timed(tmp_path / f"mine/{name}.mp4", [0, 1 / 30, 4 / 30, 5 / 30], rate=30)
    lines = doctor()[1]
    assert sum("the frame rate of 2 videos varies (the first is a.mp4" in line for line in lines) == 1


def test_keypoints_of_another_video_are_told_of_once_for_each_kind(doctor, config, tmp_path):
    for name in SPLITS:
        write_npz(tmp_path / f"mine/{name}.npz", keypoints(4, 137) / (64, 48, 1))
    code, lines = doctor()
    assert code == 1
    (line,) = stopping(lines)
    assert "4 of 4 files of keypoints" in line
    assert "normalized: true" in line
    config["corpora"]["mine"]["normalized"] = True
    assert doctor()[0] == 0
    for name in SPLITS:
        write_npz(tmp_path / f"mine/{name}.npz", keypoints(12, 137) / (64, 48, 1))
    (line,) = stopping(doctor()[1])
    assert "12 rows for a video of 4 frames" in line


def test_the_lists_of_a_corpus_are_read_once(doctor, monkeypatch):
    read, times = manifest.read, []

    def counted(root, person=None, subject_column="subject"):
        times.append(root)
        return read(root, person, subject_column)

    monkeypatch.setattr(manifest, "read", counted)
    assert doctor()[0] == 0
    assert len(times) == 1


def test_a_new_study_names_what_doctor_finds_in_its_keypoints(config, tmp_path, capsys):
    for name in SPLITS:
        write_npz(tmp_path / f"mine/{name}.npz", keypoints(4, 137) / (64, 48, 1))
    with pytest.raises(SystemExit) as ended:
        main(["init", "study", "--from", "mine"])
    assert ended.value.code == 0
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("- Keypoints: ")]
    assert "4 of 4 files of keypoints" in line
    assert "normalized: true" in line


def test_a_single_file_of_keypoints_that_is_wrong_is_told_of_and_stops_nothing(doctor, tmp_path):
    write_npz(tmp_path / "mine/a.npz", keypoints(4, 137) * (8, 8, 1))
    code, lines = doctor()
    assert code == 0
    assert any("1 of 4 files of keypoints" in line and "a.npz" in line for line in lines)


def change_clips(folder, **rows):
    """Replace cells of clips.csv: for each clip split, subject and label."""
    lines = [f"{name},{','.join(rows.get(name, (split, name, 'wave')))},{name}.mp4,{name}.npz"
             for name, split in SPLITS.items()]  # fmt: skip
    write_lines(folder / "mine/clips.csv", ["clip_id,split,subject,label,video,keypoints", *lines])


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ({}, "All training clips have the class wave"),
        ({"b": ("train", "b", "nod"), "c": ("val", "c", "shrug")}, "No training clip has these classes of val"),
        ({"b": ("train", "b", "nod")}, "The clips of val have only 1 of the 2 classes of train"),
        ({"b": ("train", "b", "Wave")}, "Classes 'Wave' and 'wave' are different classes"),
        ({"c": ("val", "A", "wave")}, "Subject A is in train and in val (1 of 1 people)"),
        ({"b": ("train", "A", "nod")}, "Subjects 'A' and 'a' count as one person"),
    ],
)
def test_what_is_doubtful_is_a_warning_and_stops_nothing(doctor, tmp_path, rows, sentence):
    change_clips(tmp_path, **rows)
    code, lines = doctor()
    assert code == 0
    assert sum(f"warning: {sentence}" in line for line in lines) == 1


def test_a_person_of_test_in_train_is_a_warning_only_where_it_is_allowed(doctor, config, tmp_path):
    change_clips(tmp_path, d=("test", "A", "wave"))
    assert "subject A (written 'A' and 'a') is in test and in train or val" in stopping(doctor()[1])[0]
    config["corpora"]["mine"]["allow_shared_subjects"] = True
    code, lines = doctor()
    assert code == 0
    assert any("warning: Subject A is in test and in train or val (1 of 1 people)" in line for line in lines)


@pytest.mark.parametrize(
    ("truth", "sentence"),
    [
        (["clip_id,label", "d,shrug"], "truth.csv, column label: 'shrug' of the clip"),
        (["clip_id,label", "0d,wave"], "truth.csv, column clip_id: it has no label of a test clip, such as d"),
        (["id,label", "d,wave"], "truth.csv has no column 'clip_id'"),
        (None, "truth.csv: no such file"),
    ],
)
def test_a_ground_truth_that_cannot_be_used_stops_before_the_work(doctor, config, tmp_path, truth, sentence):
    if truth:
        write_lines(tmp_path / "truth.csv", truth)
    config["ground_truth"] = {"file": "truth.csv"}
    code, lines = doctor()
    assert code == 1
    assert sentence in stopping(lines)[0]


def test_what_a_ground_truth_lacks_is_a_warning(doctor, config, tmp_path):
    change_clips(tmp_path, b=("test", "b", ""), c=("val", "c", "nod"))
    write_lines(tmp_path / "truth.csv", ["clip_id,label", "d,nod", "a,nonsense"])
    config["ground_truth"] = {"file": "truth.csv"}
    code, lines = doctor()
    assert code == 0
    assert any("truth.csv has no label of 1 of the 2 test clips" in line for line in lines)
    assert any("No training clip has these classes of test, so they are never predicted: nod" in line for line in lines)


def test_a_sample_with_other_ids_stops_before_the_work(doctor, config, tmp_path):
    write_lines(tmp_path / "sample.csv", ["Id,Target", "d,0", "e,0"])
    config["submission"]["sample"] = "sample.csv"
    assert "1 ids differ from those of the test split" in stopping(doctor()[1])[0]
