"""Strict reading of JSON and YAML from other people: limits of size, depth and digits, and no repeated keys."""

import json
import math
from collections import Counter
from pathlib import Path
from typing import Any

import yaml

from ..errors import InputError

LARGEST = 16 << 20  # bytes of a file; the settings of a run take some kilobytes
DEEPEST = 32  # levels of lists and mappings; a configuration has 6
DIGITS = 20  # of a whole number; 64 bits have 19
NODES = 1_000_000  # values in a file, counted as often as YAML's aliases repeat them
MERGE = "tag:yaml.org,2002:merge"


def read_strict_json(path: Path) -> Any:
    """Read a JSON file; raises ``InputError`` as ``strict_json`` does, or if the file is too large."""
    return strict_json(_text(path), str(path))


def strict_json(text: str, where: str) -> Any:
    """Parse JSON; ``where`` is its file, for messages.

    Raises ``InputError`` if it is not JSON, is nested too deeply, repeats a key in an object, or has a number that is
    not finite or too long.
    """
    try:
        value = json.loads(
            text, object_pairs_hook=_unique, parse_constant=_no_number, parse_int=_whole, parse_float=_finite
        )
        if _depth(value) > DEEPEST:
            raise RecursionError
    except RecursionError:
        raise InputError(f"{where} has more than {DEEPEST} levels of lists and objects; use another file") from None
    except ValueError as error:
        raise InputError(f"{where} is not JSON that can be used ({error}); get it again") from None
    return value


def read_strict_yaml(path: Path) -> Any:
    """Read a YAML file; raises ``InputError`` as ``strict_yaml`` does, or if the file is too large."""
    return strict_yaml(_text(path), str(path))


def strict_yaml(text: str, where: str) -> Any:
    """Parse YAML of plain values; ``where`` is its file, for messages.

    Raises ``InputError`` if it is not YAML, is nested too deeply, repeats a key in a mapping or the same values too
    often, or has a value that cannot be represented.
    """
    try:
        return yaml.load(text, _Loader)
    except RecursionError:
        raise InputError(f"{where} has more than {DEEPEST} levels of lists and mappings; use another file") from None
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        raise InputError(f"{where} is not YAML that can be used: {error}") from None


def _text(path: Path) -> str:
    try:
        with open(path, "rb") as file:
            content = file.read(LARGEST + 1)
        if len(content) > LARGEST:
            raise InputError(f"{path} has more than {LARGEST >> 20} MiB, too many for settings; name another file")
        return content.decode()
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not text in UTF-8 ({error}); save it in UTF-8") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    unique = dict(pairs)
    if len(unique) < len(pairs):
        repeated = next(key for key, times in Counter(key for key, _ in pairs).items() if times > 1)
        raise ValueError(f"key {repeated!r} is repeated; keep one")
    return unique


def _no_number(text: str) -> Any:
    raise ValueError(f"{text} is not a number")


def _whole(text: str) -> int:
    if len(text.lstrip("-")) > DIGITS:
        raise ValueError(f"a number has {len(text)} digits, more than {DIGITS}")
    return int(text)


def _finite(text: str) -> float:
    if not math.isfinite(value := float(text)):
        raise ValueError(f"the number {text[:DIGITS]} is too large")
    return value


def _depth(value: Any) -> int:
    level, depth = [value], 0
    while level := [one for one in level if isinstance(one, dict | list)]:
        depth += 1
        level = [item for one in level for item in (one.values() if isinstance(one, dict) else one)]
    return depth


class _Loader(yaml.SafeLoader):
    """PyYAML's loader of plain values, with the limits of this module."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth = 0
        self._sizes: dict[int, int] = {}

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """Read a node, and refuse it below ``DEEPEST`` levels."""
        self._depth += 1
        if self._depth > DEEPEST + 1:
            raise RecursionError
        try:
            return super().compose_node(parent, index)
        finally:
            self._depth -= 1

    def construct_document(self, node: yaml.Node) -> Any:
        """Convert a document, after its size with all aliases is known."""
        if self._size(node) > NODES:
            raise ValueError(f"it has more than {NODES} values, because aliases (*) repeat them")
        return super().construct_document(node)

    def compose_mapping_node(self, anchor: str | None) -> yaml.MappingNode:
        """Read a mapping, and refuse it if a key is repeated; a merge (<<) may repeat keys."""
        node = super().compose_mapping_node(anchor)
        seen = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.tag != MERGE:
                if key.value in seen:
                    raise ValueError(f"line {key.start_mark.line + 1}: key {key.value!r} is repeated; keep one")
                seen.add(key.value)
        return node

    def construct_yaml_int(self, node: yaml.ScalarNode) -> int:
        """Convert a whole number of limited length."""
        if len(node.value) > DIGITS + 1:
            raise ValueError(f"a number has {len(node.value)} digits, more than {DIGITS}")
        return super().construct_yaml_int(node)

    def _size(self, node: yaml.Node) -> int:
        if isinstance(node, yaml.ScalarNode):
            return 1
        if id(node) not in self._sizes:
            self._sizes[id(node)] = NODES  # of a node that contains itself
            inner = [one for pair in node.value for one in (pair if isinstance(pair, tuple) else (pair,))]
            self._sizes[id(node)] = 1 + sum(map(self._size, inner))
        return self._sizes[id(node)]


_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.construct_yaml_int)
