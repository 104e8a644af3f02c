"""Which frames are shown at which times, read back from the numbers painted on them."""

from fractions import Fraction

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.release_files import write_lines
from fixtures.timed_videos import (
    OPEN_GOP,
    cover_first,
    cut_copy,
    every_fourth_left_out,
    number_on,
    of_a_browser,
    rate_halved,
    with_bars,
    without_rate,
    write_timed,
)
from microgesture.corpora import list_clips
from microgesture.recogniser.recordings import recordings_in
from microgesture.study.clips import find_clips, visible_files
from microgesture.study.parts import Ruler
from microgesture.videos.reading import decode, probe
from microgesture.videos.timestamps import FrameTimes

MILLISECOND = Fraction(1, 1000)


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("timed")
    regular = [k / 25 for k in range(60)]
    gop = write_timed(folder / "gop.mp4", regular, x264=OPEN_GOP)
    edges = {suffix: cut_copy(gop, folder / f"open.{suffix}", 1.09) for suffix in ("mkv", "ts", "mp4")}
    return {
        "halved": write_timed(folder / "halved.mp4", rate_halved(), rate=30),
        "webm": without_rate(write_timed(folder / "web.webm", of_a_browser(), "libvpx", MILLISECOND)),
        "mkv": without_rate(write_timed(folder / "web.mkv", of_a_browser(), tick=MILLISECOND)),
        "late": write_timed(folder / "late.mp4", [1 + k / 25 for k in range(50)], sound=3),
        "thirty": write_timed(folder / "thirty.mp4", [k / 30 for k in range(300)], rate=30),
        "thirty_mkv": write_timed(folder / "thirty.mkv", [k / 30 for k in range(300)], rate=30, tick=MILLISECOND),
        "ts": write_timed(folder / "regular.ts", regular),
        "flv": write_timed(folder / "regular.flv", regular),
        "avi": write_timed(folder / "left_out.avi", every_fourth_left_out(), "mpeg4", Fraction(1, 25)),
        **{f"open_{suffix}": path for suffix, path in edges.items()},
    }


def shown(path, first, last):
    return [number_on(frame_HWC) for frame_HWC in decode(path, first, last)]


@pytest.mark.parametrize(
    ("name", "start", "end", "first", "last"),
    [
        ("halved", "0", "1", 0, 29),
        ("halved", "2.0", "2.4", 60, 65),
        ("halved", "3.0", "3.4", 75, 80),
        ("webm", "1.0", "1.5", 18, 27),
        ("webm", "4.0", "4.5", 77, 86),
        ("mkv", "1.0", "1.5", 18, 27),
        ("mkv", "4.0", "4.5", 77, 86),
        ("late", "1.5", "2.0", 12, 24),
        ("thirty", "1.033", "2.033", 31, 60),
        ("thirty_mkv", "1.033", "2.033", 31, 60),
        ("ts", "1.0", "1.2", 25, 29),
        ("flv", "1.0", "1.2", 25, 29),
        ("avi", "0.48", "1.00", 9, 18),
    ],
)
def test_times_give_the_frames_that_are_shown_then(videos, name, start, end, first, last):
    frames = Ruler(videos[name]).frames(start, end, "seconds")
    assert frames == (first, last)
    assert shown(videos[name], *frames) == list(range(first, last + 1))


@pytest.mark.parametrize("name", ["thirty", "thirty_mkv"])
def test_times_in_milliseconds_give_no_frame_too_many(videos, name):
    ruler = Ruler(videos[name])
    ends = [round(1000 * k / 30) for k in range(1, 300)]
    found = [ruler.frames("0", str(end), "milliseconds")[1] for end in ends]
    assert found == [round(end / 1000 * 30) - 1 for end in ends] == list(range(299))
    starts = [ruler.frames(str(end), "10000", "milliseconds")[0] for end in ends]
    assert starts == list(range(1, 300))


