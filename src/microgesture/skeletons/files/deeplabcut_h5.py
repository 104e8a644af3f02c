"""DeepLabCut's h5 of an analysed video: a table that pandas has written with PyTables, read with h5py (extra animals).

pandas stores the names of the columns as a pickle; no code in it is executed.
"""

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import InputError, UnusableClip
from ...machine.extras import install_hint
from .deeplabcut_csv import parsed
from .whole import Parsed, WholeFormat

if TYPE_CHECKING:
    import h5py

_KEY = "df_with_missing"  # DeepLabCut's name of the table
_BEGINNING = 1 << 16  # bytes in which that name stands


class DeepLabCutH5(WholeFormat):
    """The same table as in the csv, with one row for each frame."""

    name = "deeplabcut_h5"
    ending = ".h5"
    known_by_suffix = False

    def matches(self, path: Path) -> bool:
        if path.suffix.lower() != self.ending or not path.is_file():
            return False
        with open(path, "rb") as file:
            return _KEY.encode() in file.read(_BEGINNING)

    def recognises(self, path: Path) -> bool:
        return self.matches(path)

    def parse(self, path: Path) -> Parsed:
        if importlib.util.find_spec("h5py") is None:
            raise UnusableClip(f"{path} needs packages that are not installed: {install_hint('animals')}")
        import h5py

        from ...storage.pickles import numbers_in  # imports torch, which takes seconds

        try:
            with h5py.File(path) as file:
                table = _own(_own(file, _KEY), "table")
                names = numbers_in(bytes(table.attrs["values_block_0_kind"]), f"the names of the columns of {path}")
                rows_T = table[()]
        except InputError as error:
            raise UnusableClip(f"{error}; or export csv instead") from None
        except Exception as error:  # the library raises many kinds for damaged files
            raise UnusableClip(f"{path}: it is not a table of DeepLabCut ({error}); export csv instead") from None
        columns = [_column(name) for name in names]
        return parsed(path, columns, rows_T["index"], rows_T["values_block_0"].reshape(len(rows_T), len(columns)))


def _own(group: "h5py.Group", name: str) -> "h5py.Group | h5py.Dataset":
    """Return what a group has under a name; raises ``ValueError`` if it is in another file."""
    import h5py

    found = group[name] if isinstance(group.get(name, getlink=True), h5py.HardLink) else None
    if found is None or (isinstance(found, h5py.Dataset) and (found.is_virtual or found.external)):
        raise ValueError(f"{name} is not in this file")
    return found


def _column(name: tuple[str, ...]) -> tuple[str, str, str]:
    """Return the individual or "", the body part and the coordinate; the first word is the name of the network."""
    _, *individual, part, axis = name
    return (individual[0] if individual else "", part, axis)
