"""One step of a plan as it is handed to it, before it has a stamp."""

from collections.abc import Iterable
from typing import NamedTuple

from ..config.base import Settings


class Planned(NamedTuple):
    """A stage for the corpus, stream or ensemble ``name``: its settings, and what its output depends on besides.

    ``modules`` are its code with all that they import, less those in ``without``; ``upstream`` are other steps, by
    stage and name; ``tables`` are files of the package, ``declared`` is what it uses of declarations in a registry.
    """

    stage: str
    name: str
    settings: Settings
    modules: Iterable[str]
    upstream: Iterable[tuple[str, str]]
    without: Iterable[str] = ()
    tables: Iterable[str] = ()
    declared: Iterable[str] = ()
