"""Names from tables and folders: their Unicode form, when two of them mean the same, and the files that they name."""

import os
import re
import unicodedata
from collections.abc import Hashable, Iterable
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

from ..errors import UnusableClip

_ZEROS = re.compile(r"(?<![0-9])0+(?=[0-9])")
_WHOLE = re.compile(r"([0-9]+)\.0*")  # a whole number that a spreadsheet wrote with decimals

Name = TypeVar("Name", bound=Hashable)


def composed(text: str) -> str:
    """The text in Unicode's form NFC, in which all names are compared and stored."""
    return unicodedata.normalize("NFC", text)


@lru_cache(1 << 16)
def normal_name(text: str) -> str:
    """The form in which two spellings of one name are equal: ``S01``, ``s1`` and `` s001`` are the same.

    Case, Unicode form, width, the script of digits, blanks at the ends, repeated blanks, invisible characters, leading
    zeros of numbers, and the decimals of ``1.0`` are removed. Use it to compare, not to show.
    """
    while (simpler := _simpler(text)) != text:  # what is left may be a name that can be simplified
        text = simpler
    return text


def _simpler(text: str) -> str:
    visible = "".join(char for char in text if unicodedata.category(char) != "Cf")
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", visible).casefold())
    plain = "".join(str(digit) if (digit := unicodedata.decimal(char, -1)) >= 0 else char for char in folded)
    name = _ZEROS.sub("", " ".join(plain.split()))
    return whole[1] if (whole := _WHOLE.fullmatch(name)) else name


def same_names(groups: Iterable[Iterable[Name]]) -> dict[Name, Name]:
    """Join groups that have a name in common; maps each name to the smallest one of its joined groups."""
    above: dict[Name, Name] = {}

    def top(name: Name) -> Name:
        while above[name] != name:
            above[name] = name = above[above[name]]
        return name

    for group in groups:
        names = list(group)
        for name in names:
            above.setdefault(name, name)
        least = min(map(top, names), default=None)
        for name in names:
            above[top(name)] = least
    return {name: top(name) for name in above}


class Folders:
    """Finds files whose names on the disk may have another Unicode form than in a table; each folder is read once."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._names: dict[str, dict[str, list[str]]] = {}

    def find(self, path: str, *, or_folder: bool = False) -> str | None:
        """The path of a file relative to the root, spelled as on the disk; None if there is no such file.

        With ``or_folder``, it may also be a folder of files.

        Raises ``UnusableClip`` if two names in one folder differ only in their Unicode form.
        """
        if not path.isascii():
            found = ""
            for part in Path(path).parts:
                found = os.path.join(found, self._spelled(found, part))
            path = found
        there = os.path.exists if or_folder else os.path.isfile  # False also for a name that is too long
        return path if there(self._root / path) else None

    def _spelled(self, folder: str, name: str) -> str:
        if name.isascii():
            return name
        if folder not in self._names:
            names = self._names[folder] = {}
            try:
                for there in os.listdir(self._root / folder):
                    names.setdefault(composed(there), []).append(there)
            except (OSError, ValueError):  # no such folder, or no possible name
                names.clear()
        spellings = self._names[folder].get(composed(name), [name])
        if len(spellings) > 1:
            raise UnusableClip(
                f"{self._root / folder} has {len(spellings)} files whose name prints as {name}, in different Unicode "
                "forms; rename them"
            )
        return spellings[0]
