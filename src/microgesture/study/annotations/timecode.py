"""Times of annotations: decimal seconds from clocks, and from timecodes (SMPTE 12M) that count frames."""

import re
from decimal import Decimal
from fractions import Fraction

# Frames per second of the timecodes that ELAN names; a plain timecode counts the frames of the video itself.
RATES = {"timecode": None, "PAL": Fraction(25), "PAL-50": Fraction(50), "NTSC": Fraction(30000, 1001)}
LATEST = 2**31  # seconds; the limit of BORIS, whose times may be those of a calendar
_CLOCK = re.compile(r"(?:(?:(\d+):)?(\d+):)?(\d+(?:[.,]\d+)?)")
_TIMECODE = re.compile(r"(\d+):(\d\d):(\d\d)([:;])(\d{2,3})")


def is_timecode(text: str) -> bool:
    """Whether a text is ``hh:mm:ss:ff``."""
    return bool(_TIMECODE.fullmatch(text.strip()))


def clock_seconds(text: str) -> Decimal | None:
    """Seconds of ``hh:mm:ss.ms``, ``mm:ss`` or ``ss.ms``; None if the text is none of them, or ``LATEST`` or later."""
    found = _CLOCK.fullmatch(text.strip())
    if not found:
        return None
    hours, minutes, seconds = (Decimal((part or "0").replace(",", ".")) for part in found.groups())
    time = 3600 * hours + 60 * minutes + seconds
    return time if time < LATEST else None


def timecode_seconds(text: str, unit: str, fps: float | None) -> str | None:
    """Seconds of the frame that a timecode names, as text; ``fps`` is the rate of the video, for a plain timecode.

    NTSC, and plain timecodes with ``;``, leave out the numbers 00 and 01 in each minute that is not a multiple of ten.
    """
    found, rate = (
        _TIMECODE.fullmatch(text.strip()),
        RATES[unit] or (Fraction(fps).limit_denominator(1001) if fps else 0),
    )
    if not found or not rate:
        return None
    hours, minutes, seconds, frames = (int(found[group]) for group in (1, 2, 3, 5))
    nominal = round(rate)
    if frames >= nominal or minutes > 59 or seconds > 59:
        return None
    number = (3600 * hours + 60 * minutes + seconds) * nominal + frames
    if unit == "NTSC" or found[4] == ";":
        passed = 60 * hours + minutes
        number -= nominal // 15 * (passed - passed // 10)
    return f"{float(number / rate):.6f}"
