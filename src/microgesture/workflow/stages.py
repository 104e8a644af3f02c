"""A step of the plan before it has a stamp."""

from collections.abc import Iterable
from typing import NamedTuple

from ..config.base import Settings


class Planned(NamedTuple):
    """A stage for the corpus, stream or ensemble ``name``: its settings, and everything else its output depends on.

    ``modules`` are its code with all that they import, except for ``without``. ``upstream`` are other steps, by stage
    and name. ``tables`` are files of the package. ``declared`` are the parts of declarations that it uses.
    """

    stage: str
    name: str
    settings: Settings
    modules: Iterable[str]
    upstream: Iterable[tuple[str, str]]
    without: Iterable[str] = ()
    tables: Iterable[str] = ()
    declared: Iterable[str] = ()
