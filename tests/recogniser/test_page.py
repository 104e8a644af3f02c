"""The page of a recording and its video: what a browser is given, and what it makes of them."""

import json
import os
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from fixtures.browser import browser, needs_chromium
from fixtures.release_files import numbered_frames, write_video
from microgesture.config.predictions import FindingSettings
from microgesture.errors import UnusableClip
from microgesture.recogniser import page as page_module
from microgesture.recogniser.film import picture_size, write_film
from microgesture.recogniser.finding import segments_of
from microgesture.recogniser.page import write_page
from microgesture.recogniser.scores import Windows, read_windows, write_windows
from microgesture.recogniser.windows import Recording, find_recording
from microgesture.videos.timestamps import FrameTimes

needs_node = pytest.mark.skipif(
    shutil.which("node") is None and not os.environ.get("CI"),
    reason="Node.js is not installed (apt-get install nodejs)",
)
CLASSES = ("Folding <arms>", "Ärmel zupfen", "nod")
N_FRAMES = 15
TIMES = FrameTimes.constant(25, N_FRAMES)


def said(spans, probabilities_NK, times=TIMES, **changes):
    starts_N, ends_N = np.array(spans).reshape(-1, 2).T
    scored_N = np.ones(len(starts_N), bool)
    windows = Windows("talk & more", True, times, CLASSES, 0.5, False, starts_N, ends_N, starts_N * np.nan, scored_N,
                      np.array(probabilities_NK, float).reshape(-1, 3), ("left out is joint",))  # fmt: skip
    return replace(windows, **changes)


TWO = said([(2, 5), (8, 11)], [[0.9, 0.05, 0.05], [0.2, 0.6, 0.2]])


def random_windows(seed, n_frames=400):
    """Windows as a recogniser would score them; some probabilities are equal."""
    random = np.random.default_rng(seed)
    starts_N = np.sort(random.integers(0, n_frames - 40, 300))
    ends_N = starts_N + random.choice([9, 17, 31], 300)
    probabilities_NK = np.round(random.dirichlet([0.4] * 3, 300), random.choice([1, 6]))
    probabilities_NK[random.random(300) < 0.1] = np.nan
    times = FrameTimes.of(np.cumsum(random.choice([0.033, 0.05, 0.1], n_frames)), None)
    return said(np.stack((starts_N, ends_N), 1), probabilities_NK, times)


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shown")
    write_video(folder / "source" / "talk.mkv", [4 * frame_HWC for frame_HWC in numbered_frames(N_FRAMES, 638, 360)])
    write_film(find_recording(folder / "source" / "talk.mkv", None, 25), folder / "talk.mp4")
    write_page(folder / "talk.html", TWO, 0.5, False, None, folder / "talk.mp4")
    return folder


def test_every_frame_is_in_the_film_for_browsers(shown):
    with av.open(str(shown / "talk.mp4")) as file:
        stream = file.streams.video[0]
        frames = [frame.to_ndarray(format="rgb24") for frame in file.decode(stream)]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert stream.average_rate == 25
    means = [frame_HWC.mean() for frame_HWC in frames]
    np.testing.assert_allclose(means, [16 * index for index in range(N_FRAMES)], atol=6)
    content = (shown / "talk.mp4").read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")  # a player can start before it has the whole file


@pytest.mark.parametrize("size", [(1, 1), (17, 33), (320, 240), (1920, 1080), (1081, 1921), (8000, 10)])
def test_the_picture_has_even_sides(size):
    assert all(side > 0 and side % 2 == 0 for side in picture_size(*size))


def test_keypoints_alone_have_no_film(tmp_path):
    with pytest.raises(UnusableClip, match="no video"):
        write_film(Recording("talk", None, None, TIMES, None, None), tmp_path / "talk.mp4")


def test_the_page_asks_for_nothing_but_its_video(shown):
    page = (shown / "talk.html").read_text(encoding="utf-8")
    assert re.findall(r'(?:src|href)="([^"]*)"', page) == ["talk.mp4"]
    assert not re.search(r"https?:|url\(|@import", page)
    assert "<arms>" not in page
    assert "talk &amp; more" in page
    assert "left out is joint" in page


