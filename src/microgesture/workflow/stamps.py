"""Digests of code, with which a changed algorithm reruns its stage and a changed sentence does not.

A digest covers the definitions that a stage reaches: from its entry, name by name, through functions, classes and
module-level constants. No code is imported. Types of arguments are reached too, because their methods are called. Of a
``Settings`` class only the methods count, because the values of its fields are in the settings of the step.

Names in strings are not followed: a module that is imported by its name must be an entry of its stage.
"""

import hashlib
import importlib.util
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from .meaning import Code, Part

SETTINGS = "microgesture.config.base.Settings"
EFFECTS = ""  # the name of the statements of a module that run whenever it is imported


class Place(NamedTuple):
    """A name in a module (None: all names), and whether only the methods of that class count."""

    module: str
    name: str | None
    methods: bool = False


class Sources:
    """Source files in ``root``, and those of packages on ``sys.path`` with entries; each is read once."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._codes: dict[str, Code | None] = {}
        self._packages: dict[str, Path] = {}
        self._found: dict[str, Place | None] = {}
        self._digests: dict[tuple, str] = {}

    def digest(self, entries: Iterable[str], without: Collection[str] = (), files: Iterable[str] = ()) -> str:
        """A digest of the code that is reached from ``entries``, each ``package.module`` or ``package.module:name``.

        Code of packages without an entry counts if it is in ``root``. ``without`` has entries of the same form, which
        are left out together with code that only they reach. ``files`` are data files in ``root``, whose bytes count.
        Raises ``ModuleNotFoundError`` or ``AttributeError`` if an entry does not exist.
        """
        wanted = tuple(sorted(entries)), frozenset(without), tuple(sorted(files))
        if wanted not in self._digests:
            parts = sorted(_Reached(self, *wanted[:2]).parts.items())
            contents = [(name, hashlib.sha256((self._root / name).read_bytes()).hexdigest()) for name in wanted[2]]
            self._digests[wanted] = hashlib.sha256(repr([parts, contents]).encode()).hexdigest()[:12]
        return self._digests[wanted]

    def code(self, module: str) -> Code | None:
        """The code of a module; None if it is in none of the packages."""
        if module not in self._codes:
            path = _source(self._packages.get(module.partition(".")[0], self._root), module)
            self._codes[module] = path and Code(path, module)
        return self._codes[module]

    def find(self, dotted: str) -> Place | None:
        """The module and the name that a dotted name refers to; None if it is in none of the packages."""
        if dotted not in self._found:
            self._found[dotted] = self._search(dotted)
        return self._found[dotted]

    def _search(self, dotted: str) -> Place | None:
        words = dotted.split(".")
        for length in range(len(words), 0, -1):
            module = ".".join(words[:length])
            if (code := self.code(module)) is None:
                continue
            name = words[length] if length < len(words) else None
            if name is None or name in code:
                return Place(module, name)
            if name in code.imports and code.imports[name] != f"{module}.{name}":
                return self.find(".".join([code.imports[name], *words[length + 1 :]]))
            return Place(module, None)
        return None

    def add_package(self, package: str) -> None:
        """Include a package, which may be elsewhere on ``sys.path``."""
        if package not in self._packages:
            self._packages[package] = _folder(self._root, package)
            self._found.clear()
            self._codes = {module: code for module, code in self._codes.items() if code}


class _Reached:
    """All code that is reached from some entries: ``parts`` maps names to digests."""

    def __init__(self, sources: Sources, entries: Iterable[str], without: Collection[str]) -> None:
        places = [Place(module, name or None) for module, _, name in (entry.partition(":") for entry in entries)]
        self._code, self._find, self._without = sources.code, sources.find, set(without)
        self._loaded: set[str] = set()
        self.parts: dict[str, str] = {}
        for place in places:
            sources.add_package(place.module.partition(".")[0])
            code = self._code(place.module)
            if code is None:
                raise ModuleNotFoundError(f"there is no module {place.module} beside this package or on sys.path")
            if place.name and place.name not in code:
                raise AttributeError(f"{place.module} does not define {place.name}")
        self._follow(places)

    def _follow(self, places: list[Place]) -> None:
        seen: set[Place] = set()
        while places:
            place = places.pop()
            if place in seen or {place.module, f"{place.module}:{place.name}"} & self._without:
                continue
            seen.add(place)
            code = self._code(place.module)
            places += self._loading(place.module)
            if place.name is None:
                places += (Place(place.module, name) for name in (*code, EFFECTS))
            elif place.name == EFFECTS:
                places += self._visit(place, code.effects) if code.effects else ()
            else:
                places += self._visit(place, code.part(place.name))

    def _visit(self, place: Place, part: Part) -> Iterator[Place]:
        side = part.methods if place.methods and part.methods else part.whole
        if not (place.methods and part.is_alias):
            self.parts[f"{place.module}:{place.name}{':methods' if place.methods else ''}"] = side.digest
        for module in side.loads:
            yield from self._loading(module)
        for name in side.uses:
            yield from self._places(name, by_type=place.methods and part.is_alias)
        for name in side.types:
            for found in self._places(name, by_type=True):
                # The plan has an entry for the chosen member of a union of settings.
                if not (place.methods and self._is_alias(found)):
                    yield found

    def _places(self, dotted: str, *, by_type: bool) -> Iterator[Place]:
        """The places of a name; a settings class used as a type stands for its methods."""
        if (place := self._find(dotted)) is None:
            return
        if not by_type or place.name is None:
            yield place
            return
        part = self._code(place.module).part(place.name)
        yield place._replace(methods=part.is_alias or self._is_settings(place))

    def _is_alias(self, place: Place) -> bool:
        return place.name is not None and self._code(place.module).part(place.name).is_alias

    def _is_settings(self, place: Place) -> bool:
        part = self._code(place.module).part(place.name)
        for base in part.bases:
            if base == SETTINGS or ((found := self._find(base)) and found.name and self._is_settings(found)):
                return True
        return f"{place.module}.{place.name}" == SETTINGS

    def _loading(self, module: str) -> Iterator[Place]:
        """The code that runs when a module is imported: statements of the module, its packages and their imports."""
        waiting = [module]
        while waiting:
            name = waiting.pop()
            if name in self._loaded or name in self._without:
                continue
            self._loaded.add(name)
            waiting += [name.rpartition(".")[0]] if "." in name else []
            if (code := self._code(name)) is None:
                continue
            waiting += code.loads
            if code.effects:
                yield Place(name, EFFECTS)
            for decorated, decorator in code.decorated:
                if self._find(decorator):  # it may register the definition
                    yield Place(name, decorated)


def _folder(root: Path, package: str) -> Path:
    """The folder that contains a package: ``root``, or a folder of ``sys.path``."""
    if _source(root, package):
        return root
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        return root
    origin = Path(spec.origin)
    return origin.parents[1] if spec.submodule_search_locations else origin.parent


def _source(folder: Path, module: str) -> Path | None:
    base = folder.joinpath(*module.split("."))
    return next((path for path in (base.with_suffix(".py"), base / "__init__.py") if path.exists()), None)
