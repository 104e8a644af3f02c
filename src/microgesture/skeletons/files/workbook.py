"""The rows of a spreadsheet (xlsx), compared with its checksums before they are read."""

import zipfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from xml.parsers import expat

from python_calamine import CalamineError, CalamineWorkbook

from ...errors import UnusableClip
from .archives import NO_ARCHIVE

LARGEST = 2 << 30  # the bytes that the parts of a workbook may come to; an hour of frames is 1.3e9


def xlsx_rows(path: Path) -> Iterator[list]:
    """The rows of the first sheet of a workbook, cells as it has them; raises ``UnusableClip`` if it is damaged."""
    try:
        _check_workbook(path)
        with CalamineWorkbook.from_path(path) as book:
            yield from book.get_sheet_by_index(0).to_python(skip_empty_area=False)
    except (CalamineError, expat.ExpatError, *NO_ARCHIVE) as error:
        raise UnusableClip(f"{path}: not a readable xlsx file ({error})") from None


def _check_workbook(path: Path) -> None:
    """Compare each part of a workbook with its checksum, and see that its XML is whole.

    What reads the tables is more forgiving. A document type, through which XML can name other files and grow without
    end, has no place in a workbook (ECMA-376 part 2, 8.1.1). Raises ``UnusableClip``, or what the readers of archives
    and of XML raise.
    """
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        if len({member.filename for member in members}) < len(members):
            raise UnusableClip(f"{path}: two parts of the workbook have the same name; save it again as xlsx")
        if (size := sum(member.file_size for member in members)) > LARGEST:
            raise UnusableClip(f"{path}: the workbook unpacks to {size} bytes, more than the {LARGEST} of an hour")
        for member in members:
            parser = expat.ParserCreate(namespace_separator=" ")
            parser.StartDoctypeDeclHandler = partial(_refuse_doctype, path, member.filename)
            is_xml = member.filename.endswith((".xml", ".rels"))
            with archive.open(member) as part:
                while chunk := part.read(1 << 20):
                    if is_xml:
                        parser.Parse(chunk)
            if is_xml:
                parser.Parse(b"", True)


def _refuse_doctype(path: Path, part: str, *_: object) -> None:
    raise UnusableClip(f"{path}: {part} declares a document type, as no workbook does; save it again as xlsx")
