"""The layout of a contact sheet and of the pictures of its video: names, times and words about rows of pictures."""

import textwrap
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

INCH = 100  # pixels; in a font's points a pixel is 0.72
FONT = "DejaVu Sans"  # comes with matplotlib, so that every machine draws the same
CHARACTER = 6.0  # pixels that a character of SMALL takes, about
SMALL, LARGE = 7.5, 11.0  # points
LINE = 15  # pixels between two lines of SMALL
INK, FAINT, PAPER = "#1d1d1f", "#6e6e73", 255
EDGE, GAP, NAMES = 12, 4, 132  # pixels: around everything, between pictures, and for the names of rows
NARROWEST = 640  # pixels, so that there is room for the words about a clip
TILES = 4  # pictures beside each other in a video, at most


class Row(NamedTuple):
    """One modality of a clip: pictures uint8 (T, H, W, 3), or None and why there are none.

    ``note`` is said below the name; ``key`` is a small picture (H, W, 3) that explains the colours.
    """

    name: str
    pictures_THWC: np.ndarray | None
    note: str = ""
    key_HWC: np.ndarray | None = None


class Words(NamedTuple):
    """What stands above the pictures: the title, and lines about the clip."""

    title: str
    lines: tuple[str, ...]


class _Text(NamedTuple):
    x: int
    y: int  # of the upper edge
    text: str
    colour: str = INK
    size: float = SMALL
    bold: bool = False


def contact_sheet(words: Words, times: Sequence[str], rows: Sequence[Row]) -> np.ndarray:
    """The sheet, uint8 (H, W, 3): a line of pictures for each row, one below each of the ``times``.

    A row without pictures says why it has none. The same input gives the same bytes.
    """
    cell_width = max([row.pictures_THWC.shape[2] for row in rows if row.pictures_THWC is not None], default=128)
    width = max(2 * EDGE + NAMES + len(times) * (cell_width + GAP) - GAP, NARROWEST)
    left = EDGE + NAMES
    texts, y = _head(words, width)
    texts += [_Text(left + column * (cell_width + GAP), y, time, FAINT) for column, time in enumerate(times)]
    y += LINE + GAP
    placed: list[tuple[int, int, np.ndarray]] = []
    for row in rows:
        label = [_Text(EDGE, y, row.name, bold=True)]
        if row.pictures_THWC is None:
            reason = _wrapped(row.note, width - left - EDGE)
            texts += label + _lines(left, y, reason, FAINT)
            y += max(len(reason), 1) * LINE + 2 * GAP
            continue
        note = _wrapped(row.note, NAMES - GAP)
        texts += label + _lines(EDGE, y + LINE, note, FAINT)
        below = y + (1 + len(note)) * LINE + GAP
        for column, picture_HWC in enumerate(row.pictures_THWC):
            placed.append((left + column * (cell_width + GAP), y, picture_HWC))
        bottom = y + row.pictures_THWC.shape[1]
        if row.key_HWC is not None:
            placed.append((EDGE, below, row.key_HWC))
            below += row.key_HWC.shape[0] + GAP
        y = max(bottom, below) + GAP
    return _drawn(width, y - GAP + EDGE, placed, texts)


def video_pictures(words: Words, times: Sequence[str], rows: Sequence[Row]) -> Iterator[np.ndarray]:
    """The pictures of a video, uint8 (H, W, 3) with even sides: all modalities of one moment, then of the next.

    Each row has a picture for each of the ``times``, or none, which it then says.
    """
    shown = [row for row in rows if row.pictures_THWC is not None]
    cell_width = max([row.pictures_THWC.shape[2] for row in shown], default=128)
    cell_height = max([row.pictures_THWC.shape[1] for row in shown], default=0)
    columns = min(TILES, max(len(shown), 1))
    width = _even(max(2 * EDGE + columns * (cell_width + GAP) - GAP, NARROWEST))
    head, top = _head(words, width)
    tiles = []
    for number in range(len(shown)):
        line, column = divmod(number, columns)
        tiles.append((EDGE + column * (cell_width + GAP), top + LINE + GAP + line * (cell_height + LINE + 2 * GAP)))
    names = [_Text(x, y, row.name, bold=True) for (x, y), row in zip(tiles, shown, strict=True)]
    y = top + LINE + GAP + -(-len(shown) // columns) * (cell_height + LINE + 2 * GAP)
    missing = [f"{row.name}: {row.note}" for row in rows if row.pictures_THWC is None]
    sentences = [line for sentence in missing for line in _wrapped(sentence, width - 2 * EDGE)]
    texts = head + names + _lines(EDGE, y, sentences, FAINT)
    height = _even(y + len(sentences) * LINE + EDGE)
    for moment, time in enumerate(times):
        placed = [(x, y + LINE, row.pictures_THWC[moment]) for (x, y), row in zip(tiles, shown, strict=True)]
        yield _drawn(width, height, placed, [*texts, _Text(EDGE, top, time, FAINT)])


def _even(pixels: int) -> int:
    """The colours of most videos are stored for two by two pixels."""
    return pixels + pixels % 2


def _head(words: Words, width: int) -> tuple[list[_Text], int]:
    """The words about the clip, and where the rest begins."""
    lines = [line for text in words.lines for line in _wrapped(text, width - 2 * EDGE)]
    title = _Text(EDGE, EDGE, words.title, size=LARGE, bold=True)
    top = EDGE + round(LINE * LARGE / SMALL)
    return [title, *_lines(EDGE, top, lines, INK)], top + len(lines) * LINE + GAP


def _lines(x: int, y: int, lines: Sequence[str], colour: str) -> list[_Text]:
    return [_Text(x, y + number * LINE, line, colour) for number, line in enumerate(lines)]


def _wrapped(text: str, pixels: int) -> list[str]:
    return textwrap.wrap(text, max(int(pixels / CHARACTER), 8))


def _drawn(
    width: int, height: int, placed: Sequence[tuple[int, int, np.ndarray]], texts: Sequence[_Text]
) -> np.ndarray:
    """Pictures at their places on white paper, uint8 (height, width, 3), and texts above them."""
    paper_HWC = np.full((height, width, 3), PAPER, np.uint8)
    for x, y, picture_HWC in placed:
        paper_HWC[y : y + picture_HWC.shape[0], x : x + picture_HWC.shape[1]] = picture_HWC
    figure = Figure(figsize=(width / INCH, height / INCH), dpi=INCH)
    canvas = FigureCanvasAgg(figure)
    figure.figimage(paper_HWC, origin="upper")
    for text in texts:
        figure.text(
            text.x / width,
            1 - text.y / height,
            text.text,
            color=text.colour,
            size=text.size,
            weight="bold" if text.bold else "normal",
            family=FONT,
            va="top",
            parse_math=False,  # a dollar in a name is a dollar
        )
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()
