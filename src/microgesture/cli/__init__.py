"""The ``microgesture`` command behind every rule: each stage is a subcommand, and its ``--help`` its documentation."""

import logging

from ..errors import InputError
from . import archives, data, results, streams  # noqa: F401 (each adds its subcommands)
from .options import app as app


def main(arguments: list[str] | None = None) -> int:
    """Run the command; an ``InputError`` becomes one sentence and exit code 1, a wrong call its usage and code 2."""
    try:
        app(arguments, prog_name="microgesture")
    except InputError as error:
        logging.getLogger(__name__).error("microgesture: %s", error)
        return 1
    return 0
