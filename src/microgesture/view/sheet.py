"""The layout of contact sheets and of the frames of their videos."""

from collections.abc import Iterator, Sequence
from math import ceil
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw

from ..videos.lettering import wrapped, write

SMALL, LARGE = 13, 19  # pixels of a font
LINE = 17  # pixels between two lines of SMALL
INK, FAINT, FRAME, PAPER = "#1d1d1f", "#5f5f64", "#c7c7cc", "#ffffff"
EDGE, GAP, NAMES = 12, 6, 150  # pixels: page margin, gap between pictures, width of the names of rows
NARROWEST = 640  # pixels, so that the text about a clip fits
TILES = 4  # largest number of pictures side by side in a video


class Row(NamedTuple):
    """One modality of a clip: pictures uint8 (T, H, W, 3), or None with the reason in ``note``.

    ``note`` stands below the name; ``key_HWC`` is a small picture that explains the colours.
    """

    name: str
    pictures_THWC: np.ndarray | None
    note: str = ""
    key_HWC: np.ndarray | None = None


class Words(NamedTuple):
    """The text above the pictures: a title, and lines about the clip."""

    title: str
    lines: tuple[str, ...]


class _Text(NamedTuple):
    x: int
    y: int  # of the upper edge
    text: str
    size: int = SMALL
    colour: str = INK
    bold: bool = False


def contact_sheet(words: Words, times: Sequence[str], rows: Sequence[Row]) -> np.ndarray:
    """The sheet, uint8 (H, W, 3): one line of pictures for each row, one column for each of the ``times``.

    A row without pictures shows its note. Equal inputs give equal bytes.
    """
    cell_width = max([row.pictures_THWC.shape[2] for row in rows if row.pictures_THWC is not None], default=128)
    width = max(2 * EDGE + NAMES + len(times) * (cell_width + GAP) - GAP, NARROWEST)
    left = EDGE + NAMES
    texts, y = _head(words, width)
    heads = [wrapped(time, SMALL, cell_width) for time in times]
    for column, lines in enumerate(heads):
        texts += _lines(left + column * (cell_width + GAP), y, lines, FAINT)
    y += max(map(len, heads), default=1) * LINE + GAP
    placed: list[tuple[int, int, np.ndarray]] = []
    for row in rows:
        label = [_Text(EDGE, y, row.name, bold=True)]
        if row.pictures_THWC is None:
            reason = wrapped(row.note, SMALL, width - left - EDGE)
            texts += label + _lines(left, y, reason, FAINT)
            y += max(len(reason), 1) * LINE + 2 * GAP
            continue
        note = wrapped(row.note, SMALL, NAMES - GAP)
        texts += label + _lines(EDGE, y + LINE, note, FAINT)
        below = y + (1 + len(note)) * LINE + GAP
        for column, picture_HWC in enumerate(row.pictures_THWC):
            placed.append((left + column * (cell_width + GAP), y, picture_HWC))
        bottom = y + row.pictures_THWC.shape[1]
        if row.key_HWC is not None:
            placed.append((EDGE, below, row.key_HWC))
            below += row.key_HWC.shape[0] + GAP
        y = max(bottom, below) + GAP
    return np.array(_add(Image.new("RGB", (width, y - GAP + EDGE), PAPER), placed, texts))


def video_pictures(words: Words, times: Sequence[str], rows: Sequence[Row]) -> Iterator[np.ndarray]:
    """The frames of a video, uint8 (H, W, 3), each with all modalities at one of the ``times``.

    Each row has a picture for each of the ``times``, or none; the notes of rows without pictures stand below.
    """
    shown = [row for row in rows if row.pictures_THWC is not None]
    cell_width = max([row.pictures_THWC.shape[2] for row in shown], default=128)
    cell_height = max([row.pictures_THWC.shape[1] for row in shown], default=0)
    lines = max(ceil(len(shown) / TILES), 1)
    columns = max(ceil(len(shown) / lines), 1)
    width = max(2 * EDGE + columns * (cell_width + GAP) - GAP, NARROWEST)
    head, top = _head(words, width)
    tiles = []
    for number in range(len(shown)):
        line, column = divmod(number, columns)
        tiles.append((EDGE + column * (cell_width + GAP), top + LINE + GAP + line * (cell_height + LINE + 2 * GAP)))
    names = [_Text(x, y, row.name, bold=True) for (x, y), row in zip(tiles, shown, strict=True)]
    y = top + LINE + GAP + lines * (cell_height + LINE + 2 * GAP)
    missing = [f"{row.name}: {row.note}" for row in rows if row.pictures_THWC is None]
    sentences = [line for sentence in missing for line in wrapped(sentence, SMALL, width - 2 * EDGE)]
    paper = Image.new("RGB", (width, y + len(sentences) * LINE + EDGE), PAPER)
    still = _add(paper, [], head + names + _lines(EDGE, y, sentences, FAINT))
    for moment, time in enumerate(times):
        placed = [(x, y + LINE, row.pictures_THWC[moment]) for (x, y), row in zip(tiles, shown, strict=True)]
        yield np.array(_add(still.copy(), placed, [_Text(EDGE, top, time, colour=FAINT)]))


def _head(words: Words, width: int) -> tuple[list[_Text], int]:
    """The text about the clip, and the y position below it."""
    titles = wrapped(words.title, LARGE, width - 2 * EDGE, bold=True)
    lines = [line for text in words.lines for line in wrapped(text, SMALL, width - 2 * EDGE)]
    step = round(LINE * LARGE / SMALL)
    texts = [_Text(EDGE, EDGE + number * step, title, LARGE, bold=True) for number, title in enumerate(titles)]
    top = EDGE + len(titles) * step
    return texts + _lines(EDGE, top, lines, INK), top + len(lines) * LINE + GAP


def _lines(x: int, y: int, lines: Sequence[str], colour: str) -> list[_Text]:
    return [_Text(x, y + number * LINE, line, colour=colour) for number, line in enumerate(lines)]


def _add(paper: Image.Image, placed: Sequence[tuple[int, int, np.ndarray]], texts: Sequence[_Text]) -> Image.Image:
    """Paste pictures with a frame, since some have white edges, and write texts over them."""
    draw = ImageDraw.Draw(paper)
    for x, y, picture_HWC in placed:
        height, width = picture_HWC.shape[:2]
        draw.rectangle((x - 1, y - 1, x + width, y + height), outline=FRAME)
        paper.paste(Image.fromarray(picture_HWC), (x, y))
    for text in texts:
        write(draw, *text)
    return paper
