import os

import pytest

from microgesture.corpora.recordings import join_recordings, recording_named


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


def joined(folder, *clips):
    """The recordings of clips with these files."""
    return join_recordings([recording_named(paths[0]) for paths in clips], clips, folder)


def test_one_recording_under_all_its_names(folder):
    names = joined(folder, *([path] for path in [*ONE, str(folder / "v00.mp4")]))
    assert len(set(names)) == 1


@pytest.mark.parametrize("path", ONE)
def test_the_name_of_a_lone_recording_is_its_path_without_suffix(folder, path):
    (name,) = joined(folder, [path])
    expected = {"linked.mp4": "linked", "shelf/v00.mp4": "shelf/v00", "hard.mkv": "hard"}
    assert name == expected.get(path, "v00")


def test_other_files_are_other_recordings(folder):
    paths = ["v00.mp4", "v01.mp4", "day.1", "day.2", "other/v00.mp4", "gone.mp4", "gone.1"]
    assert len(set(joined(folder, *([path] for path in paths)))) == len(paths)


def test_the_files_of_one_clip_are_of_one_recording(folder):
    names = joined(folder, ["v01.mp4", "day.1"], ["day.1"], ["v01.mp4"], ["day.2"])
    assert names == ["day.1", "day.1", "day.1", "day.2"]


def test_the_name_that_a_reader_gives_is_kept(folder):
    names = join_recordings(["0002", "0001", "0002"], [["v01.mp4"], ["v00.mp4"], ["day.1"]], folder)
    assert names == ["0002", "0001", "0002"]
    names = join_recordings(["0002", "0001", "0003"], [["linked.mp4"], ["v00.mp4"], ["day.1"]], folder)
    assert names == ["0001", "0001", "0003"]
