"""Words on pictures, in whatever script: in DejaVu Sans, and what that lacks in a font of the machine that has it."""

import unicodedata
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import matplotlib
from matplotlib.font_manager import findSystemFonts
from matplotlib.ft2font import FT2Font
from PIL import ImageDraw, ImageFont, features

# Comes with matplotlib, so that every machine draws the same of what it has: Latin, Greek, Cyrillic, Arabic, Hebrew.
_OWN = Path(matplotlib.get_data_path()) / "fonts/ttf"
REGULAR, BOLD = _OWN / "DejaVuSans.ttf", _OWN / "DejaVuSans-Bold.ttf"
UNKNOWN = "\N{REPLACEMENT CHARACTER}"  # stands for a character that no font has
_ASCENT = 0.93  # of DejaVu Sans, as a share of its size


def can_write(text: str) -> bool:
    """Whether there is a font for every character of a text; a name that cannot be written needs another one."""
    return UNKNOWN not in text and all(_writable(character) for character in text)


def write(
    draw: ImageDraw.ImageDraw, x: float, y: float, text: str, size: int, colour: str = "black", bold: bool = False
) -> None:
    """Write a line of text whose upper left corner is at x, y; ``size`` is the font's, in pixels.

    A character that no font has becomes ``UNKNOWN``, which is seen to be missing.
    """
    for font, part in _parts(text, size, bold):
        draw.text((x, y + _ASCENT * size), part, font=font, fill=colour, anchor="ls")
        x += font.getlength(part)


def width_of(text: str, size: int, bold: bool = False) -> float:
    """How many pixels a text is wide."""
    return sum(font.getlength(part) for font, part in _parts(text, size, bold))


def wrapped(text: str, size: int, width: float, bold: bool = False) -> list[str]:
    """The lines of a text that is at most ``width`` pixels wide; words that are longer, as in Chinese, are broken."""
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
    """A text that is at most ``width`` pixels wide; one that is longer ends in three points."""
    if width_of(text, size) <= width:
        return text
    while text and width_of(f"{text}\N{HORIZONTAL ELLIPSIS}", size) > width:
        text = text[:-1].rstrip()
    return f"{text}\N{HORIZONTAL ELLIPSIS}"


def _parts(text: str, size: int, bold: bool) -> Iterable[tuple[ImageFont.FreeTypeFont, str]]:
    """A text in parts of one font each; a space, or a point, is of the font of what is before it if that has it."""
    parts: list[list] = []
    for character in text:
        shown = character if _writable(character) else UNKNOWN
        goes_on = parts and not shown.isalnum() and _has(parts[-1][0], shown)
        font = parts[-1][0] if goes_on else next(font for font in _fonts(bold) if _has(font, shown))
        if parts and parts[-1][0] == font:
            parts[-1][1] += shown
        else:
            parts.append([font, shown])
    return [(_opened(font, size), part) for font, part in parts]


@cache
def _writable(character: str) -> bool:
    # Without Raqm, text that runs to the left would run to the right, and its letters would not be joined.
    if unicodedata.bidirectional(character) in ("R", "AL") and not features.check("raqm"):
        return False
    return any(_has(font, character) for font in _fonts(bold=False))


def _fonts(bold: bool) -> Iterable[Path]:
    """Where to look for a character, best first; fonts of the machine are opened only for what DejaVu Sans lacks."""
    yield from (BOLD, REGULAR) if bold else (REGULAR,)
    yield from _installed()


@cache
def _installed() -> tuple[Path, ...]:
    """The fonts of this machine; those that call themselves sans and regular go before others.

    Fonts of pictures have no sizes, and a "last resort" has a box for everything.
    """
    paths = sorted(Path(path) for path in findSystemFonts())
    names = {path: path.stem.lower().replace("-", "") for path in paths}
    usable = [path for path in paths if "lastresort" not in names[path] and "emoji" not in names[path]]
    return tuple(sorted(usable, key=lambda path: ("sans" not in names[path], "regular" not in names[path])))


def _has(font: Path, character: str) -> bool:
    """Whether a font has a character; marks that are not seen, such as joiners, need none."""
    return unicodedata.category(character) == "Cf" or ord(character) in _characters(font)


@cache
def _characters(font: Path) -> frozenset[int]:
    try:
        opened = FT2Font(str(font))
        return frozenset(opened.get_charmap()) if opened.scalable else frozenset()
    except (OSError, RuntimeError):  # an installed file that is no font
        return frozenset()


@cache
def _opened(font: Path, size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(font), size)
