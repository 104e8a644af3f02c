"""A folder of black recordings, for the tests of tables beside them."""

import pytest

from fixtures.annotation_files import blank_video


@pytest.fixture(scope="session")
def videos(tmp_path_factory):
    """A video of 8 seconds, and one of 2.4 seconds, at 25 frames per second."""
    folder = tmp_path_factory.mktemp("videos")
    return blank_video(folder / "long.mp4", 8).read_bytes(), blank_video(folder / "short.mp4", 2.4).read_bytes()


@pytest.fixture
def root(tmp_path):
    """The folder of the recordings."""
    (tmp_path / "recordings").mkdir()
    return tmp_path / "recordings"


@pytest.fixture
def folder(root, videos):
    """Makes a folder of videos of 8 seconds; those called part1 have 2.4 seconds."""

    def make(*names):
        for name in names:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_bytes(videos["part1" in name])
        return root

    return make