@pytest.mark.parametrize(
    ("seconds", "last"), [(0.5, "0:00.5"), (62.54, "1:02.5"), (59.97, "1:00.0"), (3602, "1:00:02.0")]
)
def test_moments_stand_under_the_timeline(tmp_path, seconds, last):
    write_page(
        tmp_path / "talk.html", said([], [], FrameTimes.constant(100, round(seconds * 100))), 0.5, False, None, None
    )
    page = (tmp_path / "talk.html").read_text(encoding="utf-8")
    ticks = re.findall(r"<span>([\d:.]+)</span>", page)
    assert len(ticks) == 5
    assert (ticks[0], ticks[-1]) == ("0:00.0", last)
    assert "<video" not in page


def rows_of_the_page(page, thresholds):
    """What the page's own script selects, [start, end, label, probability] for each threshold."""
    scripts = re.findall(r"<script>(.*?)</script>", page.read_text(encoding="utf-8"), re.DOTALL)
    data = scripts[1].partition("const slider")[0]
    asked = "findSegments(candidates, threshold, data.overlap, data.join)"
    row = "({start, end, label, probability}) => [start, end, label, probability]"
    program = f"{scripts[0]}{data}console.log(JSON.stringify({thresholds}.map((threshold) => {asked}.map({row}))))"
    run = subprocess.run(["node", "-e", program], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


@needs_node
@pytest.mark.parametrize("overlap", [False, True])
@pytest.mark.parametrize("join", [None, 0.4])
@pytest.mark.parametrize("seed", range(3))
def test_the_slider_selects_what_the_command_writes(tmp_path, seed, overlap, join):
    windows = random_windows(seed)
    write_page(tmp_path / "talk.html", windows, 0.5, overlap, join, None)
    thresholds = [round(0.01 * step, 2) for step in range(1, 100, 7)]
    shown = rows_of_the_page(tmp_path / "talk.html", thresholds)
    for threshold, rows in zip(thresholds, shown, strict=True):
        how = FindingSettings(threshold=threshold, stillness=0, join=join, overlap=overlap)
        assert rows == [list(segment) for segment in segments_of(windows, how)]
    assert len({len(rows) for rows in shown}) > 1


def test_a_page_with_too_many_candidates_begins_at_a_higher_threshold(tmp_path, monkeypatch):
    monkeypatch.setattr(page_module, "MOST", 100)
    write_page(tmp_path / "talk.html", random_windows(1), 0.99, True, None, None)
    page = (tmp_path / "talk.html").read_text(encoding="utf-8")
    lowest = float(re.search(r'min="([\d.]+)"', page)[1])
    probabilities_NK = np.nan_to_num(random_windows(1).probabilities_NK)
    assert (probabilities_NK > lowest).sum() <= 100 < (probabilities_NK > lowest - 0.03).sum()


@pytest.mark.parametrize("seed", range(2))
def test_kept_scores_are_the_scores_to_the_last_digit(tmp_path, seed):
    windows = random_windows(seed)
    windows = windows.with_scores(np.arange(300), windows.probabilities_NK, ("a doubt",))
    write_windows(tmp_path / "talk.parquet", windows, "one")
    assert read_windows(tmp_path / "talk.parquet", "other") is None
    assert read_windows(tmp_path / "none.parquet", "one") is None
    again = read_windows(tmp_path / "talk.parquet", "one")
    for name in ("starts_N", "ends_N", "motion_N", "scored_N", "probabilities_NK"):
        np.testing.assert_array_equal(getattr(again, name), getattr(windows, name))
    np.testing.assert_array_equal(again.times.ends_T, windows.times.ends_T)
    assert again.sentences == ("left out is joint", "a doubt")


PLAY = """new Promise((resolve, reject) => {
  player.addEventListener("error", () => reject(player.error.message));
  player.addEventListener("ended", () => {
    show(player.currentTime);
    resolve([player.duration, Number(document.getElementById("now").getAttribute("x1"))]);
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
        slider = "slider.value = '{}'; slider.dispatchEvent(new Event('input')); "
        slider += "document.querySelectorAll('tbody tr').length"
        assert [page.run(slider.format(value)) for value in (0.7, 0.95, 0.1)] == [1, 0, 2]
        page.run(slider.format(0.95))
        assert "Folding <arms>, 0.90" in page.run("document.getElementById('count').textContent")
        page.run(slider.format(0.5))
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
