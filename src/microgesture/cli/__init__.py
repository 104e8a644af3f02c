"""The ``microgesture`` command. Each stage of the workflow is a subcommand, documented by its ``--help``."""

import logging

from ..errors import InputError
from ..storage.disk import DiskFull
from ..streams.preemption import EXIT_STATUS, Stopped
from . import data, emotion, foreign, recogniser, results, streams, study, upkeep, view  # noqa: F401 (they add subcommands)
from .options import app as app


def main(arguments: list[str] | None = None) -> int:
    """Run the command and return its exit code; a wrong call prints the usage and exits with code 2.

    An ``InputError`` or a full disk prints one message and returns 1. A training that was stopped by a signal prints
    one message and returns 75.
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
