"""The subcommands that look after a run: before it, and after something broke."""

from pathlib import Path
from typing import Annotated

import typer

from .options import stage

Results = Annotated[Path, typer.Argument(exists=True, file_okay=False, help="folder of results")]


@stage("verify")
def verify(
    results: Results = Path("results"),
    remove: Annotated[bool, typer.Option("--remove", help="remove what is damaged, to make it again")] = False,
) -> None:
    """Read all results and tell which have changed since they were written; exit code 1 if any has."""
    from ..integrity import verify as verify_results

    if verify_results(results, remove=remove):
        raise typer.Exit(1)
