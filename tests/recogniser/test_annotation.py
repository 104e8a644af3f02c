"""The annotated video and the page beside it: what a browser is given, and what it makes of them."""

import re
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from fixtures.browser import browser, needs_chromium
from fixtures.release_files import numbered_frames, write_video
from microgesture.errors import UnusableClip
from microgesture.recogniser import annotation
from microgesture.recogniser.annotation import annotate, bands, colour_of, picture_size
from microgesture.recogniser.page import write_page
from microgesture.recogniser.segments import Segment
from microgesture.recogniser.windows import Recording, find_recording
from microgesture.videos.timestamps import FrameTimes

SEGMENTS = [Segment(2, 5, 0, 0.9), Segment(8, 11, 1, 0.6)]
CLASSES = ("Folding <arms>", "Ärmel zupfen")
N_FRAMES = 15
TIMES = FrameTimes.constant(25, N_FRAMES)


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shown")
    write_video(folder / "source" / "talk.mkv", [4 * frame_HWC for frame_HWC in numbered_frames(N_FRAMES, 638, 360)])
    annotate(find_recording(folder / "source" / "talk.mkv", None, 25), SEGMENTS, CLASSES, folder / "talk.mp4")
    write_page(folder / "talk.html", "talk & more", SEGMENTS, CLASSES, TIMES, "talk.mp4", ["left out is joint"])
    return folder


def test_every_frame_is_in_the_annotated_video_for_browsers(shown):
    with av.open(str(shown / "talk.mp4")) as file:
        stream = file.streams.video[0]
        frames = [frame.to_ndarray(format="rgb24") for frame in file.decode(stream)]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert stream.average_rate == 25
    assert len(frames) == N_FRAMES
    means = [frame_HWC[-360:].mean() for frame_HWC in frames]
    np.testing.assert_allclose(means, [16 * index for index in range(N_FRAMES)], atol=6)
    content = (shown / "talk.mp4").read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")  # a player can start before it has the whole file


def test_the_band_names_the_gesture_of_its_frame_alone():
    band = bands(SEGMENTS, CLASSES, TIMES, 300)
    rest, first, second = band(0), band(3), band(9)
    assert not rest[2:20].std()
    assert first[2:20].std() > 0
    assert second[2:20].std() > 0
    assert (first[2:20] != second[2:20]).any()
    assert (band(2)[:20] == band(5)[:20]).all()
    assert rest.shape[0] % 2 == 0


def test_the_strip_shows_where_the_gestures_are():
    band_HWC = bands(SEGMENTS, CLASSES, TIMES, 300)(14)
    row_WC = band_HWC[-6]
    colours = {label: np.array([int(colour_of(label)[i : i + 2], 16) for i in (1, 3, 5)]) for label in (0, 1)}
    for label, (start, end) in {0: (2, 5), 1: (8, 11)}.items():
        columns = np.flatnonzero((row_WC == colours[label]).all(1))
        assert abs(columns.min() - start * 20) <= 1
        assert abs(columns.max() - (end + 1) * 20) <= 1


def test_a_class_that_no_font_has_is_called_by_its_number(monkeypatch):
    monkeypatch.setattr(annotation, "can_write", lambda text: text != "挥手")
    unknown, numbered = (bands(SEGMENTS, ("Wave", name), TIMES, 300) for name in ("挥手", "class 1"))
    assert (unknown(9) == numbered(9)).all()
    assert (unknown(9) != unknown(3)).any()


def test_a_long_name_leaves_room_for_the_probability():
    longer = bands(SEGMENTS, ("Wave", "Touching or scratching facial parts (other)"), TIMES, 320)(9)
    assert (longer[:20, -5:] == longer[0, 0]).all()
    sure = bands([Segment(8, 11, 1, 0.6)], ("Wave", "Touching " * 20), TIMES, 320)(9)
    unsure = bands([Segment(8, 11, 1, 0.1)], ("Wave", "Touching " * 20), TIMES, 320)(9)
    assert (sure[:20] != unsure[:20]).any()


@pytest.mark.parametrize("size", [(1, 1), (17, 33), (320, 240), (1920, 1080), (1081, 1921), (8000, 10)])
def test_the_picture_has_even_sides(size):
    assert all(side > 0 and side % 2 == 0 for side in picture_size(*size))


def test_keypoints_alone_have_no_video(tmp_path):
    with pytest.raises(UnusableClip, match="no video"):
        annotate(Recording("talk", None, None, TIMES, None, None), [], CLASSES, tmp_path / "talk.mp4")


def test_the_page_asks_for_nothing_but_its_video(shown):
    page = (shown / "talk.html").read_text(encoding="utf-8")
    assert re.findall(r'(?:src|href)="([^"]*)"', page) == ["talk.mp4"]
    assert not re.search(r"https?:|url\(|@import", page)
    assert "Folding &lt;arms&gt;" in page
    assert "<arms>" not in page
    assert "talk &amp; more" in page
    assert "left out is joint" in page


def test_a_page_without_video_has_no_player(tmp_path):
    write_page(tmp_path / "talk.html", "talk", [], CLASSES, TIMES, None)
    assert "<video" not in (tmp_path / "talk.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("seconds", "last"), [(0.5, "0:00.5"), (62.54, "1:02.5"), (59.97, "1:00.0"), (3602, "1:00:02.0")]
)
def test_moments_stand_under_the_timeline(tmp_path, seconds, last):
    write_page(tmp_path / "talk.html", "talk", [], CLASSES, FrameTimes.constant(100, round(seconds * 100)), None)
    ticks = re.findall(r"<span>([\d:.]+)</span>", (tmp_path / "talk.html").read_text(encoding="utf-8"))
    assert len(ticks) == 5
    assert (ticks[0], ticks[-1]) == ("0:00.0", last)


PLAY = """new Promise((resolve, reject) => {
  player.addEventListener("error", () => reject(player.error.message));
  player.addEventListener("ended", () => {
    show(player.currentTime);
    resolve([player.duration, Number(now.getAttribute("x1"))]);
  });
  player.muted = true;
  player.play();
})"""
GO = """new Promise((resolve) => {
  player.addEventListener("seeked", () => resolve(document.querySelector("tr.now").textContent), {once: true});
  document.querySelectorAll("rect.gesture")[1].dispatchEvent(new Event("click"));
})"""


@pytest.mark.slow
@needs_chromium
def test_the_video_plays_in_a_browser_and_moves_the_mark(shown, tmp_path):
    with browser(tmp_path / "profile") as page:
        page.open(shown / "talk.html")
        duration, mark = page.run(PLAY)
        assert duration == pytest.approx(0.6, abs=0.01)
        assert mark > 900
        assert "Ärmel zupfen" in page.run(GO)
        assert not page.problems()
        # A player has its buttons as data.
        asked = {Path(request).name for request in page.requests() if not request.startswith("data:")}
        assert asked == {"talk.html", "talk.mp4"}
        for theme in ("light", "dark"):
            page.send("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": theme}])
            page.screenshot(tmp_path / f"{theme}.png", 1100, 1000)
    light, dark = (cv2.imread(str(tmp_path / f"{theme}.png")) for theme in ("light", "dark"))
    assert light[5, 5].min() > 200
    assert dark[5, 5].max() < 60
