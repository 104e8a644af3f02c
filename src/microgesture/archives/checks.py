"""What is known of an archive before anything is unpacked: what its members would become, and what is refused."""

import io
import os
import stat
import struct
import zipfile
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from ..errors import InputError
from ..storage.disk import free_bytes
from .paths import Paths, objection

ENTRY = 200  # bytes of an archive's table of contents for a member, on average, at most
AES = 99  # the number of a packing method that stands for encryption with AES


@dataclass(frozen=True)
class Limits:
    """How much an archive may become.

    ``ratio`` is how many times the packed bytes a member or a whole archive may become, once it is larger than
    ``any_ratio_bytes``: tables of zeros are packed a thousandfold, but never so many of them.
    """

    members: int = 200_000
    member_bytes: int = 200 * 10**9
    total_bytes: int = 2 * 10**12
    ratio: float = 100
    any_ratio_bytes: int = 10**8


@dataclass(frozen=True)
class Archive:
    """An archive that is open, and the SHA-256 of its file."""

    path: Path
    zip: zipfile.ZipFile
    members: list[zipfile.ZipInfo]
    sha256: str


class _Guarded(io.BufferedReader):
    """A file that gives at most ``most`` bytes at once, for zipfile reads a table of contents of any size whole."""

    most: int

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > self.most:
            raise _TooLarge
        return super().read(size)


class _TooLarge(Exception):
    pass


@contextmanager
def open_all(paths: Sequence[Path], sums: Mapping[Path, str], limits: Limits) -> Iterator[list[Archive]]:
    """Open archives, with ``sums`` their SHA-256, and check all that they say of their members one by one.

    Raises ``InputError`` if one of them cannot be read, has too many members, or one that may not be unpacked.
    """
    with ExitStack() as stack:
        yield [_open(stack, path, sums[path], limits) for path in paths]


def _open(stack: ExitStack, path: Path, sha256: str, limits: Limits) -> Archive:
    file = stack.enter_context(_Guarded(io.FileIO(path)))
    file.most = max(ENTRY * limits.members, 10**7)
    many = f"{path} has more than {limits.members} members; raise --max-members if you trust it"
    try:
        packed = stack.enter_context(zipfile.ZipFile(file))
    except _TooLarge:
        raise InputError(many) from None
    except (zipfile.BadZipFile, NotImplementedError, EOFError, OSError, ValueError, struct.error) as error:
        raise InputError(
            f"{path} is no zip archive, or a broken one ({error}); get it again, and join it first if it came in parts"
        ) from None
    infos = packed.infolist()
    if len(infos) > limits.members:
        raise InputError(many)
    if len(infos) != (said := _said_members(path)):
        raise InputError(f"{path} lists {len(infos)} members and says that it has {said}; get it again")
    seen = set()
    for info in infos:
        if fault := _fault(info, path):
            raise refusal(path, info, fault)
        if info.filename in seen:
            raise refusal(path, info, "is there twice; get the archive again")
        seen.add(info.filename)
    return Archive(path, packed, infos, sha256)


def _said_members(path: Path) -> int:
    """How many members an archive says to have at its end, which zipfile does not look at.

    Sections 4.3.14 and 4.3.16 of PKWARE's APPNOTE.TXT; where the number takes more than two bytes it stands in the
    former, which comes right before the latter.
    """
    with open(path, "rb") as file:
        file.seek(max(path.stat().st_size - 70_000, 0))
        tail = file.read()
    end = tail.rfind(b"PK\5\6")
    (members,) = struct.unpack_from("<H", tail, end + 10)
    large = tail.rfind(b"PK\6\6", max(end - 200, 0), end)
    return struct.unpack_from("<Q", tail, large + 32)[0] if large >= 0 and members == 0xFFFF else members


def _fault(info: zipfile.ZipInfo, archive: Path) -> str | None:
    """Why a member may not be unpacked, and what to do; None if it may."""
    # The two differ where a name goes on behind a NUL or stands there a second time, as an extra field.
    if reason := objection(info.orig_filename) or objection(info.filename):
        return f"{reason}; do not use this archive, or have it packed again with plain relative paths"
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in (0, stat.S_IFDIR if info.is_dir() else stat.S_IFREG):
        return "is a link, a device or something else that is no plain file; have the archive packed again without it"
    if info.is_dir() and (info.file_size or info.CRC):
        return "is a folder with bytes of its own; get the archive again"
    if info.compress_type == AES:
        return f"is encrypted with AES, which Python cannot read; unpack with '7z x {archive.name}'"
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return (
            f"is packed with method {info.compress_type}, which cannot be unpacked within bounds here; "
            f"unpack with '7z x {archive.name}'"
        )
    return None


def refusal(archive: Path, info: zipfile.ZipInfo, what: str) -> InputError:
    """The error that names the archive and the member."""
    return InputError(f"{archive}: member {info.filename!r} {what}")


def refuse_collisions(opened: Sequence[Archive], there: Iterable[str], reserved: Collection[str]) -> None:
    """Refuse members that would be one file on some disk, with each other or with the paths that are ``there``.

    The same member in two archives is none of them if its size and CRC-32 are the same. No member may have one of the
    ``reserved`` paths.
    """
    paths = Paths()
    for path in (*reserved, *there):
        paths.add(path)
    first: dict[str, tuple[Archive, zipfile.ZipInfo]] = {}
    for archive in opened:
        for info in archive.members:
            path = info.filename.removesuffix("/")
            if path in reserved:
                raise refusal(archive.path, info, "has the name of a file of this program; unpack it by hand")
            if reason := paths.add(path, "folder" if info.is_dir() else "file"):
                raise refusal(archive.path, info, f"{reason}; unpack the archive by hand and rename one of them")
            other, same = first.setdefault(path, (archive, info))
            if not info.is_dir() and (same.CRC, same.file_size) != (info.CRC, info.file_size):
                raise refusal(
                    archive.path, info, f"is another file in {other.path}; unpack them into folders of their own"
                )


def refuse_large(opened: Sequence[Archive], folder: Path, limits: Limits) -> None:
    """Refuse what becomes too large by the archives' own numbers, which no member may pass when it is unpacked."""
    total = needed = 0
    for archive in opened:
        packed, size = archive.path.stat().st_size, 0
        for info in archive.members:
            size += info.file_size
            total += info.file_size
            if info.file_size > limits.member_bytes:
                reason = f"is larger than {limits.member_bytes:,} bytes; raise --max-file"
            elif total > limits.total_bytes:
                reason = f"brings everything to more than {limits.total_bytes:,} bytes; raise --max-total"
            elif _suspicious(info.file_size, min(info.compress_size, packed), limits):
                reason = f"becomes more than {limits.ratio:g} times as large when it is unpacked; raise --max-ratio"
            elif _suspicious(size, packed, limits):
                reason = f"and those before it become more than {limits.ratio:g} times the archive; raise --max-ratio"
            else:
                needed += 0 if os.path.lexists(folder / info.filename) else info.file_size
                continue
            raise refusal(archive.path, info, f"{reason} if you trust the archive")
    free = free_bytes(folder)
    if needed > free:
        raise InputError(
            f"{folder} needs {needed / 1e9:.2f} GB more for these archives, and its disk has {free / 1e9:.2f} GB free; "
            "make room, or unpack on another disk"
        )


def _suspicious(size: int, packed: int, limits: Limits) -> bool:
    return size > limits.any_ratio_bytes and size > limits.ratio * packed
