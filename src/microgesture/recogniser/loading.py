"""Opening a folder that was handed over: nothing of it is used before its checksums are right."""

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
    """What a folder holds; raises ``InputError`` if it is none, or a file has changed or is not listed."""
    listed = _listed(folder)
    for file, checksum in listed.items():
        if not (folder / file).is_file():
            raise InputError(f"{folder / file} is missing; get the whole folder again")
        if sha256(folder / file) != checksum:
            raise InputError(f"{folder / file} has changed since it was exported; get the folder again")
    if MANIFEST not in listed:
        raise InputError(f"{folder / SUMS} does not list {MANIFEST}; get the folder again")
    manifest = folder / MANIFEST
    try:
        content = read_json(manifest)
    except ValueError as error:
        raise InputError(f"{manifest} is no JSON ({error}); get the folder again") from None
    found = content.get("format") if isinstance(content, dict) else None
    if isinstance(found, int) and found != FORMAT:
        remedy = "use the version that wrote it, or a newer one" if found > FORMAT else "export the ensemble again"
        raise InputError(
            f"{manifest} is of format {found}, and this version of microgesture reads format {FORMAT}; {remedy}"
        )
    try:
        recogniser = Recogniser.model_validate(content)
    except ValidationError as error:
        raise InputError(f"{manifest} cannot be used by this version:\n{listed_problems(error)}") from None
    if unlisted := [member.file for member in recogniser.members if member.file not in listed]:
        raise InputError(f"{folder / SUMS} does not list {unlisted[0]}; get the folder again")
    return recogniser


def open_network(folder: Path, recogniser: Recogniser, member: Member) -> nn.Module:
    """The network of a stream with its weights; raises ``InputError`` if they are not what the folder says."""
    try:
        return trained(folder / member.file, member.step, build, recogniser.classes)
    except RuntimeError as error:
        raise InputError(f"{folder / member.file} has other weights than its network takes ({error})") from None


def _listed(folder: Path) -> dict[str, str]:
    try:
        lines = (folder / SUMS).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        raise InputError(f"{folder} has no {SUMS}; name a folder that `microgesture export` has written") from None
    matches = [_LINE.fullmatch(line) for line in lines]
    if None in matches:
        raise InputError(f"{folder / SUMS}, line {matches.index(None) + 1}: no checksum and name of a file")
    return {match[2]: match[1] for match in matches}
