"""Read the rows of a spreadsheet (xlsx) after verifying its checksums."""

import zipfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from xml.parsers import expat

from python_calamine import CalamineError, CalamineWorkbook

from ...errors import UnusableClip
from .archives import NO_ARCHIVE

LARGEST = 2 << 30  # limit in bytes for all unpacked parts of a workbook; an hour of frames takes 1.3e9


def xlsx_rows(path: Path) -> Iterator[list]:
    """Yield the rows of the first sheet of a workbook, cells unchanged; raises ``UnusableClip`` if it is damaged."""
    try:
        _check_workbook(path)
        with CalamineWorkbook.from_path(path) as book:
            yield from book.get_sheet_by_index(0).to_python(skip_empty_area=False)
    except (CalamineError, expat.ExpatError, *NO_ARCHIVE) as error:
        raise UnusableClip(f"{path}: not a readable xlsx file ({error})") from None


def _check_workbook(path: Path) -> None:
    """Verify the checksum of each part of a workbook, and that its XML is complete.

    The library that reads the tables does not check this. A document type declaration, through which XML can refer to
    other files and grow without limit, is not allowed in a workbook (ECMA-376 part 2, 8.1.1). Raises ``UnusableClip``,
    or the errors of the readers of archives and of XML.
    """
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        if len({member.filename for member in members}) < len(members):
            raise UnusableClip(f"{path}: two parts of the workbook have the same name; save it again as xlsx")
        if (size := sum(member.file_size for member in members)) > LARGEST:
            raise UnusableClip(f"{path}: the workbook unpacks to {size} bytes, more than the limit of {LARGEST}")
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
    raise UnusableClip(f"{path}: {part} declares a document type, which a workbook must not; save it again as xlsx")