@pytest.mark.parametrize(
    ("name", "times"),
    [
        ("halved", rate_halved()),
        ("webm", of_a_browser()),
        ("mkv", of_a_browser()),
        ("late", [1 + k / 25 for k in range(50)]),
        ("avi", every_fourth_left_out()),
        ("ts", [k / 25 for k in range(60)]),
    ],
)
def test_every_frame_has_the_time_at_which_it_was_recorded(videos, name, times):
    info = probe(videos[name], count=True)
    np.testing.assert_allclose(info.times.starts_T, times, atol=0.001)
    assert info.n_frames == len(times)
    assert info.times.is_constant == (name in ("late", "ts"))
    assert info.fps == pytest.approx(len(times) / (info.times.end - times[0]), rel=1e-5)
    numbers = shown(videos[name], 0, len(times) - 1)
    assert numbers == list(range(len(times)))


def test_the_length_is_that_of_the_times_and_the_rate_their_mean(videos):
    assert probe(videos["webm"], count=True).times.end == pytest.approx(4.65, abs=0.02)
    assert probe(videos["webm"], count=True).fps == pytest.approx(19.35, abs=0.1)
    assert probe(videos["halved"], count=True).fps == pytest.approx(22.5)


def test_a_header_that_does_not_tell_the_times_is_not_believed(videos):
    assert probe(videos["thirty"]).n_frames == 300
    assert probe(videos["thirty"]).fps == 30
    for name in ("halved", "webm", "avi", "ts"):
        assert probe(videos[name]).n_frames is None


@pytest.mark.parametrize("name", ["open_mkv", "open_ts", "open_mp4"])
def test_frames_that_need_what_was_cut_off_do_not_count(videos, name):
    info = probe(videos[name], count=True)
    assert shown(videos[name], 0, info.n_frames - 1) == list(range(27, 60))
    assert Ruler(videos[name]).frames("0.2", "0.4", "seconds") == (5, 9)


def test_the_second_part_of_a_joined_file_follows_the_first(videos, tmp_path):
    data = videos["ts"].read_bytes()
    (tmp_path / "joined.ts").write_bytes(data + data)
    info = probe(tmp_path / "joined.ts", count=True)
    assert info.n_frames == 120
    assert (np.diff(info.times.starts_T) >= 0).all()
    first, last = info.times.frames(2.8, 3.0)
    assert shown(tmp_path / "joined.ts", first, last) == list(range(10, 15))


def manifest(folder, rows, columns="clip_id,split,label,video"):
    write_lines(folder / "clips.csv", [columns, *rows])
    return folder


def test_clips_of_whole_files_have_the_frames_that_decode(videos):
    folder = videos["avi"].parent
    names = ("open_mkv", "open_ts", "open_mp4", "avi", "webm")
    table = list_clips("mine", "manifest", manifest(folder, [f"{n},train,x,{videos[n].name}" for n in names]), 1).table
    assert (table.status == "ok").all(), table.reason.to_list()
    assert table.n_frames.to_list() == [33, 33, 33, 90, 90]


@pytest.mark.parametrize(("name", "last"), [("ts", 59), ("webm", 89), ("mkv", 89), ("open_mp4", 32), ("avi", 89)])
def test_an_end_just_after_a_video_is_moved_in_any_container(videos, name, last):
    rows = [f"near,train,x,{videos[name].name},3,{last + 5}", f"far,train,x,{videos[name].name},3,{last + 6}"]
    folder = manifest(videos[name].parent, rows, "clip_id,split,label,video,start,end")
    listed = list_clips("mine", "manifest", folder, 1)
    table = listed.table.set_index("clip_id")
    assert table.loc["near", ["status", "end"]].to_list() == ["ok", last]
    assert f"is 6 frames after the last of {videos[name].name}, which has {last + 1}" in table.loc["far"].reason
    assert "1 clips end just after their files and are shortened; the first is near (by 5)" in listed.doubts


