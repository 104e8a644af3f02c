"""Checksums that are stored inside the file itself and detect later changes of the file.

Every binary result has a text field in its metadata. It is written as ``OPEN``; then the file is sealed: the zeros at
the end of the field are replaced by the CRC-32 of the whole file with these zeros. CRC-32 detects every single error
burst of up to 32 bits.
"""

import mmap
import re
import zlib
from collections.abc import Iterator
from pathlib import Path

from ..errors import InputError

_MARK = b"microgesture crc32 "
_ZEROS = b"00000000"
_SEAL = re.compile(re.escape(_MARK) + rb"([0-9a-f]{8})")
OPEN = (_MARK + _ZEROS).decode()


def seal(path: Path | str) -> None:
    """Write the checksum of a file into it, wherever it contains ``OPEN``; nothing else in the file changes."""
    with open(path, "r+b") as file, mmap.mmap(file.fileno(), 0) as content:
        places = [match.span(1) for match in _SEAL.finditer(content)]
        digits = f"{_checksum(content, places):08x}".encode()
        for start, end in places:
            content[start:end] = digits


def sealed_checksum(path: Path | str) -> str | None:
    """The checksum stored in a file, as 8 hexadecimal digits; None if there is none."""
    with _mapped(path) as content:
        match = _SEAL.search(content)
        return match[1].decode() if match else None


def is_whole(path: Path | str) -> bool | None:
    """Whether a file is unchanged since it was sealed; None if it was not sealed."""
    with _mapped(path) as content:
        matches = list(_SEAL.finditer(content))
        if not matches:
            return None
        digits = f"{_checksum(content, [match.span(1) for match in matches]):08x}".encode()
        return all(match[1] == digits for match in matches)


def refuse_damaged(path: Path | str) -> bool:
    """Raise ``InputError`` if a file has changed since it was sealed; return whether it was sealed."""
    whole = is_whole(path)
    if whole is False:
        raise InputError(damaged(path))
    return whole is not None


def damaged(path: Path | str, part: str = "") -> str:
    """The error message for a damaged file, or for a damaged part of it."""
    return (
        f"{path} is damaged{f' in {part}' if part else ''}: it has changed since it was written. "
        "`microgesture verify --remove` removes all such files and prints the command that makes them again"
    )


def _mapped(path: Path | str) -> mmap.mmap | memoryview:
    """The content of a file, mapped into memory; an empty file cannot be mapped."""
    with open(path, "rb") as file:
        empty = not Path(path).stat().st_size
        return memoryview(b"") if empty else mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def _checksum(content: mmap.mmap | memoryview, places: list[tuple[int, int]]) -> int:
    """CRC-32 of the content with zeros in the given places."""
    checksum = 0
    for piece in _pieces(content, places):
        checksum = zlib.crc32(piece, checksum)
    return checksum


def _pieces(content: mmap.mmap | memoryview, places: list[tuple[int, int]]) -> Iterator[bytes | memoryview]:
    last = 0
    with memoryview(content) as view:
        for start, end in places:
            with view[last:start] as piece:
                yield piece
            yield _ZEROS
            last = end
        with view[last:] as piece:
            yield piece
