"""Open an exported recogniser; its checksums are verified before any file is used."""

import re
from pathlib import Path

from pydantic import ValidationError
from torch import nn

from ..config.base import listed_problems
from ..config.recogniser import FORMAT, MANIFEST, SUMS, Member, Recogniser
from ..errors import InputError
from ..networks import build
from ..storage.files import read_json
from ..streams.predict import trained
from .export import sha256

_LINE = re.compile(r"([0-9a-f]{64})  ([\w.-]+)")


def open_recogniser(folder: Path) -> Recogniser:
    """Read an exported folder; raises ``InputError`` if it is not one, or if a file has changed or is not listed."""
    listed = _listed(folder)
    for file, checksum in listed.items():
        if not (folder / file).is_file():
            raise InputError(f"{folder / file} is missing; copy the whole folder again")
        if sha256(folder / file) != checksum:
            raise InputError(f"{folder / file} has changed since the export; copy the folder again")
    if MANIFEST not in listed:
        raise InputError(f"{folder / SUMS} does not list {MANIFEST}; copy the folder again")
    manifest = folder / MANIFEST
    try:
        content = read_json(manifest)
    except ValueError as error:
        raise InputError(f"{manifest} is not JSON ({error}); copy the folder again") from None
    found = content.get("format") if isinstance(content, dict) else None
    if isinstance(found, int) and found != FORMAT:
        remedy = "use the version that wrote it, or a newer one" if found > FORMAT else "export the ensemble again"
        raise InputError(
            f"{manifest} has format {found}, but this version of microgesture reads format {FORMAT}; {remedy}"
        )
    try:
        recogniser = Recogniser.model_validate(content)
    except ValidationError as error:
        raise InputError(f"{manifest} cannot be used by this version:\n{listed_problems(error, content)}") from None
    if unlisted := [member.file for member in recogniser.members if member.file not in listed]:
        raise InputError(f"{folder / SUMS} does not list {unlisted[0]}; copy the folder again")
    return recogniser


def open_network(folder: Path, recogniser: Recogniser, member: Member) -> nn.Module:
    """Build the network of a stream and load its weights; raises ``InputError`` if they do not fit."""
    try:
        return trained(folder / member.file, member.step, build, recogniser.classes)
    except RuntimeError as error:
        raise InputError(f"the weights in {folder / member.file} do not fit its network ({error})") from None


def _listed(folder: Path) -> dict[str, str]:
    try:
        lines = (folder / SUMS).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        raise InputError(f"{folder} has no {SUMS}; name a folder written by `microgesture export`") from None
    matches = [_LINE.fullmatch(line) for line in lines]
    if None in matches:
        raise InputError(
            f"{folder / SUMS}, line {matches.index(None) + 1} is not a checksum and a file name; copy the folder again"
        )
    return {match[2]: match[1] for match in matches}
