"""The layout of contact sheets and of the frames of their videos: blocks of text and pictures, uint8 (H, W, 3)."""

from collections.abc import Iterator, Sequence
from math import ceil
from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image, ImageDraw

from ..videos.lettering import wrapped, write

SMALL, LARGE = 13, 19  # pixels of a font
LINE = 17  # pixels between two lines of SMALL
INK, FAINT, FRAME, PAPER = "#1d1d1f", "#5f5f64", (199, 199, 204), 255
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


def contact_sheet(words: Words, times: Sequence[str], rows: Sequence[Row]) -> np.ndarray:
    """The sheet, uint8 (H, W, 3): one line of pictures for each row, one column for each of the ``times``.

    A row without pictures shows its note. Equal inputs give equal bytes.
    """
    cell = _cell_width(rows)
    width = max(NAMES + len(times) * (cell + GAP) - GAP, NARROWEST - 2 * EDGE)
    captions = [_text(time, cell - GAP, colour=FAINT) for time in times]
    blocks = [_head(words, width), _joined([_text("", NAMES - 2 * GAP), *captions], 1, 2 * GAP)]
    for row in rows:
        name = _text(row.name, NAMES - GAP, bold=True)
        if row.pictures_THWC is None:
            blocks.append(_joined([name, _text(row.note, width - NAMES, colour=FAINT)], 1))
            continue
        label = [name, _text(row.note, NAMES - GAP, colour=FAINT)]
        label += [] if row.key_HWC is None else [_framed(row.key_HWC)]
        space = cell - row.pictures_THWC.shape[2] + GAP
        pictures = _joined([_framed(picture_HWC) for picture_HWC in row.pictures_THWC], 1, space - 2)
        blocks.append(_joined([_joined(label, 0, 0), pictures], 1))
    return _page(blocks)


def video_pictures(words: Words, times: Sequence[str], rows: Sequence[Row]) -> Iterator[np.ndarray]:
    """The frames of a video, uint8 (H, W, 3), each with all modalities at one of the ``times``.

    Each row has a picture for each of the ``times``, or none; the notes of rows without pictures stand below.
    """
    shown = [row for row in rows if row.pictures_THWC is not None]
    cell = _cell_width(shown)
    columns = max(ceil(len(shown) / max(ceil(len(shown) / TILES), 1)), 1)
    width = max(columns * (cell + GAP) - GAP, NARROWEST - 2 * EDGE)
    head, names = _head(words, width), [_text(row.name, cell, bold=True) for row in shown]
    notes = [f"{row.name}: {row.note}" for row in rows if row.pictures_THWC is None]
    below = [_text(note, width, colour=FAINT) for note in notes]
    for moment, time in enumerate(times):
        pictures = [_framed(row.pictures_THWC[moment]) for row in shown]
        tiles = [_joined(tile, 0, 0) for tile in zip(names, pictures, strict=True)]
        lines = [_joined(tiles[first : first + columns], 1) for first in range(0, len(tiles), columns)]
        yield _page([head, _text(time, width, colour=FAINT), *lines, *below])


def _cell_width(rows: Sequence[Row]) -> int:
    """The width of a column of pictures with their frames."""
    return 2 + max([row.pictures_THWC.shape[2] for row in rows if row.pictures_THWC is not None], default=128)


def _head(words: Words, width: int) -> np.ndarray:
    title = _text(words.title, width, LARGE, bold=True)
    return _joined([title, *(_text(line, width) for line in words.lines)], 0, 0)


def _text(text: str, width: int, size: int = SMALL, colour: str = INK, bold: bool = False) -> np.ndarray:
    """A text in lines, as a block of this width."""
    lines, step = wrapped(text, size, width, bold), round(LINE * size / SMALL)
    block = Image.new("RGB", (width, step * len(lines)), (PAPER,) * 3)
    for number, line in enumerate(lines):
        write(ImageDraw.Draw(block), 0, number * step, line, size, colour, bold)
    return np.array(block)


def _framed(picture_HWC: np.ndarray) -> np.ndarray:
    """A picture with a thin frame, since some have white edges."""
    return cv2.copyMakeBorder(picture_HWC, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=FRAME)


def _joined(blocks: Sequence[np.ndarray], axis: int, gap: int = GAP) -> np.ndarray:
    """Blocks below (axis 0) or beside each other (axis 1), with gaps between them and paper around smaller ones."""
    across = max(block.shape[1 - axis] for block in blocks)
    padded = []
    for block in blocks:
        after = {axis: 0 if block is blocks[-1] else gap, 1 - axis: across - block.shape[1 - axis]}
        padded.append(np.pad(block, ((0, after[0]), (0, after[1]), (0, 0)), constant_values=PAPER))
    return np.concatenate(padded, axis)


def _page(blocks: Sequence[np.ndarray]) -> np.ndarray:
    return np.pad(_joined(blocks, 0), ((EDGE, EDGE), (EDGE, EDGE), (0, 0)), constant_values=PAPER)
