"""Archives for the tests of unpacking: made, changed by the byte, and refused."""

import random
import zipfile

import pytest

from microgesture.archives.unpacking import unpack
from microgesture.errors import InputError

RELEASE = {
    "data/train/0012/0012_label.csv": b"1,0,9\n99,5,20\n",
    "data/train/0012/0012.mp4": random.Random(0).randbytes(300_000),
    "data/train/0013/empty.xlsx": b"",
    "data/val/résumé.csv": b"0,0,0\n" * 20_000,
}


def packed(path, members, method=zipfile.ZIP_DEFLATED):
    """An archive of members: their bytes by path, or by a ``ZipInfo``."""
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in members.items() if isinstance(members, dict) else members:
            archive.writestr(name, content)
    return path


def patched(path, *changes):
    """The archive with bytes replaced wherever they stand."""
    content = path.read_bytes()
    for old, new in changes:
        assert old in content
        content = content.replace(old, new)
    path.write_bytes(content)
    return path


def files_in(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def refused(archives, folder, message, **options):
    """Unpacking is refused in these words, and nothing was written, neither in the folder nor around it."""
    around = folder.parent
    before = files_in(around)
    with pytest.raises(InputError, match=message):
        unpack(archives, folder, **options)
    assert files_in(around) == before
