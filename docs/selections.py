"""Draws the keypoint selections and layouts: ``python docs/selections.py docs/selections.png docs/layouts.png``."""

import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from pose_mapping import FACE

from microgesture.config.layouts import LAYOUT_NAMES
from microgesture.skeletons.selections import SELECTIONS, Selection, complete_layouts, selection_named
from microgesture.storage.files import replacing

COLOURS = {"left": "#d1495b", "right": "#00798c", "": "#444444"}
_ARC = np.linspace(0, np.pi, 17)

# Where the joints of the person's own left side, and of the midline, are on a figure that faces the reader (x to the
# reader's right, y down, a shoulder 1 from the midline); the right side is the mirror image.
_POSE: dict[str, tuple[float, float]] = {
    "nose": (0, -1.62), "neck": (0, 0), "left shoulder": (1, 0.08), "left elbow": (1.5, 1.2),
    "left wrist": (1.25, 2.1), "left eye": (0.27, -1.86), "left ear": (0.82, -1.7), "chin": (0, -0.72),
    "nose bridge 0": (0, -1.9), "nose tip": (0, -1.5), "left nostril 0": (0.16, -1.4),
    "upper lip": (0, -1.2), "lower lip": (0, -1.0), "left lip corner": (0.27, -1.1),
    "left eye inner corner": (0.17, -1.86), "left eye outer corner": (0.45, -1.88),
    "throat": (0, -0.5), "mid spine": (0, 1.3), "mid hip": (0, 2.4), "left hip": (0.5, 2.5), "left knee": (0.55, 3.1),
    "left ankle": (0.55, 3.6), "left foot": (0.75, 3.8), "left hand palm": (1.2, 2.6),
}  # fmt: skip
_POSE |= {f"left jaw {i}": (0.75 * np.cos(_ARC[i]), -1.75 + 1.03 * np.sin(_ARC[i])) for i in range(8)}
_POSE |= {f"left brow {i}": (0.6 - 0.11 * i, -2.1 - 0.1 * np.sin(np.pi * i / 4)) for i in range(5)}
_FINGERS = {"thumb": (-62, 1.0), "index": (-26, 1.5), "middle": (-5, 1.6), "ring": (15, 1.5), "little": (37, 1.3)}
_HAND = np.array((1.2, 2.35))
_POSE["left hand wrist"] = tuple(_HAND)
for _finger, (_degrees, _reach) in _FINGERS.items():
    _direction = np.array((np.sin(np.radians(_degrees)), np.cos(np.radians(_degrees))))
    for _joint, _share in (("1", 0.45), ("2", 0.66), ("3", 0.84), ("tip", 1.0)):
        _POSE[f"left {_finger} {_joint}"] = tuple(_HAND + _direction * _reach * _share)
# The rest of a face, on the head of the figure, and of other layouts.
_POSE = (
    {
        f"left {name.removeprefix('right ')}": (0.85 * -x, 0.8 * y - 1.7)
        for name, (x, y) in FACE.items()
        if name.startswith("right ")
    }
    | {name: (0, 0.8 * y - 1.7) for name, (x, y) in FACE.items() if not x}
    | _POSE
)
_POSE |= {
    "head top": (0, -2.35), "left big toe": (0.85, 3.95), "left small toe": (1.0, 3.9), "left heel": (0.5, 3.75),
    "left thumb 3": (0.85, 2.5), "left index 1": (1.1, 2.65), "left little 1": (1.45, 2.6),
}  # fmt: skip


def _position(name: str) -> tuple[float, float]:
    if name.startswith("right "):
        x, y = _POSE[f"left {name.removeprefix('right ')}"]
        return -x, y
    return _POSE[name]


def draw_selections(path: Path | str, names: Sequence[str] = SELECTIONS, columns: int = len(SELECTIONS)) -> None:
    """Draw the joints (with their positions in the selection) and limbs of each selection side by side, as a PNG.

    A selection may be all points of a layout.
    """
    rows = -(-len(names) // columns)
    figure = Figure(figsize=(8 * columns, 13 * rows), layout="constrained", dpi=72 if rows == 1 else 40)
    FigureCanvasAgg(figure)
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for panel, name in zip(panels, names, strict=False):
        _draw(panel, selection_named(name))
    for panel in panels[len(names) :]:
        panel.axis("off")
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png")


def _draw(panel, selection: Selection) -> None:
    places = np.array([_position(name) for name in selection.joints])
    sides = [name.split()[0] if name.split()[0] in COLOURS else "" for name in selection.joints]
    for a, b in selection.edges:
        side = sides[a] or sides[b]
        panel.plot(*places[[a, b]].T, color=COLOURS[side], linewidth=2, alpha=0.6, zorder=1)
    panel.scatter(*places.T, c=[COLOURS[side] for side in sides], s=28, zorder=2)
    for joint, (place, side) in enumerate(zip(places, sides, strict=True)):
        outwards = -1 if side == "right" else 1
        away = (-4 * outwards, 5) if "thumb" in selection.joints[joint] else (6 * outwards, 2)
        anchor = "right" if away[0] < 0 else "left"
        panel.annotate(str(joint), place, away, textcoords="offset points", fontsize=10, ha=anchor)
    layouts = {layout.name: layout for layout in complete_layouts(selection)}
    layout = layouts.get(selection.name) or layouts.get("openpose_137") or next(iter(layouts.values()))
    indices = " ".join(map(str, selection.columns(layout)))
    caption = (
        selection.source
        if selection.name in LAYOUT_NAMES
        else f"{selection.source}. Of the {layout.points} points of {layout.title}: {indices}"
    )
    panel.set_title(
        f"selection {selection.name}: {len(selection.joints)} joints, {len(selection.edges)} limbs", size=18
    )
    panel.set_xlabel(textwrap.fill(caption, 80), size=11)
    panel.set_aspect("equal")
    panel.set_xlim(-2.4, 2.4)  # the same in every panel, so that a joint is in the same place
    panel.set_ylim(4.1, -2.4)
    panel.set_xticks([])
    panel.set_yticks([])
    for line in panel.spines.values():
        line.set_visible(False)
    for y, side in enumerate(("right", "left")):
        panel.text(
            0.02, 0.98 - 0.03 * y, f"the person's {side}", color=COLOURS[side], size=12, transform=panel.transAxes
        )


if __name__ == "__main__":
    draw_selections(sys.argv[1])
    draw_selections(sys.argv[2], [name for name in LAYOUT_NAMES if name != "ntu_25"], columns=4)
