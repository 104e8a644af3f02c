"""The timeline of a recording as an HTML page next to its video; the page loads no file other than the mp4."""

from collections.abc import Sequence
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from ..storage.files import write_text
from ..videos.timestamps import FrameTimes
from .annotation import colour_of
from .segments import Segment

PARTS = 4  # intervals between the times written under the timeline


def write_page(
    path: Path,
    name: str,
    segments: Sequence[Segment],
    classes: Sequence[str],
    times: FrameTimes,
    video: str | None,
    sentences: Sequence[str] = (),
) -> None:
    """Write the page of a recording whose frames have these times.

    ``video`` is the name of the mp4 in the same folder, or None; ``sentences`` are shown at the top.
    """
    rows = [
        {
            **dict(zip(("start", "end"), times.seconds(segment.start, segment.end), strict=True)),
            "class": classes[segment.label],
            "probability": segment.probability,
            "colour": colour_of(segment.label),
        }
        for segment in segments
    ]
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    seconds = times.end
    shown = {
        "name": name,
        "rows": rows,
        "seconds": seconds,
        "ticks": [_clock(seconds * part / PARTS) for part in range(PARTS + 1)],
        "video": video,
        "sentences": [sentence.removeprefix(f"{name}: ") for sentence in sentences],
    }
    write_text(path, environment.get_template("page.html").render(shown))


def _clock(seconds: float) -> str:
    """Format a time as a player does, with tenths of a second: 1:02.5, or 1:00:02.5."""
    minutes, rest = divmod(round(seconds, 1), 60)
    hours, minutes = divmod(int(minutes), 60)
    return f"{hours}:{minutes:02}:{rest:04.1f}" if hours else f"{minutes}:{rest:04.1f}"
