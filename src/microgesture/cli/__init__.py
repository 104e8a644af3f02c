"""The ``microgesture`` command. Each stage of the workflow is a subcommand, documented by its ``--help``."""

import logging

from ..errors import InputError
from ..machine.search_path import leave_out_current_folder, refuse_settings_here
from ..storage.disk import DiskFull
from ..streams.preemption import EXIT_STATUS, Stopped
from . import data, emotion, foreign, recogniser, results, streams, study, upkeep, view  # noqa: F401 (they add subcommands)
from .options import app as app


def main(arguments: list[str] | None = None) -> int:
    """Run the command and return its exit code; a wrong call prints the usage and exits with code 2.

    An ``InputError`` or a full disk prints one message and returns 1. A training that was stopped by a signal prints
    one message and returns 75. Any other exception is an error of the program or of an extension: its traceback is
    printed and written to the file of ``--log``, and 1 is returned.
    """
    leave_out_current_folder()
    log = logging.getLogger(__name__)
    try:
        refuse_settings_here()
        app(arguments, prog_name="microgesture")
    except (InputError, DiskFull) as error:
        log.error("microgesture: %s", error)
        return 1
    except Stopped as stopped:
        log.warning("microgesture: %s", stopped)
        return EXIT_STATUS
    except Exception as error:
        log.exception("microgesture: unexpected error")
        files = [handler.baseFilename for handler in logging.getLogger().handlers if hasattr(handler, "baseFilename")]
        where = f"the traceback is in {files[0]}" if files else "the traceback is above"
        log.error("microgesture: unexpected %s: %s; %s", type(error).__name__, error, where)
        return 1
    return 0
