"""Open an exported recogniser; its checksums are verified before any file is used."""

import re
from pathlib import Path

import torch
from pydantic import ValidationError
from torch import nn

from ..config.base import listed_problems
from ..config.recogniser import FORMAT, MANIFEST, SUMS, Member, Recogniser
from ..ensembles.fusion import Fusion
from ..errors import InputError
from ..networks import build
from ..storage.strict import read_strict_json
from ..streams.predict import network_of, trained
from ..streams.weights import read_header
from .export import sha256

_LINE = re.compile(r"([0-9a-f]{64})  ([\w.-]+)")
_LONGEST_LIST = 1 << 20  # bytes of the list of files


def open_recogniser(folder: Path) -> Recogniser:
    """Read an exported folder, which may come from anybody.

    Raises ``InputError`` if it is not one, if a file has changed or is not listed, or if anything in it could not have
    been exported: an input that needs a network, a path or a name of weights, a number out of its range, a repeated or
    unknown key.
    """
    listed = _listed(folder)
    for file, checksum in listed.items():
        if not (folder / file).is_file():
            raise InputError(f"{folder / file} is missing; copy the whole folder again")
        if sha256(folder / file) != checksum:
            raise InputError(f"{folder / file} has changed since the export; copy the folder again")
    if MANIFEST not in listed:
        raise InputError(f"{folder / SUMS} does not list {MANIFEST}; copy the folder again")
    manifest = folder / MANIFEST
    content = read_strict_json(manifest)
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
    try:
        Fusion.from_json(recogniser.fusion, [member.step.stream for member in recogniser.members])
    except InputError as error:
        raise InputError(f"{manifest}: {error}; export the ensemble again") from None
    return recogniser


def open_network(folder: Path, recogniser: Recogniser, member: Member) -> nn.Module:
    """Build the network of a stream and load its weights; raises ``InputError`` if they do not fit.

    The shapes are compared before any memory is allocated for the network.
    """
    try:
        with torch.device("meta"):
            shapes = {name: tuple(tensor.shape) for name, tensor in _empty(recogniser, member).items()}
    except InputError:
        raise
    except Exception as error:  # a network may raise anything for settings with which it was never built
        raise InputError(f"the network of stream '{member.step.stream}' cannot be built ({error})") from None
    if shapes != read_header(folder / member.file).shapes:
        raise InputError(f"the weights in {folder / member.file} do not fit its network; export the ensemble again")
    try:
        return trained(folder / member.file, member.step, build, recogniser.classes)
    except RuntimeError as error:
        raise InputError(f"the weights in {folder / member.file} do not fit its network ({error})") from None


def _empty(recogniser: Recogniser, member: Member) -> dict[str, torch.Tensor]:
    return network_of(member.step, build, len(recogniser.classes)).state_dict()


def _listed(folder: Path) -> dict[str, str]:
    try:
        if not (folder / SUMS).is_file():  # opening a pipe would wait for ever
            raise FileNotFoundError
        with open(folder / SUMS, encoding="utf-8") as file:
            lines = file.read(_LONGEST_LIST).splitlines()
    except (OSError, UnicodeDecodeError):
        raise InputError(f"{folder} has no {SUMS}; name a folder written by `microgesture export`") from None
    matches = [_LINE.fullmatch(line) for line in lines]
    if None in matches:
        raise InputError(
            f"{folder / SUMS}, line {matches.index(None) + 1} is not a checksum and a file name; copy the folder again"
        )
    return {match[2]: match[1] for match in matches}
