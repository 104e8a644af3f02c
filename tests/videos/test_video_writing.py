from fractions import Fraction

import av
import numpy as np
import pytest

from fixtures.release_files import numbered_frames
from microgesture.videos.reading import probe
from microgesture.videos.writing import write_video


@pytest.mark.parametrize("quick", [False, True])
@pytest.mark.parametrize("size", [(96, 64), (95, 63), (96, 63)])
def test_every_picture_is_in_the_video_in_order(tmp_path, quick, size):
    for name in ("one", "two"):
        write_video(tmp_path / f"{name}.mp4", iter(numbered_frames(12, *size)), 25, quick)
    with av.open(str(tmp_path / "one.mp4")) as file:
        stream = file.streams.video[0]
        frames = [frame.to_ndarray(format="rgb24") for frame in file.decode(stream)]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
    assert {frame_HWC.shape for frame_HWC in frames} == {(64, 96, 3)}
    expected = [frame_HWC.mean() for frame_HWC in numbered_frames(12, *size)]
    np.testing.assert_allclose([frame_HWC.mean() for frame_HWC in frames], expected, atol=2)
    content = (tmp_path / "one.mp4").read_bytes()
    assert content == (tmp_path / "two.mp4").read_bytes()
    assert (content.index(b"moov") < content.index(b"mdat")) is not quick


@pytest.mark.parametrize(("fps", "rate"), [(25, 25), (30000 / 1001, Fraction(30000, 1001)), (12.5, Fraction(25, 2))])
def test_the_rate_is_the_one_that_is_asked_for(tmp_path, fps, rate):
    write_video(tmp_path / "clip.mp4", numbered_frames(5), fps)
    with av.open(str(tmp_path / "clip.mp4")) as file:
        assert file.streams.video[0].average_rate == rate


def test_pictures_are_written_while_they_come(tmp_path):
    alive, most = set(), 0

    class Counted(np.ndarray):
        def __del__(self):
            alive.discard(id(self))

    def pictures():
        nonlocal most
        for number in range(200):
            picture_HWC = np.full((300, 400, 3), number, np.uint8).view(Counted)
            alive.add(id(picture_HWC))
            most = max(most, len(alive))
            yield picture_HWC
            del picture_HWC

    write_video(tmp_path / "clip.mp4", pictures(), 25)
    assert 0 < most < 10


def test_without_a_picture_or_after_an_error_there_is_no_file(tmp_path):
    def pictures():
        yield from numbered_frames(3)
        raise RuntimeError("the third is gone")

    with pytest.raises(ValueError, match=r"clip\.mp4: .*picture"):
        write_video(tmp_path / "clip.mp4", [], 25)
    with pytest.raises(RuntimeError, match="gone"):
        write_video(tmp_path / "clip.mp4", pictures(), 25)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("times", [[1, 1.04, 1.5, 1.51, 3], [0, 0.1, 0.1, 0.1, 0.2]])
def test_pictures_are_shown_at_their_times_and_the_first_one_from_the_start(tmp_path, times):
    write_video(tmp_path / "clip.mp4", numbered_frames(5), 25, times=np.array(times))
    found = probe(tmp_path / "clip.mp4", count=True)
    assert found.n_frames == 5
    np.testing.assert_allclose(found.times.starts_T, [0, *times[1:]], atol=0.001)
