"""The base class of all settings: frozen, without unknown keys, with suggestions for misspelt keys."""

import json
import re
import unicodedata
from difflib import get_close_matches
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from ..errors import InputError

LONGEST = 200  # characters of a wrong value in a message

Name = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$", description="letters, digits and underscores")]
LONGEST_CLASS = 1000  # characters of the name of a class
_BREAKS = frozenset(("Cc", "Cs", "Zl", "Zp"))  # line breaks, other control characters, and halves of characters
PLACEHOLDERS = re.compile(r"[{}<>\x00-\x1f\x7f]")  # Snakemake reads {name} and <name> as placeholders


def _without_placeholders(path: str) -> str:
    if mark := PLACEHOLDERS.search(path):
        raise ValueError(
            f"the path {path!r} contains {mark[0]!r}; paths in a configuration must not contain braces, angle brackets "
            "or control characters: rename the file or folder"
        )
    return path


FilePath = Annotated[str, AfterValidator(_without_placeholders)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]


class Settings(BaseModel):
    """Settings that refuse unknown keys and suggest the most similar known key.

    ``renamed`` maps old names of keys to their new names.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
    renamed: ClassVar[dict[str, str]] = {}

    @model_validator(mode="before")
    @classmethod
    def _suggest_key(cls, values: Any) -> Any:
        if isinstance(values, dict):
            for key in values:
                if key in cls.renamed:
                    raise ValueError(f"key '{key}' is now called '{cls.renamed[key]}'; rename it")
                if key not in cls.model_fields:
                    near = get_close_matches(str(key), cls.model_fields, n=1)
                    hint = f"did you mean '{near[0]}'?" if near else f"known keys are {', '.join(cls.model_fields)}"
                    raise ValueError(f"unknown key '{key}'; {hint}")
        return values


def listed_problems(error: ValidationError, given: Any) -> str:
    """Describe a validation error of the ``given`` values, one line for each wrong key."""
    lines = [f"  {_place(problem, given)}: {_sentence(problem)}" for problem in error.errors()]
    return "\n".join(dict.fromkeys(lines))


def _place(problem: dict[str, Any], given: Any) -> str:
    """The keys that lead to a problem, without the names that pydantic gives to the members of a union."""
    parts = []
    for part in problem["loc"]:
        try:
            given = given[part]
        except (KeyError, IndexError, TypeError):
            continue
        parts.append(str(part))
    if problem["type"] == "missing":
        parts.append(str(problem["loc"][-1]))
    return ".".join(parts) or "settings"


def _sentence(problem: dict[str, Any]) -> str:
    context = problem.get("ctx", {})
    if problem["type"] == "union_tag_not_found":
        return f"key {context['discriminator']} is missing"
    if problem["type"] == "union_tag_invalid":
        key, value = context["discriminator"].strip("'"), context["tag"]
        known = [name.strip("'") for name in context["expected_tags"].split(", ")]
        near = get_close_matches(value, known, n=1)
        kind = _kind(problem["loc"]) if key == "name" else key
        hint = f"did you mean '{near[0]}'?" if near else f"choose one of {', '.join(known)}"
        return f"there is no {kind} '{value}'; {hint}"
    message = problem["msg"].removeprefix("Value error, ")
    return (
        message
        if problem["type"] in ("value_error", "missing")
        else f"{message}, not {repr(problem['input'])[:LONGEST]}"
    )


def _kind(loc: tuple[int | str, ...]) -> str:
    """What has the name at a place: ``network``, or ``loss`` in the list ``losses``."""
    return next(part for part in reversed(loc) if isinstance(part, str)).removesuffix("es")


def checked(kind: type[Settings], given: Any, what: str) -> Any:
    """Settings from values; raises ``InputError`` that names each wrong key of ``what``."""
    try:
        return kind.model_validate(given)
    except ValidationError as error:
        raise InputError(f"{what} cannot be used:\n{listed_problems(error, given)}") from None


def checked_options(kind: type[Settings], **options: Any) -> Any:
    """Settings from options of a command; raises ``InputError`` that names each wrong option."""
    return checked(kind, options, "the options")


def parse_step(step: type[Settings], text: str) -> Any:
    """Read a step's settings from JSON; raises ``InputError`` that names each wrong key."""
    try:
        return step.model_validate_json(text)
    except ValidationError as error:
        raise InputError(f"--settings cannot be used:\n{listed_problems(error, _parsed(text))}") from None


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def fault_of_class(name: str) -> str | None:
    """Why a text cannot be the name of a class, or None: it must be one line that can be shown and stored."""
    if not 0 < len(name) <= LONGEST_CLASS:
        return f"has {len(name)} characters, not 1 to {LONGEST_CLASS}"
    odd = next((char for char in name if unicodedata.category(char) in _BREAKS), None)
    return f"has the control character {odd!r}" if odd else None
