"""The base of every settings class: frozen, complete, and helpful about misspelt keys."""

from difflib import get_close_matches
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

Name = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$", description="letters, digits and underscores")]


class Settings(BaseModel):
    """Settings that refuse unknown keys and suggest the key that was probably meant."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _suggest_key(cls, values: Any) -> Any:
        if isinstance(values, dict):
            for key in values:
                if key not in cls.model_fields:
                    near = get_close_matches(str(key), cls.model_fields, n=1)
                    hint = f"did you mean '{near[0]}'?" if near else f"the keys here are {', '.join(cls.model_fields)}"
                    raise ValueError(f"unknown key '{key}'; {hint}")
        return values
