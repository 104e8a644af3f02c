"""The ``microgesture`` command behind every rule: each stage is a subcommand, and its ``--help`` its documentation."""

import logging

from ..errors import InputError
from ..storage.disk import DiskFull
from ..streams.preemption import EXIT_STATUS, Stopped
from . import data, emotion, foreign, recogniser, results, streams, study, upkeep, view  # noqa: F401 (they add subcommands)
from .options import app as app


def main(arguments: list[str] | None = None) -> int:
    """Run the command; a wrong call becomes its usage and exit code 2.

    An ``InputError`` or a full disk becomes one sentence and code 1, and so does a training that was told to stop, with
    code 75.
    """
    try:
        app(arguments, prog_name="microgesture")
    except (InputError, DiskFull) as error:
        logging.getLogger(__name__).error("microgesture: %s", error)
        return 1
    except Stopped as stopped:
        logging.getLogger(__name__).warning("microgesture: %s", stopped)
        return EXIT_STATUS
    return 0
