"""A checksum inside the very file that it is of, so that a byte that has changed since it was written is noticed.

Every binary result has a place for a text among its metadata. It is written as ``OPEN`` and then sealed: the zeros at
its end become the CRC-32 of the whole file, taken with the zeros. CRC-32 misses no single damage of up to 32 bits.
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
    """Write the checksum of a file into it, wherever it says ``OPEN``; nothing else of the file changes."""
    with open(path, "r+b") as file, mmap.mmap(file.fileno(), 0) as content:
        places = [match.span(1) for match in _SEAL.finditer(content)]
        digits = f"{_checksum(content, places):08x}".encode()
        for start, end in places:
            content[start:end] = digits


def sealed_checksum(path: Path | str) -> str | None:
    """The checksum that a file says it has, as 8 hexadecimal digits; None if it says none."""
    with _mapped(path) as content:
        match = _SEAL.search(content)
        return match[1].decode() if match else None


def is_whole(path: Path | str) -> bool | None:
    """Whether a file is, byte for byte, what was once sealed; None if it was not sealed."""
    with _mapped(path) as content:
        matches = list(_SEAL.finditer(content))
        if not matches:
            return None
        digits = f"{_checksum(content, [match.span(1) for match in matches]):08x}".encode()
        return all(match[1] == digits for match in matches)


def refuse_damaged(path: Path | str) -> bool:
    """Raise ``InputError`` if a file is not what was once sealed; returns whether it ever was."""
    whole = is_whole(path)
    if whole is False:
        raise InputError(damaged(path))
    return whole is not None


def damaged(path: Path | str, part: str = "") -> str:
    """The sentence about a damaged file, or a part of one, and what to do."""
    return (
        f"{path} is damaged{f' in {part}' if part else ''}: it has changed since it was written. "
        "`microgesture verify --remove` finds and removes all such files and says how to make them again"
    )


def _mapped(path: Path | str) -> mmap.mmap | memoryview:
    """The content of a file; an empty one cannot be mapped."""
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
