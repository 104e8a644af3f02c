"""The ``microgesture`` command. Each stage of the workflow is a subcommand, documented by its ``--help``."""

import logging
import sys

from ..errors import InputError
from ..machine.search_path import leave_out_current_folder, refuse_settings_here
from ..storage.disk import DiskFull
from ..streams.preemption import EXIT_STATUS, Stopped
from . import data, emotion, encoders, foreign, recogniser, results, streams, study, upkeep, view  # noqa: F401 (they add subcommands)
from .options import app as app

log = logging.getLogger(__name__)


def main(arguments: list[str] | None = None) -> int:
    """Run the command and return its exit code; a wrong call prints the usage and exits with code 2.

    An ``InputError``, a full disk, or a file that the system refuses to read or write prints one message and returns 1;
    for the last the traceback is only written to the file of ``--log``. A training that was stopped by a signal prints
    one message and returns 75. Any other exception is an error of the program or of an extension: its traceback is
    printed and written to the file of ``--log``, and 1 is returned.
    """
    leave_out_current_folder()
    try:
        if sys.getfilesystemencoding() != "utf-8":
            raise InputError("names of files are not read as UTF-8 here; set PYTHONUTF8=1, or a locale such as C.UTF-8")
        refuse_settings_here()
        app(arguments, prog_name="microgesture")
    except (InputError, DiskFull) as error:
        log.error("microgesture: %s", error)
        return 1
    except Stopped as stopped:
        log.warning("microgesture: %s", stopped)
        return EXIT_STATUS
    except OSError as error:
        if not error.filename:
            return _unexpected(error)
        log.info("where this happened:", exc_info=True)  # only in the file of --log
        log.error(
            "microgesture: %s: %s; correct its path or its permissions, or try again", error.filename, error.strerror
        )
        return 1
    except Exception as error:
        return _unexpected(error)
    return 0


def _unexpected(error: Exception) -> int:
    log.exception("microgesture: unexpected error")
    files = [handler.baseFilename for handler in logging.getLogger().handlers if hasattr(handler, "baseFilename")]
    where = f"the traceback is in {files[0]}" if files else "the traceback is above"
    log.error("microgesture: unexpected %s: %s; %s", type(error).__name__, error, where)
    return 1
