"""Where Python searches for modules: not in the current folder, whose files may be somebody else's."""

import logging
import os
import sys
from multiprocessing import process

log = logging.getLogger(__name__)

# For ``python -m``, Python itself puts the current folder first and imports some modules before ours.
PROGRAMS = ("microgesture.__main__", "snakemake.__main__")


def leave_out_current_folder() -> None:
    """Let neither this process nor those that it starts import modules from the current folder.

    Python puts the current folder first for ``python -m`` and ``python -c``, and so for most processes that
    ``multiprocessing`` starts. A file ``random.py`` there would replace the module of that name. Snakemake adds a
    folder relative to the current one.
    """
    entries = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    started = getattr(sys.modules["__main__"], "__spec__", None)
    added = started is not None and started.name in PROGRAMS and not os.environ.get("PYTHONSAFEPATH")
    if len(entries) > 1 and "" in entries:
        log.warning("PYTHONPATH has an empty entry, which means the current folder; it is left out: remove it")
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, entries))
        added = True
    if added and process.ORIGINAL_DIR in sys.path:
        sys.path.remove(process.ORIGINAL_DIR)
    sys.path[:] = filter(os.path.isabs, sys.path)
    os.environ["PYTHONSAFEPATH"] = "1"
