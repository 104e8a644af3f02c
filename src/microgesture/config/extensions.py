"""Declarations that installed extension packages add to the registries of this package."""

from importlib.metadata import entry_points
from typing import TypeVar

from ..errors import InputError

GROUP = "microgesture"

Kind = TypeVar("Kind")


def declared(kind: type[Kind]) -> tuple[Kind, ...]:
    """Return the declarations of one kind from all extensions: instances or subclasses of ``kind``.

    An entry point of the group ``microgesture`` names a tuple of declarations. Raises ``InputError`` if one cannot be
    imported.
    """
    found = []
    for point in sorted(entry_points(group=GROUP), key=lambda point: point.name):
        try:
            declarations = point.load()
        except Exception as error:
            raise InputError(
                f"extension '{point.name}' ({point.value}) cannot be imported: {error!r}; fix or uninstall it"
            ) from error
        found += [one for one in declarations if _is(one, kind)]
    return tuple(found)


def _is(declaration: object, kind: type) -> bool:
    return issubclass(declaration, kind) if isinstance(declaration, type) else isinstance(declaration, kind)
