"""The plan of a configuration file, for commands that run outside the workflow."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..storage.strict import read_strict_yaml, strict_yaml
from .plan import Plan


def read_plan(file: Path, changes: Sequence[str] = (), results: Path | str = "results") -> Plan:
    """The plan of a configuration in YAML, with ``changes`` as Snakemake's ``--config`` takes them: ``key=value``.

    Relative paths in it start at the current folder. Raises ``InputError`` if the file does not exist or is not valid.
    """
    raw = read_configuration(file)
    for change in changes:
        key, equals, value = change.partition("=")
        if not equals:
            raise InputError(f"--config {change} is not of the form key=value")
        _update(raw, {key: strict_yaml(value, f"--config {key}")})
    return Plan(raw, str(results))


def read_configuration(file: Path) -> dict[str, Any]:
    """The keys of a configuration in YAML, unchecked; raises ``InputError`` if it does not exist or has no keys."""
    try:
        raw = read_strict_yaml(file)
    except OSError as error:
        raise InputError(f"{file}: {error.strerror}; name your configuration with --configfile") from None
    if not isinstance(raw, dict):
        raise InputError(f"{file} has no keys, so it is not a configuration; name another file with --configfile")
    return raw


def _update(settings: dict[str, Any], changes: dict[str, Any]) -> None:
    for key, value in changes.items():
        if isinstance(value, dict) and isinstance(settings.get(key), dict):
            _update(settings[key], value)
        else:
            settings[key] = value
