"""Zip archives of releases, unpacked without believing what they say of themselves."""

import fcntl
import hashlib
import os
import re
import shutil
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from ..errors import InputError
from ..progress import progress
from ..storage.files import replacing, write_csv
from .checks import Archive, Limits, open_all, refusal, refuse_collisions, refuse_large

LISTING = "unpacked.csv"
SCRATCH = ".unpacking"
COLUMNS = ["archive", "member", "bytes", "sha256"]

BLOCK = 1_000_000  # bytes that are read at once


@dataclass(frozen=True)
class Unpacked:
    """What came out of an archive: how many files of how many bytes, and how many of them were there before."""

    archive: str
    files: int
    size: int
    kept: int


def unpack(
    archives: Sequence[Path],
    folder: Path | str,
    limits: Limits | None = None,
    checksums: Mapping[str, str] | None = None,
    password: Callable[[], str] | None = None,
) -> list[Unpacked]:
    """Unpack archives into one folder, and list every file with its SHA-256 in ``unpacked.csv`` there.

    Before anything is written, all archives are checked: their ``checksums`` (SHA-256 by the name of an archive or by
    the path of a member), the paths and kinds of their members, the limits, and the free disk space. Each file gets
    its name when it is whole, so that an unpacking that was killed goes on when it is started again; a file that is
    there already stays if its size and CRC-32 are the member's. ``password`` is asked once, if a member is encrypted.

    Raises ``InputError`` with the archive, the member and what to do: at a path outside the folder, a link or device,
    two members that are one file on some disk, a file that is there and differs, a limit that is passed, a checksum
    that differs, and an archive or member that is broken or packed in a way that Python cannot read.
    """
    folder, limits, checksums = Path(folder), limits or Limits(), checksums or {}
    names = {path.name for path in archives}
    if len(names) < len(archives):
        raise InputError("two of the archives have the same name; unpack them into folders of their own")
    sums = {path: _checked_sum(path, checksums) for path in archives}
    scratch = folder / SCRATCH
    with open_all(archives, sums, limits) as opened, _alone_in(folder):
        listed = _read_listing(folder / LISTING)
        there = [member for archive, rows in listed.items() if archive not in names for _, member, *_ in rows if member]
        refuse_collisions(opened, there, (LISTING, SCRATCH))
        refuse_large(opened, folder, limits)
        _refuse_needless(checksums, opened)
        _set_password(opened, password)
        shutil.rmtree(scratch, ignore_errors=True)
        try:
            return [_unpack_one(archive, folder, scratch, checksums, listed) for archive in opened]
        finally:
            shutil.rmtree(scratch, ignore_errors=True)


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Keep other unpackings out of a folder; the lock goes with the process, also if it is killed."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise InputError(f"{folder} is no folder; unpack into another one") from None
    handle = os.open(folder, os.O_RDONLY)
    try:
        _lock(handle, folder)
        yield
    finally:
        os.close(handle)


def _lock(handle: int, folder: Path) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise InputError(f"another unpacking into {folder} is under way; wait until it has ended") from None
    except OSError:
        pass  # some disks of clusters have no locks


def read_checksums(path: Path | str) -> dict[str, str]:
    """A list as ``sha256sum`` writes it, by name; raises ``InputError`` if a line is something else."""
    sums = {}
    for number, line in enumerate(Path(path).read_text(encoding="utf-8-sig", errors="replace").splitlines(), 1):
        if line.strip():
            found = re.fullmatch(r"([0-9a-fA-F]{64}) [ *](?:\./)?(.+)", line)
            if not found:
                raise InputError(
                    f"{path}, line {number} is no checksum and name as 'sha256sum' writes them; make the list with it"
                )
            sums[found[2]] = found[1].lower()
    return sums


def _read_listing(path: Path) -> dict[str, list[list[str]]]:
    """The rows of an earlier ``unpacked.csv`` by archive."""
    if not path.exists():
        return {}
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
    except ValueError:
        table = pd.DataFrame()
    if list(table.columns) != COLUMNS:
        raise InputError(f"{path} is no list of what was unpacked here; move it away, or unpack into another folder")
    return {str(archive): rows.to_numpy().tolist() for archive, rows in table.groupby("archive", sort=False)}


