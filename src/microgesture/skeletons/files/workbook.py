"""Read the rows of a spreadsheet (xlsx) after verifying its checksums."""

import re
import zipfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from xml.etree import ElementTree
from xml.parsers import expat

from python_calamine import CalamineError, CalamineWorkbook

from ...errors import UnusableClip
from .archives import NO_ARCHIVE

_PLACE = re.compile(rb"""<(?:\w+:)?c\s[^>]*?\br=["']([A-Z]{1,3})(\d{1,7})["']""")
SHEETS = "xl/worksheets/"
LARGEST = 2 << 30  # limit in bytes for all unpacked parts of a workbook; an hour of frames takes 1.3e9


def xlsx_rows(path: Path) -> Iterator[list]:
    """Yield the rows of the first sheet of a workbook, cells unchanged; raises ``UnusableClip`` if it is damaged."""
    try:
        _check_workbook(path, LARGEST)
        with CalamineWorkbook.from_path(path) as book:
            yield from book.get_sheet_by_index(0).to_python(skip_empty_area=False)
    except (CalamineError, expat.ExpatError, *NO_ARCHIVE) as error:
        raise UnusableClip(f"{path}: not a readable xlsx file ({error})") from None


def xlsx_sheets(path: Path, largest: int, cells: int) -> dict[str, list[list]]:
    """The rows of every sheet of a workbook by its name; raises ``UnusableClip`` if it is damaged or too large.

    ``largest`` limits the bytes of all unpacked parts, and ``cells`` the cells of a sheet, because a reader makes room
    for all cells before the last one.
    """
    try:
        _check_workbook(path, largest)
        _check_cells(path, cells)
        with CalamineWorkbook.from_path(path) as book:
            return {name: book.get_sheet_by_name(name).to_python(skip_empty_area=False) for name in book.sheet_names}
    except (CalamineError, expat.ExpatError, *NO_ARCHIVE) as error:
        raise UnusableClip(f"{path}: not a readable xlsx file ({error})") from None


def valueless_cells(path: Path) -> list[str]:
    """The cells of a workbook that read as empty but are not: errors such as #N/A, and formulas without a value.

    A program that is no spreadsheet may write formulas without computing them. The workbook must have been checked.
    """
    found = []
    with zipfile.ZipFile(path) as archive:
        for name in sorted(name for name in archive.namelist() if name.startswith(SHEETS)):
            with archive.open(name) as part:
                for _, row in ElementTree.iterparse(part):
                    if row.tag.endswith("}row"):
                        found += [str(cell.get("r")) for cell in row if _valueless(cell)]
                        row.clear()
    return found


def _valueless(cell: ElementTree.Element) -> bool:
    kind = cell.get("t")
    computed = cell.find("{*}f") is not None and kind != "str"  # a text may be empty
    return kind == "e" or (computed and not cell.findtext("{*}v"))


def _check_cells(path: Path, cells: int) -> None:
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            if not name.startswith(SHEETS):
                continue
            places = _PLACE.findall(archive.read(name))
            width = max((_column(letters) for letters, _ in places), default=0)
            height = max((int(row) for _, row in places), default=0)
            if (size := width * height) > cells:
                raise UnusableClip(f"{path}: {name} spans {size} cells, more than the limit of {cells} for a table")


def _column(letters: bytes) -> int:
    """The number of a column, from 1: A is 1, and AA is 27."""
    number = 0
    for letter in letters:
        number = 26 * number + letter - ord("A") + 1
    return number


def _check_workbook(path: Path, largest: int) -> None:
    """Verify the checksum of each part of a workbook, and that its XML is complete.

    The library that reads the tables does not check this. A document type declaration, through which XML can refer to
    other files and grow without limit, is not allowed in a workbook (ECMA-376 part 2, 8.1.1). Raises ``UnusableClip``,
    or the errors of the readers of archives and of XML.
    """
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        if len({member.filename for member in members}) < len(members):
            raise UnusableClip(f"{path}: two parts of the workbook have the same name; save it again as xlsx")
        if (size := sum(member.file_size for member in members)) > largest:
            raise UnusableClip(f"{path}: the workbook unpacks to {size} bytes, more than the limit of {largest}")
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
