"""Print the configuration reference, made from the schema: ``python docs/settings_page.py``."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

SCHEMA = Path(__file__).resolve().parent.parent / "workflow/schemas/config.schema.json"
INTRODUCTION = """\
# Configuration reference

Every key of a configuration. This page is made from the schema. `config.yaml` is the configuration of the demo,
`config/` has the published systems, and `microgesture init` writes a configuration for your clips. If the first line
of a file names `workflow/schemas/config.schema.json`, editors that support YAML schemas complete and check the keys. A
misspelt key is an error, and the message suggests the key that was probably meant.
"""
RANGES = {
    "minimum": "at least {}",
    "exclusiveMinimum": "above {}",
    "maximum": "at most {}",
    "exclusiveMaximum": "below {}",
    "multipleOf": "a multiple of {}",
}
WORDS = {"integer": "whole number", "number": "number", "boolean": "true or false", "string": "text", "null": "null"}


def read_schema() -> dict[str, Any]:
    """Read the schema of the configuration from the project."""
    return json.loads(SCHEMA.read_text(encoding="utf-8"))


def settings_page(schema: dict[str, Any]) -> str:
    """Return the page in Markdown: a table of the top-level keys, then a table for each group of settings."""
    groups = [_group("The whole file", schema, schema)]
    groups += [_group(name, schema["$defs"][name], schema) for name in reachable(schema)]
    return "\n".join([INTRODUCTION, *groups])


def reachable(schema: dict[str, Any]) -> list[str]:
    """Return the names of the groups of settings, in the order in which keys first refer to them."""
    found: list[str] = []
    waiting = list(_references(schema["properties"]))
    while waiting:
        name = waiting.pop(0)
        if name not in found:
            found.append(name)
            waiting = [*_references(schema["$defs"][name].get("properties", {})), *waiting]
    return found


def _references(node: Any) -> Iterator[str]:
    """Yield the groups that a part of the schema refers to, in order."""
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"].rpartition("/")[2]
        for key, value in node.items():
            if key not in ("default", "discriminator"):
                yield from _references(value)
    elif isinstance(node, list):
        for value in node:
            yield from _references(value)


def _group(name: str, group: dict[str, Any], schema: dict[str, Any]) -> str:
    lines = [f"## {name} {{ #{name.lower().replace(' ', '-')} }}", ""]
    if description := group.get("description"):
        lines += ["\n".join(line.strip() for line in description.splitlines()), ""]
    lines += ["| key | what it is | values | default |", "| --- | --- | --- | --- |"]
    required = group.get("required", ())
    for key, value in group.get("properties", {}).items():
        default = "required" if key in required else _default(value)
        lines.append(f"| `{key}` | {_cell(_description(value, schema))} | {_cell(_values(value))} | {_cell(default)} |")
    return "\n".join(lines) + "\n"


def _default(value: dict[str, Any]) -> str:
    if "$ref" in value and value.get("default"):
        return "as there"
    return f"`{_shown(value['default'])}`" if "default" in value else ""


def _description(value: dict[str, Any], schema: dict[str, Any]) -> str:
    """Return the description of a key, or the first sentence of the group that it refers to."""
    if "description" in value or "$ref" not in value:
        return value.get("description", "")
    return schema["$defs"][value["$ref"].rpartition("/")[2]].get("description", "").partition("\n")[0]


def _values(value: dict[str, Any]) -> str:
    if "$ref" in value:
        name = value["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "const" in value:
        return f"`{value['const']}`"
    if "enum" in value:
        return ", ".join(f"`{_shown(choice)}`" for choice in value["enum"])
    if several := value.get("anyOf") or value.get("oneOf") or value.get("allOf"):
        return " or ".join(dict.fromkeys(map(_values, several)))
    if value.get("type") == "array":
        items = value.get("prefixItems") or [value.get("items", {})]
        kinds = " and ".join(dict.fromkeys(map(_values, items)))
        return f"list of {len(items)}: {kinds}" if "prefixItems" in value else f"list of {kinds}"
    if value.get("type") == "object":
        named = list(value.get("patternProperties", {}).values())
        named += [value["additionalProperties"]] if isinstance(value.get("additionalProperties"), dict) else []
        inner = " or ".join(map(_values, named))
        if value.get("properties"):
            inner = ", ".join(f"`{key}`: {_values(part)}" for key, part in value["properties"].items())
        return f"by name: {inner}" if named else f"keys {inner}"
    ranges = [text.format(_shown(value[key])) for key, text in RANGES.items() if key in value]
    return ", ".join([WORDS.get(value.get("type", ""), "anything"), *ranges])


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")


if __name__ == "__main__":
    print(settings_page(read_schema()), end="")
