"""The timeline of a recording as an HTML page next to its video; the page loads no file other than the mp4.

The page has the candidates of all thresholds that its slider offers, and selects gestures as ``segments`` does.
"""

import json
from pathlib import Path

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from ..storage.files import write_text
from ..videos.timestamps import FrameTimes
from .scores import Windows
from .segments import candidates

PARTS = 4  # intervals between the times written under the timeline
MOST = 50_000  # candidates on a page, which are 2 MB
HUES = 137.508  # degrees between the colours of successive classes; the golden angle keeps all of them apart


def write_page(
    path: Path, windows: Windows, threshold: float, overlap: bool, join: float | None, film: Path | None
) -> None:
    """Write the page of a recording.

    ``film`` is its video in the same folder, or None. The probabilities of ``windows`` are NaN where they are at rest.
    The slider starts at ``threshold``; ``overlap`` and ``join`` are as in ``find_segments``.
    """
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    lowest = _lowest(windows.probabilities_NK, threshold, overlap)
    shown = {
        "name": windows.name,
        "seconds": windows.times.end,
        "ticks": [_clock(windows.times.end * part / PARTS) for part in range(PARTS + 1)],
        "video": film.name if film else None,
        "sentences": [sentence.removeprefix(f"{windows.name}: ") for sentence in windows.sentences],
        "threshold": threshold,
        "lowest": lowest,
        "data": _as_script(
            {
                "classes": windows.classes,
                "candidates": _columns(windows, lowest, overlap),
                "seconds": windows.times.end,
                "overlap": overlap,
                "join": join,
                "hues": HUES,
            }
        ),
    }
    write_text(path, environment.get_template("page.html").render(shown))


def _lowest(probabilities_NK: np.ndarray, threshold: float, overlap: bool) -> float:
    """The lowest threshold of the slider: 0.01, or higher if the page would have too many candidates."""
    known = np.nan_to_num(probabilities_NK)
    sorted_M = np.sort((known if overlap else known.max(1)).ravel())
    lowest = float(sorted_M[-MOST]) if len(sorted_M) > MOST else 0.0
    return min(max(round(lowest + 0.005, 2), 0.01), threshold)


def _columns(windows: Windows, lowest: float, overlap: bool) -> list[list[float]]:
    """The candidates above a threshold: starts, ends, labels, probabilities, and starts and ends in seconds."""
    found = candidates(windows.starts_N, windows.ends_N, windows.probabilities_NK, lowest, overlap)
    columns = [list(column) for column in zip(*found, strict=True)] or [[], [], [], []]
    times: FrameTimes = windows.times
    return [*columns, times.starts_T[columns[0]].tolist(), times.ends_T[columns[1]].tolist()] if found else [[]] * 6


def _as_script(data: object) -> str:
    """JSON that ends no script element."""
    return json.dumps(data, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")


def _clock(seconds: float) -> str:
    """Format a time as a player does, with tenths of a second: 1:02.5, or 1:00:02.5."""
    minutes, rest = divmod(round(seconds, 1), 60)
    hours, minutes = divmod(int(minutes), 60)
    return f"{hours}:{minutes:02}:{rest:04.1f}" if hours else f"{minutes}:{rest:04.1f}"
