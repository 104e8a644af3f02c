import os

import pytest

from microgesture.corpora.recordings import name_recordings


@pytest.fixture
def folder(tmp_path):
    for name in ("v00.mp4", "v00.csv", "v00_skeleton.csv", "v01.mp4", "day.1", "day.2", "other/v00.mp4"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "linked.mp4").symlink_to("v00.mp4")
    (tmp_path / "shelf").symlink_to(".")
    os.link(tmp_path / "v00.mp4", tmp_path / "hard.mkv")
    return tmp_path


ONE = [
    "v00.mp4",
    "./v00.mp4",
    "other/../v00.mp4",
    "linked.mp4",
    "v00.csv",
    "v00_skeleton.csv",
    "shelf/v00.mp4",
    "hard.mkv",
]


def test_one_recording_under_all_its_names(folder):
    names = name_recordings([[path] for path in [*ONE, str(folder / "v00.mp4")]], folder)
    assert len(set(names)) == 1


@pytest.mark.parametrize("path", ONE)
def test_the_name_of_a_lone_recording_is_its_path_without_suffix(folder, path):
    (name,) = name_recordings([[path]], folder)
    expected = {"linked.mp4": "linked", "shelf/v00.mp4": "shelf/v00", "hard.mkv": "hard"}
    assert name == expected.get(path, "v00")


def test_other_files_are_other_recordings(folder):
    paths = ["v00.mp4", "v01.mp4", "day.1", "day.2", "other/v00.mp4", "gone.mp4", "gone.1"]
    assert len(set(name_recordings([[path] for path in paths], folder))) == len(paths)


def test_the_files_of_one_clip_are_of_one_recording(folder):
    names = name_recordings([["v01.mp4", "day.1"], ["day.1"], ["v01.mp4"], ["day.2"], []], folder)
    assert names == ["day.1", "day.1", "day.1", "day.2", ""]
