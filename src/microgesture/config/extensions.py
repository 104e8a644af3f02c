"""Declarations that installed extension packages add to the registries of this package."""

from collections.abc import Callable, Iterable
from importlib.metadata import entry_points
from typing import TypeVar

from ..errors import InputError

GROUP = "microgesture"

Kind = TypeVar("Kind")


def by_name(
    kind: type[Kind],
    built_in: Iterable[Kind],
    name_of: Callable[[Kind], str],
    *,
    extensions_first: bool = False,
) -> dict[str, Kind]:
    """Return all declarations of one kind by name: those of this package, and those of extensions.

    Declarations are instances or subclasses of ``kind``. Raises ``InputError`` if two have one name, or if an
    extension cannot be imported.
    """
    own = [("this package", one) for one in built_in]
    others = _declared(kind)
    declarations: dict[str, Kind] = {}
    sources: dict[str, str] = {}
    for source, one in [*others, *own] if extensions_first else [*own, *others]:
        name = name_of(one)
        if name in declarations:
            raise InputError(
                f"'{name}' is declared twice, by {sources[name]} and by {source}; rename or uninstall one of them"
            )
        declarations[name], sources[name] = one, source
    return declarations


def _declared(kind: type[Kind]) -> list[tuple[str, Kind]]:
    """The declarations of one kind from all extensions, each with a description of its extension.

    An entry point of the group ``microgesture`` names a tuple of declarations.
    """
    found = []
    for point in sorted(entry_points(group=GROUP), key=lambda point: point.name):
        source = f"extension '{point.name}' ({point.value})"
        try:
            declarations = point.load()
        except Exception as error:
            raise InputError(f"{source} cannot be imported: {error!r}; fix or uninstall it") from error
        found += [(source, one) for one in declarations if _is(one, kind)]
    return found


def _is(declaration: object, kind: type) -> bool:
    return issubclass(declaration, kind) if isinstance(declaration, type) else isinstance(declaration, kind)