def test_a_clip_has_its_own_mean_rate_where_the_rate_varies(videos):
    rows = [f"a,train,x,{videos['halved'].name},0,59", f"b,train,x,{videos['halved'].name},60,89"]
    folder = manifest(videos["halved"].parent, rows, "clip_id,split,label,video,start,end")
    listed = list_clips("mine", "manifest", folder, 1)
    assert listed.table.fps.to_list() == pytest.approx([30, 15])
    [doubt] = listed.doubts
    assert "the frame rate of 1 video varies (the first is halved.mp4, with 22.5 frames per second" in doubt


increasing = st.lists(st.floats(0.005, 0.5), min_size=1, max_size=40).map(np.cumsum)


@given(increasing, st.floats(0, 1), st.floats(0, 1))
def test_neighbouring_ranges_share_no_frame_and_leave_none_out(starts_T, one, other):
    times = FrameTimes.of(starts_T, None)
    begin, end = times.seconds(0, len(times) - 1)
    middle, latest = sorted(begin + share * (end - begin) for share in (one, other))
    ranges = [times.frames(*pair) for pair in ((begin, middle), (middle, latest), (latest, end))]
    if all(ranges) and min(np.diff([begin, middle, latest, end])) > max(times.ends_T - times.starts_T):
        assert [frame for first, last in ranges for frame in range(first, last + 1)] == list(range(len(times)))


@given(increasing)
def test_the_times_of_a_frame_give_that_frame(starts_T):
    times = FrameTimes.of(starts_T, None)
    for frame in range(len(times)):
        start, end = (round(time, 3) for time in times.seconds(frame, frame))
        assert times.frames(start, end) == (frame, frame)


@given(increasing, st.floats(5, 100))
def test_resampling_takes_the_nearest_frame_of_each_time(starts_T, rate):
    times = FrameTimes.of(starts_T, None)
    start, end = times.seconds(0, len(times) - 1)
    chosen = times.resampled(0, len(times) - 1, rate)
    assert len(chosen) == max(round((end - start) * rate), 1)
    for number, frame in enumerate(chosen.tolist()):
        distances = np.abs(times.starts_T - (start + number / rate))
        assert distances[frame] <= distances.min() + 3e-6


def test_resampling_at_the_same_rate_changes_nothing():
    times = FrameTimes.constant(30, 40, 1.5)
    assert times.resampled(3, 20, 30).tolist() == list(range(3, 21))
    assert times.resampled(0, 39, 15).tolist() == list(range(0, 40, 2))
    assert times.resampled(0, 3, 60).tolist() == [0, 0, 1, 1, 2, 2, 3, 3]


@pytest.mark.parametrize("name", ["a.MTS", "b.m2ts", "c.3gp", "d.M2TS"])
def test_videos_of_cameras_and_telephones_are_found_and_read(tmp_path, name):
    path = write_timed(tmp_path / "clips" / name, [k / 25 for k in range(30)])
    assert shown(path, 0, 29) == list(range(30))
    found, _ = find_clips(visible_files(tmp_path / "clips"))
    assert [str(clip.video) for clip in found] == [name]
    assert recordings_in(tmp_path / "clips") == {path.stem: path}


def test_a_cover_picture_is_not_the_video(tmp_path):
    path = cover_first(write_timed(tmp_path / "plain.mp4", rate_halved(), rate=30), tmp_path / "cover.mp4")
    with av.open(str(path)) as file:
        assert [stream.codec_context.name for stream in file.streams.video] == ["mjpeg", "h264"]
    info = probe(path, count=True)
    assert (info.n_frames, info.width, info.height) == (90, 80, 48)
    assert info.times.frames(3, 3.4) == (75, 80)
    assert shown(path, 0, 89) == list(range(90))


def test_the_painter_is_read_back():
    assert [number_on(with_bars(number)) for number in (0, 1, 511, 700)] == [0, 1, 511, 700]
