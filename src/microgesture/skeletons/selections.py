"""Selections: the joints in a network's input, the limbs between them, and their mirror pairs."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import pairwise

from ..config.layouts import LAYOUT_NAMES, JointSelection, parts, shipped_layout, shipped_selections
from ..errors import InputError
from .layouts import Layout, layout_named, mirrored_name

Edge = tuple[int, int]
SELECTIONS = tuple(shipped_selections())  # the names of those in the package
FINGERS = ("thumb", "index", "middle", "ring", "little")


@dataclass(frozen=True)
class Selection:
    """The joints in a network's input, in order, and the limbs between them.

    ``joints`` are names of points of layouts; ``edges`` are the limbs, as pairs of positions in ``joints``.
    """

    name: str
    joints: tuple[str, ...]
    edges: tuple[Edge, ...]
    source: str

    def columns(self, layout: Layout) -> tuple[int | None, ...] | None:
        """Return the positions of the joints among the names of a layout, or None if it lacks too many of them.

        A depth sensor, which has fewer joints than other layouts, may lack up to half of them; the position of each
        missing joint is None. Other layouts may lack none.
        """
        names = layout.names
        found = tuple(names.index(name) if name in names else None for name in self.joints)
        allowed = len(found) // 2 if layout.table.depth_sensor else 0
        return found if found.count(None) <= allowed else None

    def lacking(self, layout: Layout) -> list[str]:
        """Return the joints that a layout does not have."""
        return [name for name in self.joints if name not in layout.names]

    @cached_property
    def flip(self) -> tuple[int, ...]:
        """For each joint the position of its mirror image; its own on the midline, or if that is not selected."""
        others = (mirrored_name(name) for name in self.joints)
        return tuple(self.joints.index(name) if name in self.joints else i for i, name in enumerate(others))


@cache
def selection_named(choice: str | JointSelection) -> Selection:
    """Return a selection of the package, all points of a layout by its name, or the joints that a user has listed.

    Raises ``InputError`` if there is none.
    """
    if isinstance(choice, JointSelection):
        limbs = usual_limbs(choice.joints) if choice.limbs is None else choice.limbs
        return _selection(f"of {len(choice.joints)} joints", choice.joints, limbs, "your own")
    tables = shipped_selections()
    if choice in tables:
        table = tables[choice]
        whole = shipped_layout(table["layout"]) if "layout" in table else None
        joints, limbs = (whole.names, whole.pairs) if whole else (table["joints"], table["limbs"])
        return _selection(choice, joints, limbs, table["source"])
    if choice in LAYOUT_NAMES:
        whole = shipped_layout(choice)
        return _selection(choice, whole.names, whole.pairs, whole.source)
    raise InputError(f"there is no keypoint selection '{choice}'; choose one of {', '.join((*tables, *LAYOUT_NAMES))}")


def fitting_selections(layout: Layout) -> list[str]:
    """Return the names of the selections of the package whose joints a layout has, the largest last."""
    fitting = [selection_named(name) for name in shipped_selections()]
    fitting = [selection for selection in fitting if not selection.lacking(layout)]
    return [selection.name for selection in sorted(fitting, key=lambda selection: len(selection.joints))]


def advice(layout: Layout) -> str:
    """Return what to use for files of a layout that lack joints of the chosen selection."""
    if others := fitting_selections(layout):
        return f"use selection {others[-1]}"
    return f"use selection {layout.name}" if layout.name in LAYOUT_NAMES else "list its joints in keypoints.selection"


def complete_layouts(selection: Selection) -> list[Layout]:
    """Return the layouts of the package that have all joints of a selection."""
    return [layout for layout in map(layout_named, LAYOUT_NAMES) if not selection.lacking(layout)]


def usual_limbs(joints: Sequence[str]) -> list[tuple[str, str]]:
    """Return the limbs of the parts of the body whose two ends are among these joints, each once."""
    there, found = set(joints), {}
    for name, part in parts().items():
        sides = ("left ", "right ") if name in ("hand_21", "tips_5") else ("",)
        for chain in part["limbs"]:
            for side in sides:
                for a, b in pairwise(f"{side}{one}" for one in chain):
                    if a in there and b in there:
                        found.setdefault(frozenset((a, b)), (a, b))
    for side in ("left", "right"):
        wrists = f"{side} wrist", f"{side} hand wrist"
        if there.issuperset(wrists):
            found.setdefault(frozenset(wrists), wrists)
    return list(found.values())


def _selection(name: str, joints: Sequence[str], limbs: Sequence[Sequence[str]], source: str) -> Selection:
    joints = tuple(joints)
    edges = tuple((joints.index(a), joints.index(b)) for chain in limbs for a, b in pairwise(chain))
    return Selection(name, joints, edges, source)


def hand_in_order(side: str) -> list[str]:
    """Return the wrist, then up one finger and down the next, so that neighbours in the order are so in the hand."""
    order = ["hand wrist"]
    for number, finger in enumerate(FINGERS):
        joints = [f"{finger} {joint}" for joint in (1, 2, 3, "tip")]
        order += joints[::-1] if number % 2 else joints
    return [f"{side} {name}" for name in order]
