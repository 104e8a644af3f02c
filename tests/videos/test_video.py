import random
from contextlib import suppress

import av
import cv2
import numpy as np
import pytest

from fixtures.damage import write_sound
from fixtures.release_files import number_of, numbered_frames, textured_frames, write_lines, write_video
from microgesture.errors import UnusableClip
from microgesture.videos.reading import decode, decode_spans, probe


@pytest.fixture(scope="module")
def numbered(tmp_path_factory):
    return write_video(tmp_path_factory.mktemp("video") / "numbered.mp4", numbered_frames(50))


@pytest.fixture(scope="module")
def textured(tmp_path_factory):
    folder = tmp_path_factory.mktemp("video")
    return write_video(folder / "textured.mp4", textured_frames(50), movflags="faststart")


def test_probe_says_what_was_written(numbered):
    info = probe(numbered)
    assert (info.n_frames, info.fps, info.width, info.height) == (50, 25, 64, 48)
    assert probe(numbered, count=True).n_frames == 50


@pytest.mark.parametrize(("first", "last"), [(0, 0), (0, 49), (7, 7), (13, 31), (49, 49)])
def test_decode_gives_exactly_the_frames_asked_for(numbered, first, last):
    frames = list(decode(numbered, first, last))
    assert [number_of(frame) for frame in frames] == list(range(first, last + 1))
    assert all(frame.dtype == np.uint8 and frame.shape == (48, 64, 3) for frame in frames)


def test_frames_are_rgb(tmp_path):
    red = np.zeros((48, 64, 3), np.uint8)
    red[..., 0] = 220
    (frame,) = decode(write_video(tmp_path / "red.mp4", [red]), 0, 0)
    assert np.abs(frame.astype(int) - red).max() < 12


def test_spans_give_each_frame_of_their_union_once(numbered):
    choose = random.Random(0)
    for _ in range(20):
        firsts = [choose.randrange(50) for _ in range(4)]
        spans = [(first, min(49, first + choose.randrange(12))) for first in firsts]
        wanted = sorted({frame for first, last in spans for frame in range(first, last + 1)})
        decoded = list(decode_spans(numbered, spans))
        assert [index for index, _ in decoded] == wanted
        assert [number_of(frame) for _, frame in decoded] == wanted


def test_a_video_that_ends_early_names_file_and_frame(numbered):
    frames = decode(numbered, 48, 52)
    assert [number_of(next(frames)) for _ in range(2)] == [48, 49]
    with pytest.raises(UnusableClip, match=r"numbered\.mp4: .*50 frames, .*frame 52 "):
        next(frames)


def test_what_is_no_video_is_refused_by_name(tmp_path, numbered):
    write_lines(tmp_path / "page.mp4", ["<html>please log in</html>"])
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "half.mp4").write_bytes(numbered.read_bytes()[:1500])
    write_sound(tmp_path / "sound.mp4")
    for name in ("page.mp4", "empty.mp4", "half.mp4", "sound.mp4", "missing.mp4"):
        with pytest.raises(UnusableClip, match=name):
            probe(tmp_path / name)
        with pytest.raises(UnusableClip, match=name):
            list(decode(tmp_path / name, 0, 0))


@pytest.mark.parametrize("name", ["-i x;rm.mp4", "http:x.mp4", "concat:a|b.mp4", "two words é.mp4", "%03d.mp4"])
def test_any_file_name_is_just_a_name(tmp_path, numbered, name):
    (tmp_path / name).write_bytes(numbered.read_bytes())
    assert probe(tmp_path / name).n_frames == 50
    assert number_of(next(decode(tmp_path / name, 30, 30))) == 30


def test_a_truncated_video_gives_its_good_frames_and_then_says_so(tmp_path, textured):
    data = textured.read_bytes()
    (tmp_path / "cut.mp4").write_bytes(data[: len(data) * 2 // 3])
    whole = list(decode(textured, 0, 49))
    good = []
    with pytest.raises(UnusableClip, match=r"cut\.mp4.* frame"):
        good.extend(decode(tmp_path / "cut.mp4", 0, 49))
    assert 5 < len(good) < 49
    assert all(np.array_equal(a, b) for a, b in zip(good, whole, strict=False))


def test_a_hole_in_a_video_never_goes_unnoticed(tmp_path, textured):
    data = textured.read_bytes()
    for start in np.linspace(len(data) // 4, len(data) - 3000, 10).astype(int):
        (tmp_path / "hole.mp4").write_bytes(data[:start] + bytes(2000) + data[start + 2000 :])
        with pytest.raises(UnusableClip, match=r"hole\.mp4.*frame \d+"):
            list(decode(tmp_path / "hole.mp4", 0, 49))


def test_single_flipped_bits_are_noticed_where_the_codec_can(tmp_path, textured):
    """A flip may decode as another valid picture; but most do not, and FFmpeg patches those over."""
    data, noticed = textured.read_bytes(), 0
    for seed in range(20):
        choose, damaged = random.Random(seed), bytearray(data)
        damaged[choose.randrange(len(data) // 4, len(data))] ^= 1 << choose.randrange(8)
        (tmp_path / "flip.mp4").write_bytes(damaged)
        try:
            list(decode(tmp_path / "flip.mp4", 0, 49))
        except UnusableClip:
            noticed += 1
    assert noticed >= 12, "without the single decoding thread none is noticed"


def test_damaged_files_fail_only_as_unusable_clips(tmp_path, numbered):
    data = numbered.read_bytes()
    for seed in range(60):
        choose, damaged = random.Random(seed), bytearray(data)
        for _ in range(choose.choice((1, 20))):
            damaged[choose.randrange(len(data))] = choose.randrange(256)
        (tmp_path / "any.mp4").write_bytes(damaged[: choose.choice((len(data), choose.randrange(len(data))))])
        with suppress(UnusableClip):
            assert len(list(decode(tmp_path / "any.mp4", 0, 49))) == 50
        with suppress(UnusableClip):
            probe(tmp_path / "any.mp4", count=True)


def test_a_picture_stored_on_its_side_is_turned_upright(tmp_path):
    path = tmp_path / "phone.mp4"
    picture = np.zeros((48, 64, 3), np.uint8)
    picture[:20, :30] = 250
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.set_display_rotation(-90)
        container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    _, shown_by_opencv = cv2.VideoCapture(str(path)).read()
    (frame,) = decode(path, 0, 0)
    assert frame.shape == (64, 48, 3)
    assert (probe(path).width, probe(path).height) == (48, 64)
    assert np.abs(frame.astype(int) - shown_by_opencv[..., ::-1]).max() < 25
