"""Tables of the package: layouts of keypoint files and selections of joints, and such tables in a configuration."""

from collections import Counter
from difflib import get_close_matches
from functools import cache, cached_property
from importlib import resources
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import AfterValidator, Field, ValidationError, model_validator

from .base import FilePath, Settings, listed_problems

FOLDER, PARTS, SELECTIONS = "tables/layouts", "tables/parts.yaml", "tables/selections.yaml"
_PACKAGE = resources.files("microgesture")
LAYOUT_NAMES = tuple(sorted(Path(file.name).stem for file in _PACKAGE.joinpath(FOLDER).iterdir()))
# The files of the package on which a stage depends that reads layouts.
LAYOUT_FILES = tuple(f"microgesture/{path}" for path in (PARTS, *(f"{FOLDER}/{name}.yaml" for name in LAYOUT_NAMES)))
_YAML = (".yaml", ".yml", ".json")

Chain = Annotated[tuple[str, ...], Field(min_length=2)]


class LayoutTable(Settings):
    """The points of a keypoint file in their order, by name; left and right are those of the person or animal."""

    title: str = Field("your own layout", description="its name in messages")
    source: str = Field("", description="where the order is defined")
    points: tuple[str | int, ...] = Field(
        min_length=1,
        description="names of the points in the order of the file; a part of tables/parts.yaml, such as `left hand_21`,"
        " stands for its points, and a number for so many points without a name",
    )
    means: dict[str, tuple[str, ...]] = Field(
        {}, description="further points, each the mean of points of the file; missing where one of them is"
    )
    limbs: tuple[Chain, ...] = Field((), description="chains of connected points")
    spelled: tuple[str, ...] = Field((), description="the names as the source spells them, if they differ")
    depth_sensor: bool = Field(
        False, description="points of a depth sensor: so few that a selection may lack up to half of its joints"
    )

    @model_validator(mode="after")
    def _names_are_distinct(self) -> "LayoutTable":
        if repeated := [name for name, times in Counter(self.names).items() if times > 1]:
            raise ValueError(f"two points are called '{repeated[0]}'; rename one of them")
        used = {name for chain in (*self.limbs, *self.means.values()) for name in chain}
        if unknown := sorted(used - set(self.names)):
            raise ValueError(f"limbs or means name '{unknown[0]}', which is not one of the points")
        if self.spelled and len(self.spelled) != len(self.in_order):
            raise ValueError(f"{len(self.spelled)} names are spelled for {len(self.in_order)} points")
        return self

    @cached_property
    def in_order(self) -> tuple[str | None, ...]:
        """The name of each point of the file, None for one without a name; parts are replaced by their points."""
        return tuple(name for entry in self.points for name in _points(entry))

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names of the points that have one, followed by those of the means."""
        return (*(name for name in self.in_order if name), *self.means)

    @cached_property
    def pairs(self) -> tuple[tuple[str, str], ...]:
        """The limbs as pairs of points: those of its parts, then its own."""
        chains = [*(chain for entry in self.points for chain in _limbs(entry)), *self.limbs]
        return tuple(dict.fromkeys(pair for chain in chains for pair in pairwise(chain)))


class JointSelection(Settings):
    """Joints of your own choice, in the order in which a network receives them."""

    joints: tuple[str, ...] = Field(min_length=1, description="names of points of the layout")
    limbs: tuple[Chain, ...] | None = Field(
        None, description="chains of connected joints; null: the usual limbs between these joints"
    )

    @model_validator(mode="after")
    def _joints_are_distinct(self) -> "JointSelection":
        if repeated := [name for name in self.joints if self.joints.count(name) > 1]:
            raise ValueError(f"joint '{repeated[0]}' is listed twice; remove one")
        if unknown := [name for chain in self.limbs or () for name in chain if name not in self.joints]:
            raise ValueError(f"limbs name '{unknown[0]}', which is not one of the joints; add it to joints")
        return self


def _table(path: str) -> Any:
    return yaml.load(_PACKAGE.joinpath(path).read_text(encoding="utf-8"), getattr(yaml, "CSafeLoader", yaml.SafeLoader))


@cache
def parts() -> dict[str, dict[str, Any]]:
    """The parts of which layouts are made: their points and their limbs."""
    return _table(PARTS)


@cache
def shipped_layout(name: str) -> LayoutTable:
    """A layout of the package."""
    return LayoutTable.model_validate(_table(f"{FOLDER}/{name}.yaml"))


@cache
def shipped_selections() -> dict[str, dict[str, Any]]:
    """The selections of the package, each with its source, its joints and limbs, or the layout of which it is all."""
    return _table(SELECTIONS)


def _part(entry: str | int) -> tuple[str, dict[str, Any]] | None:
    """The side, with a space, and the part that an entry of a layout names; None if it is a point."""
    words = str(entry).rsplit(" ", 1)
    return (f"{words[0]} " if words[1:] else "", parts()[words[-1]]) if words[-1] in parts() else None


def _points(entry: str | int) -> list[str | None]:
    if isinstance(entry, int):
        return [None] * entry
    if (found := _part(entry)) is None:
        return [entry]
    side, part = found
    return [f"{side}{name}" for inner in part["points"] for name in _points(inner)]


def _limbs(entry: str | int) -> list[list[str]]:
    if (found := _part(entry)) is None:
        return []
    side, part = found
    inner = [chain for one in part["points"] for chain in _limbs(one)]
    return [[f"{side}{name}" for name in chain] for chain in [*inner, *part["limbs"]]]


def _read_layout(path: Path) -> LayoutTable:
    try:
        given = yaml.safe_load(path.read_text(encoding="utf-8"))
        return LayoutTable.model_validate(given)
    except FileNotFoundError:
        raise ValueError(f"{path}: no such file; name a yaml file with the points of the layout") from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ValueError(f"{path} cannot be read as yaml ({error})") from None
    except ValidationError as error:
        raise ValueError(f"{path}: {listed_problems(error, given).strip()}") from None


def _known_layout(layout: "str | LayoutTable") -> "str | LayoutTable":
    if isinstance(layout, LayoutTable) or layout in LAYOUT_NAMES:
        return layout
    if layout.lower().endswith(_YAML):
        return _read_layout(Path(layout))
    near = get_close_matches(layout, LAYOUT_NAMES, 1)
    hint = f"did you mean '{near[0]}'? The layouts" if near else "the layouts"
    raise ValueError(f"there is no layout '{layout}'; {hint} are {', '.join(LAYOUT_NAMES)}, or name a yaml file")


# The name of a layout of the package, or its table; the name of a file is replaced by the table in it.
LayoutChoice = Annotated[FilePath | LayoutTable, AfterValidator(_known_layout)]


def layout_text(choice: "str | LayoutTable") -> str:
    """The content of a layout, for the stamps of the stages that use this one and no other."""
    table = shipped_layout(choice) if isinstance(choice, str) else choice
    return f"{table.in_order} {dict(table.means)} {table.spelled} {table.depth_sensor}"


def _known_selection(selection: str | JointSelection) -> str | JointSelection:
    known = (*shipped_selections(), *LAYOUT_NAMES, "all")
    if isinstance(selection, str) and selection not in known:
        raise ValueError(f"there is no selection '{selection}'; choose one of {', '.join(known)}, or list joints")
    return selection


# The name of a selection of the package; that of a layout, or "all", for all points of a layout; or a list of joints.
SelectionChoice = Annotated[str | JointSelection, AfterValidator(_known_selection)]
