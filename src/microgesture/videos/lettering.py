"""Write text on pictures in DejaVu Sans, which comes with Matplotlib, so that every machine draws the same letters."""

import unicodedata
from bisect import bisect_right
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from fontTools.ttLib import TTFont
from PIL import ImageDraw, ImageFont, features

# Matplotlib is not imported, because it reads settings from the current folder, whose files may be somebody else's.
_FONTS = Path(find_spec("matplotlib").origin).parent / "mpl-data/fonts/ttf"
REGULAR, BOLD = _FONTS / "DejaVuSans.ttf", _FONTS / "DejaVuSans-Bold.ttf"
ELLIPSIS = "\N{HORIZONTAL ELLIPSIS}"


def can_write(text: str) -> bool:
    """Whether the font has every character of a text: Latin, Greek, Cyrillic, Arabic and others, but not Chinese."""
    # Without Raqm, Arabic and Hebrew would be written from left to right, and Arabic letters would not be joined.
    to_the_left = any(unicodedata.bidirectional(character) in ("R", "AL") for character in text)
    return _characters().issuperset(map(ord, text)) and (features.check("raqm") or not to_the_left)


def write(
    draw: ImageDraw.ImageDraw, x: float, y: float, text: str, size: int, colour: str = "black", bold: bool = False
) -> None:
    """Write a line of text whose upper left corner is at x, y; ``size`` is the font's, in pixels."""
    draw.text((x, y), text, colour, font(size, bold))


def width_of(text: str, size: int, bold: bool = False) -> float:
    """Return the width of a text in pixels."""
    return font(size, bold).getlength(text)


def wrapped(text: str, size: int, width: float, bold: bool = False) -> list[str]:
    """Break a text into lines of at most ``width`` pixels, between words or within one that is longer than a line."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".lstrip()
        if width_of(longer, size, bold) <= width:
            lines[-1] = longer
            continue
        lines += [""] if lines[-1] else []
        for character in word:
            if lines[-1] and width_of(lines[-1] + character, size, bold) > width:
                lines.append("")
            lines[-1] += character
    return lines if lines[-1] else []


def shortened(text: str, size: int, width: float) -> str:
    """Shorten a text to at most ``width`` pixels; a shortened text ends in an ellipsis."""
    if width_of(text, size) <= width:
        return text
    most = bisect_right(range(len(text)), width, key=lambda length: width_of(text[:length].rstrip() + ELLIPSIS, size))
    return text[: max(most - 1, 0)].rstrip() + ELLIPSIS


@cache
def font(size: int, bold: bool = False) -> ImageFont.FreeTypeFont:
    """Return DejaVu Sans in a size in pixels."""
    return ImageFont.truetype(str(BOLD if bold else REGULAR), size)


@cache
def _characters() -> frozenset[int]:
    return frozenset(TTFont(REGULAR, lazy=True).getBestCmap())
