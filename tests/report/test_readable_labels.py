"""Text and filled shapes of a report: a label is inside a shape with enough contrast, or wholly beside it."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import ImageColor

import microgesture.report
from fixtures.browser import browser, needs_chromium
from fixtures.made_up_run import made_up_results
from fixtures.page_reader import read_page
from microgesture.recogniser.page import write_page
from microgesture.recogniser.scores import Windows
from microgesture.report.charts import interval_chart, learning_chart, reliability_chart
from microgesture.report.page import render
from microgesture.videos.timestamps import FrameTimes

VALUES = (0.0, 0.02, 0.5, 0.98, 1.0)
ENOUGH = 4.5  # WCAG 2.2, criterion 1.4.3, for text of normal size
FONT, WIDEST, DESCENT = 10, 0.65, 0.25  # pixels of a chart's text; of its size: a letter on average, below the line
CSS = (Path(microgesture.report.__file__).parent / "page.css").read_text(encoding="utf-8")


def luminance(rgb):
    """Relative luminance of sRGB in [0, 255], by WCAG 2.2."""
    values = np.array(rgb) / 255
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4) @ [0.2126, 0.7152, 0.0722]


def contrast(one, other):
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def themes():
    """The colours of each theme by name, as the style sheet declares them: light, dark by the system, dark chosen."""
    blocks = re.findall(r":root[^{]*\{([^}]*)\}", CSS)
    return [
        {name: ImageColor.getrgb(value) for name, value in re.findall(r"--([\w-]+): (#\w+)", block)} for block in blocks
    ]


def text_box(text):
    """The box (left, top, right, bottom) that a text of a chart takes at most."""
    width, ascent, descent = WIDEST * FONT * len(text.text), FONT * 0.8, FONT * DESCENT
    if "transform" in text.attributes:
        x, y = map(
            float, re.match(r"translate\(([\d.]+) ([\d.]+)\) rotate\(-90\)", text.attributes["transform"]).groups()
        )
        return x - ascent, y - width / 2, x + descent, y + width / 2
    x, y = float(text.attributes["x"]), float(text.attributes["y"])
    left = x - {"start": 0, "middle": width / 2, "end": width}[text.attributes["text-anchor"]]
    return left, y - ascent, left + width, y + descent


def shape_box(shape):
    if shape.tag == "rect":
        x, y, width, height = (float(shape.attributes[name]) for name in ("x", "y", "width", "height"))
        return x, y, x + width, y + height
    x, y, r = (float(shape.attributes[name]) for name in ("cx", "cy", "r"))
    return x - r, y - r, x + r, y + r


def overlaps(one, other):
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def extreme_charts():
    """A chart of each kind with dots at all ``VALUES``."""
    bins = pd.DataFrame([(9, x, y) for x in VALUES for y in VALUES], columns=["clips", "promised", "kept"])
    yield reliability_chart("joint", bins, bins)
    rows = pd.DataFrame({"name": [f"a stream of a long name {n}" for n in range(5)], "accuracy": VALUES})
    yield interval_chart(rows.assign(accuracy_low=0.0, accuracy_high=1.0), "accuracy", 0.0)
    for largest in (1, 12.3):
        history = [{"train_loss": value * largest, "val_loss": (1 - value) * largest} for value in VALUES]
        yield learning_chart("joint", history, 0, ("train_loss", "val_loss"), "loss")


@pytest.mark.parametrize("chart", list(extreme_charts()))
def test_labels_of_a_chart_stand_beside_its_dots_and_inside_its_picture(chart):
    (svg,) = read_page(str(chart)).all("svg")
    width, height = (float(svg.attributes[name]) for name in ("width", "height"))
    shapes = [shape_box(shape) for shape in svg.all("rect") + svg.all("circle")]
    for text in svg.all("text"):
        box = text_box(text)
        assert not any(overlaps(box, shape) for shape in shapes), text
        assert min(box[:2]) >= 0, text
        assert box[2] <= width, text
        assert box[3] <= height, text
    for left, top, right, bottom in shapes:
        assert min(left, top, width - right, height - bottom) >= 0


def test_both_dark_themes_are_equal_and_name_every_colour_of_the_light_one():
    light, *dark = themes()
    assert len(dark) == 2
    assert dark[0] == dark[1]
    assert dark[0].keys() == light.keys()


@pytest.mark.parametrize("colours", themes())
def test_text_has_enough_contrast_on_what_it_stands_on(colours):
    for ink, paper in (("ink", "paper"), ("quiet", "paper"), ("right", "paper"), ("ink", "raised")):
        assert contrast(colours[ink], colours[paper]) >= ENOUGH, (ink, paper)
    mixed = dict(
        re.findall(r"\.matrix \.(\w+) \{ background: color-mix\(in srgb, var\(--([\w-]+)\) calc\(12% \+ 88%", CSS)
    )
    assert mixed == {"right": "right-cell", "wrong": "wrong-cell"}
    for share in VALUES:
        for kind in mixed.values():
            part = 0.12 + 0.88 * share
            cell = part * np.array(colours[kind]) + (1 - part) * np.array(colours["paper"])
            assert contrast(colours["ink"], cell) >= ENOUGH, (kind, share)


# Every visible text with its box, and the colours of the text and of what is behind it, as red, green and blue.
SEEN = """(() => {
  const canvas = Object.assign(document.createElement("canvas"), {width: 1, height: 1}).getContext("2d");
  const mixed = (below, colour, opacity) => {
    canvas.clearRect(0, 0, 1, 1); canvas.globalAlpha = 1;
    canvas.fillStyle = `rgb(${below})`; canvas.fillRect(0, 0, 1, 1);
    canvas.globalAlpha = opacity; canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
  };
  const dark = getComputedStyle(document.documentElement).colorScheme === "dark"
    || matchMedia("(prefers-color-scheme: dark)").matches && !document.documentElement.dataset.theme;
  const above = (element) => element ? [...above(element.parentElement), element] : [];
  const box = ({left, top, right, bottom}) => [left, top, right, bottom];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const texts = [];
  while (walker.nextNode()) {
    const node = walker.currentNode, element = node.parentElement;
    if (!node.data.trim() || element.closest("script, style, title, option, details:not([open]) > pre")) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    let behind = dark ? [18, 18, 18] : [255, 255, 255], opacity = 1;
    for (const each of above(element)) {
      behind = mixed(behind, getComputedStyle(each).backgroundColor, 1);
      opacity *= Number(getComputedStyle(each).opacity);
    }
    const style = getComputedStyle(element);
    const colour = mixed(behind, element.closest("svg") ? style.fill : style.color, opacity);
    texts.push({text: node.data.trim(), boxes: [...range.getClientRects()].map(box), colour, behind});
  }
  const shapes = [...document.querySelectorAll(".bar, .swatch, svg circle, svg rect:not(.frame)")];
  return {texts, shapes: shapes.map((shape) => box(shape.getBoundingClientRect()))};
})()"""
SET_SHARES = "document.querySelectorAll('[style*=--share]').forEach((e) => e.style.setProperty('--share', {}))"


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """A report and the page of a timeline, opened in a browser."""
    folder = tmp_path_factory.mktemp("pages")
    (folder / "report.html").write_text(render(*made_up_results(clips=60, truth=True)), encoding="utf-8")
    starts_N = np.array((0, 60, 459))
    windows = Windows("talk", True, FrameTimes.constant(25, 500), ("wave", "nod", "shrug"), 0.5, False, starts_N,
                      starts_N + 40, starts_N * np.nan, np.ones(3, bool), np.eye(3), ("no face",))  # fmt: skip
    write_page(folder / "talk.html", windows, 0.5, False, None, None)
    with browser(folder / "profile") as page:
        yield page, folder


@needs_chromium
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", ["report.html", "talk.html"])
def test_no_text_of_a_page_lies_across_a_filled_shape(pages, name, theme):
    page, folder = pages
    page.send("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": theme}])
    page.send("Emulation.setDeviceMetricsOverride", width=1200, height=900, deviceScaleFactor=1, mobile=False)
    page.open(folder / name)
    for share in VALUES:
        page.run(SET_SHARES.format(share))
        seen = page.run(SEEN)
        assert len(seen["texts"]) > 10
        assert len(seen["shapes"]) > 5
        shapes_M4 = np.array(seen["shapes"])
        for text in seen["texts"]:
            assert contrast(text["colour"], text["behind"]) >= ENOUGH, (share, text)
            for left, top, right, bottom in text["boxes"]:
                x1, y1, x2, y2 = shapes_M4.T
                across = (left < x2 - 0.5) & (x1 < right - 0.5) & (top < y2 - 0.5) & (y1 < bottom - 0.5)
                assert not across.any(), (share, text)
