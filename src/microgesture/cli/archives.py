"""The subcommand that unpacks the archives of a release."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from ..errors import InputError
from .options import stage

PASSWORD = "MICROGESTURE_ARCHIVE_PASSWORD"


@stage("unpack")
def unpack(
    archives: Annotated[list[Path], typer.Argument(exists=True, dir_okay=False, help="zip archives")],
    to: Annotated[Path, typer.Option(help="folder that everything is unpacked into")],
    checksums: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="SHA-256 of archives or members, from sha256sum")
    ] = None,
    max_members: Annotated[int, typer.Option(min=1, help="members of an archive, at most")] = 200_000,
    max_file: Annotated[float, typer.Option(min=0, help="GB of an unpacked file, at most")] = 200,
    max_total: Annotated[float, typer.Option(min=0, help="GB of everything unpacked, at most")] = 2000,
    max_ratio: Annotated[float, typer.Option(min=1, help="how many times the packed size, beyond 0.1 GB")] = 100,
) -> None:
    """Unpack zip archives without trusting them, and list every file with its SHA-256 in <to>/unpacked.csv.

    Paths outside the folder, links, names that differ in case only, and archives made to fill disks are refused
    before anything is written. No file is overwritten. After a kill, the same command goes on where it was. The
    password of encrypted archives is asked for, or taken from MICROGESTURE_ARCHIVE_PASSWORD; Python reads the old zip
    encryption only, and slowly, so for AES or tens of gigabytes use 7z.
    """
    from ..archives import unpacking as unpacking

    limits = unpacking.Limits(max_members, int(max_file * 1e9), int(max_total * 1e9), max_ratio)
    sums = unpacking.read_checksums(checksums) if checksums else {}
    for each in unpacking.unpack(archives, to, limits, sums, _password):
        before = f", {each.kept} of them were there" if each.kept else ""
        typer.echo(f"{each.archive}: {each.files} files, {each.size / 1e9:.3f} GB{before}")
    matched = f"; {len(sums)} checksums were given, and none differs" if sums else ""
    typer.echo(f"listed in {to / unpacking.LISTING}{matched}")


def _password() -> str:
    if given := os.environ.get(PASSWORD):
        return given
    if sys.stdin.isatty():
        return typer.prompt("password of the archives", hide_input=True)
    raise InputError(f"the archives are encrypted; set {PASSWORD}, or run where the password can be asked for")
