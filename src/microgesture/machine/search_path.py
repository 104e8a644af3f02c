"""Where modules and programs are searched for: not in the current folder, whose files may be somebody else's."""

import logging
import os
import sys
from multiprocessing import process
from pathlib import Path

from ..errors import InputError

log = logging.getLogger(__name__)

# For ``python -m``, Python itself puts the current folder first and imports some modules before ours.
PROGRAMS = ("microgesture.__main__", "snakemake.__main__")
VARIABLES = ("PYTHONPATH", "PATH", "LD_LIBRARY_PATH")
HERE = ("", ".")  # both mean the current folder
NUMBA = Path(".numba_config.yaml")  # it may name a folder of compiled functions, which Numba runs


def leave_out_current_folder() -> None:
    """Let neither this process nor those that it starts import modules from the current folder.

    Python puts the current folder first for ``python -m`` and ``python -c``, and so for most processes that
    ``multiprocessing`` starts. A file ``random.py`` there would replace the module of that name. Snakemake adds a
    folder relative to the current one.
    """
    started = getattr(sys.modules["__main__"], "__spec__", None)
    added = started is not None and started.name in PROGRAMS and not os.environ.get("PYTHONSAFEPATH")
    for variable in VARIABLES:
        given = os.environ.get(variable, "")
        entries = given.split(os.pathsep)
        kept = [entry for entry in entries if entry not in HERE]
        if given and kept != entries:
            # OpenCV leaves such an entry in LD_LIBRARY_PATH of a program that starts this one.
            level = logging.INFO if variable == "LD_LIBRARY_PATH" else logging.WARNING
            log.log(level, "%s has an entry for the current folder (empty or .); it is left out: remove it", variable)
            os.environ[variable] = os.pathsep.join(kept)
            added |= variable == "PYTHONPATH"
    # OpenCV puts its own entry before this variable; if that is empty, it would be an entry for the current folder, and
    # processes that start later would load libraries from there. This folder has none.
    if not os.environ.get("LD_LIBRARY_PATH"):
        os.environ["LD_LIBRARY_PATH"] = str(Path(__file__).parent)
    if added and process.ORIGINAL_DIR in sys.path:
        sys.path.remove(process.ORIGINAL_DIR)
    sys.path[:] = filter(os.path.isabs, sys.path)
    os.environ["PYTHONSAFEPATH"] = "1"


def refuse_settings_here() -> None:
    """Raise ``InputError`` if the current folder has settings of Numba, which cannot be told to ignore them."""
    if NUMBA.exists():
        raise InputError(
            f"{NUMBA.absolute()} has settings of Numba, which could run code from this folder, and none are needed: "
            "remove it, or start in another folder"
        )
