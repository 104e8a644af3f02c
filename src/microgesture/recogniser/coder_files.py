"""Timelines as files of the tools with which people code videos: ELAN and BORIS."""

from collections.abc import Sequence
from pathlib import Path

from ..storage.files import replacing
from ..videos.timestamps import FrameTimes
from .segments import Segment

BORIS = ("time", "subject", "code", "modifier", "comment")  # the columns that BORIS imports
UNKNOWN_DATE = "2000-01-01T00:00:00+00:00"  # so that equal timelines give equal files


def write_elan(
    path: Path, segments: Sequence[Segment], classes: Sequence[str], times: FrameTimes, media: Path | None
) -> None:
    """Write the segments as a file of ELAN: a tier for each class that was found, the probability as annotation.

    ``media`` is the video that is linked, or None. Times are in milliseconds.
    """
    from pympi import Eaf

    eaf = Eaf(author="microgesture")
    eaf.adocument["DATE"] = UNKNOWN_DATE
    eaf.remove_tier("default")
    if media:
        uri = media.resolve().as_uri()
        eaf.add_linked_file(
            uri, relpath=f"./{media.name}" if media.parent == path.parent else uri, mimetype="video/mp4"
        )
    for label in dict.fromkeys(segment.label for segment in segments):
        eaf.add_tier(classes[label])
        for segment in segments:
            if segment.label == label:
                start, end = (round(1000 * second) for second in times.seconds(segment.start, segment.end))
                eaf.add_annotation(classes[label], start, max(end, start + 1), f"{segment.probability:.2f}")
    with replacing(path) as temporary:
        eaf.to_file(str(temporary))


def write_boris(path: Path, segments: Sequence[Segment], classes: Sequence[str], times: FrameTimes) -> None:
    """Write the segments as the spreadsheet that BORIS imports into an observation: two rows for each gesture.

    A gesture is a state event; its class is the code, and its probability the comment of the row with its start.
    """
    import xlsxwriter

    rows = []
    for segment in segments:
        start, end = times.seconds(segment.start, segment.end)
        rows.append((round(start, 3), classes[segment.label], f"probability {segment.probability:.2f}"))
        rows.append((round(end, 3), classes[segment.label], ""))
    with (
        replacing(path) as temporary,
        xlsxwriter.Workbook(str(temporary), {"strings_to_formulas": False, "strings_to_urls": False}) as book,
    ):
        sheet = book.add_worksheet("events")
        sheet.write_row(0, 0, BORIS)
        for number, (time, code, comment) in enumerate(sorted(rows, key=lambda row: row[0]), 1):
            sheet.write_row(number, 0, (time, "", code, "", comment))