def _checked_sum(path: Path, checksums: Mapping[str, str]) -> str:
    digest = hashlib.sha256()
    try:
        with open(path, "rb") as packed:
            blocks = iter(lambda: packed.read(BLOCK), b"")
            for block in progress(blocks, f"checksum of {path.name}", -(-path.stat().st_size // BLOCK), "MB"):
                digest.update(block)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from None
    found = digest.hexdigest()
    expected = next((checksums[name] for name in _names(path) if name in checksums), found)
    if expected != found:
        raise InputError(f"{path} has the SHA-256 {found}, and the list has {expected}; get the right archive again")
    return found


def _names(archive: Path) -> tuple[str, str]:
    """The names that an archive may have in a list of checksums."""
    return archive.name, archive.as_posix()


def _refuse_needless(checksums: Mapping[str, str], opened: Sequence[Archive]) -> None:
    """Refuse a list of checksums that has nothing to say of these archives."""
    known = {info.filename for archive in opened for info in archive.members}
    known.update(name for archive in opened for name in _names(archive.path))
    if checksums and not known & checksums.keys():
        raise InputError(
            f"none of the {len(checksums)} names in the list of checksums, such as '{next(iter(checksums))}', is an "
            "archive given here or one of their members; check the names"
        )


def _set_password(opened: Sequence[Archive], password: Callable[[], str] | None) -> None:
    """Ask for the password, if there is an encrypted member."""
    encrypted = [archive for archive in opened if any(info.flag_bits & 1 for info in archive.members)]
    if encrypted and password is None:
        raise InputError(f"{encrypted[0].path} has encrypted members; give its password")
    given = password().encode() if encrypted else b""
    for archive in encrypted:
        archive.zip.setpassword(given)


def _unpack_one(
    archive: Archive, folder: Path, scratch: Path, checksums: Mapping[str, str], listed: dict[str, list[list]]
) -> Unpacked:
    """Unpack an archive and write the list anew, with the files of this one; ``listed`` has the others'."""
    rows: list[list] = [[archive.path.name, "", archive.path.stat().st_size, archive.sha256]]
    size = kept = 0
    for info in progress(archive.members, f"unpack {archive.path.name}", len(archive.members), "member"):
        target = folder / info.filename
        _make_folder(archive, info, target if info.is_dir() else target.parent, folder)
        if info.is_dir():
            continue
        there = os.path.lexists(target)
        if there:
            found = _existing_sum(archive, info, target)
            _refuse_other_sum(archive, info, found, checksums)
        else:
            with replacing(scratch / target.name) as temporary:
                found = _write(archive, info, temporary)
                _refuse_other_sum(archive, info, found, checksums)
            os.replace(scratch / target.name, target)
        kept += there
        size += info.file_size
        rows.append([archive.path.name, info.filename, info.file_size, found])
    listed[archive.path.name] = rows
    table = pd.DataFrame([row for name in sorted(listed) for row in listed[name]], columns=COLUMNS)
    write_csv(folder / LISTING, table)
    return Unpacked(archive.path.name, len(rows) - 1, size, kept)


def _make_folder(archive: Archive, info: zipfile.ZipInfo, path: Path, folder: Path) -> None:
    if not path.resolve().is_relative_to(folder.resolve()):
        raise refusal(archive.path, info, f"would follow a link out of {folder}; remove the link")
    try:
        path.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise refusal(archive.path, info, f"needs the folder {path}, where a file is; move it away") from None


def _existing_sum(archive: Archive, info: zipfile.ZipInfo, target: Path) -> str:
    """The SHA-256 of a file that is there already, once its size and CRC-32 are seen to be the member's."""
    digest, crc = hashlib.sha256(), 0
    same = target.is_file() and not target.is_symlink() and target.stat().st_size == info.file_size
    if same:
        with open(target, "rb") as there:
            while block := there.read(BLOCK):
                crc = zlib.crc32(block, crc)
                digest.update(block)
    if not same or crc != info.CRC:
        raise refusal(
            archive.path, info, f"differs from {target}, which is not overwritten; move it away or unpack elsewhere"
        )
    return digest.hexdigest()


def _write(archive: Archive, info: zipfile.ZipInfo, target: Path) -> str:
    """Write a member to a file, no more bytes than it was said to have, and return their SHA-256."""
    digest, left = hashlib.sha256(), info.file_size
    with open(target, "xb") as file:
        for block in _blocks(archive, info):
            left -= len(block)
            if left < 0:
                break
            file.write(block)
            digest.update(block)
    if left:
        raise refusal(archive.path, info, f"has not the {info.file_size} bytes that it should; get the archive again")
    return digest.hexdigest()


def _blocks(archive: Archive, info: zipfile.ZipInfo) -> Iterator[bytes]:
    try:
        with archive.zip.open(info) as packed:
            while block := packed.read(BLOCK):
                yield block
    except (zipfile.BadZipFile, EOFError, RuntimeError, OSError, ValueError, struct.error, zlib.error) as error:
        hint = "the password is wrong or the archive damaged" if info.flag_bits & 1 else "get the archive again"
        raise refusal(archive.path, info, f"is broken ({error or type(error).__name__}): {hint}") from None


def _refuse_other_sum(archive: Archive, info: zipfile.ZipInfo, found: str, checksums: Mapping[str, str]) -> None:
    if checksums.get(info.filename, found) != found:
        expected = checksums[info.filename]
        raise refusal(
            archive.path, info, f"has the SHA-256 {found}, and the list has {expected}; get the archive again"
        )
