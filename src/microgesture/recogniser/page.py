"""The timeline of a recording as a page beside its video, for a browser: one file that asks for nothing but the mp4."""

from collections.abc import Sequence
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from ..files import write_text
from .annotation import colour_of
from .segments import Segment


def write_page(
    path: Path,
    name: str,
    segments: Sequence[Segment],
    classes: Sequence[str],
    n_frames: int,
    fps: float,
    video: str | None,
    sentences: Sequence[str] = (),
) -> None:
    """Write the page of a recording of ``n_frames`` at ``fps`` frames a second.

    ``video`` is the name of the mp4 beside it, None where there is none; ``sentences`` are shown at the top.
    """
    rows = [
        {
            "start": segment.start / fps,
            "end": (segment.end + 1) / fps,
            "class": classes[segment.label],
            "probability": segment.probability,
            "colour": colour_of(segment.label),
        }
        for segment in segments
    ]
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    shown = {"name": name, "rows": rows, "seconds": n_frames / fps, "video": video, "sentences": sentences}
    write_text(path, environment.get_template("page.html").render(shown))
