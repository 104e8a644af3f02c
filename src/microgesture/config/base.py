"""The base class of all settings: frozen, without unknown keys, with suggestions for misspelt keys."""

from difflib import get_close_matches
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ..errors import InputError

Name = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$", description="letters, digits and underscores")]


class Settings(BaseModel):
    """Settings that refuse unknown keys and suggest the most similar known key.

    ``renamed`` maps old names of keys to their new names.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
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


def listed_problems(error: ValidationError) -> str:
    """Describe a validation error, one line for each wrong key."""
    return "\n".join(f"  {_place(problem['loc'])}: {_sentence(problem)}" for problem in error.errors())


def _place(loc: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in loc) or "settings"


def _sentence(problem: dict[str, Any]) -> str:
    message = problem["msg"].removeprefix("Value error, ")
    return message if problem["type"] in ("value_error", "missing") else f"{message}, not {problem['input']!r}"


def parse_step(step: type[Settings], text: str) -> Any:
    """Read a step's settings from JSON; raises ``InputError`` that names each wrong key."""
    try:
        return step.model_validate_json(text)
    except ValidationError as error:
        raise InputError(f"--settings cannot be used:\n{listed_problems(error)}") from None
