"""Draw which points of MediaPipe become which of OpenPose-137: ``python docs/pose_mapping.py docs/pose_mapping.png``.

The mapping follows from the names in both layouts, in ``tables/layouts``. This script only sets where each point is
drawn.
"""

import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from microgesture.pose.mapping import Origin, origins
from microgesture.skeletons.layouts import layout_named
from microgesture.storage.files import replacing

Places = Mapping[str, tuple[float, float]]
NAMES = layout_named("openpose_137").names
COLOURS = {"left": "#d1495b", "right": "#00798c", "": "#444444"}
MISSING = "#bbbbbb"
_ARC = np.linspace(0, np.pi, 17)

# Points of the midline and of the person's right side, which is on the left of the picture; x to the right, y down.
BODY = {
    "nose": (0, -1.62), "right eye": (-0.16, -1.8), "right ear": (-0.4, -1.66), "neck": (0, -1.0),
    "right shoulder": (-0.62, -0.95), "right elbow": (-0.9, -0.2), "right wrist": (-1.0, 0.5),
    "mid hip": (0, 0.55), "right hip": (-0.34, 0.6), "right knee": (-0.4, 1.5), "right ankle": (-0.4, 2.3),
    "right heel": (-0.3, 2.5), "right big toe": (-0.42, 2.75), "right small toe": (-0.75, 2.6),
}  # fmt: skip
FACE = {
    "chin": (0, 1.15), "nose bridge 0": (0, -0.3), "nose bridge 1": (0, -0.1), "nose bridge 2": (0, 0.1),
    "nose tip": (0, 0.28), "right nostril 0": (-0.24, 0.4), "right nostril 1": (-0.12, 0.47), "nose base": (0, 0.47),
    "right eye outer corner": (-0.66, -0.24), "right eye upper outer": (-0.54, -0.35),
    "right eye upper inner": (-0.38, -0.35), "right eye inner corner": (-0.26, -0.22),
    "right eye lower inner": (-0.38, -0.13), "right eye lower outer": (-0.54, -0.13), "right pupil": (-0.46, -0.24),
    "right lip corner": (-0.46, 0.77), "right upper lip 0": (-0.3, 0.67), "right upper lip 1": (-0.14, 0.6),
    "upper lip": (0, 0.63), "right lower lip 0": (-0.3, 0.9), "right lower lip 1": (-0.14, 0.98), "lower lip": (0, 1.0),
    "right inner lip corner": (-0.36, 0.78), "right inner upper lip": (-0.17, 0.73), "inner upper lip": (0, 0.74),
    "right inner lower lip": (-0.17, 0.84), "inner lower lip": (0, 0.86),
}  # fmt: skip
FACE |= {f"right jaw {i}": (-np.cos(_ARC[i]), -0.2 + 1.35 * np.sin(_ARC[i])) for i in range(8)}
FACE |= {f"right brow {i}": (-0.8 + 0.155 * i, -0.55 - 0.12 * np.sin(np.pi * i / 4)) for i in range(5)}
HAND = {"hand wrist": (0.0, 0.0)}
for _finger, (_degrees, _reach) in {
    "thumb": (-55, 1.0), "index": (-20, 1.5), "middle": (0, 1.6), "ring": (17, 1.5), "little": (34, 1.25),
}.items():  # fmt: skip
    for _joint, _share in (("1", 0.42), ("2", 0.63), ("3", 0.82), ("tip", 1.0)):
        _angle = np.radians(_degrees)
        HAND[f"{_finger} {_joint}"] = (_share * _reach * np.sin(_angle), -_share * _reach * np.cos(_angle))


def _with_left(places: Places) -> Places:
    left = {name.replace("right", "left", 1): (-x, y) for name, (x, y) in places.items() if name.startswith("right")}
    return {**places, **left}


def _panel(panel: Axes, places: Places, title: str, size: float) -> None:
    for position, origin in enumerate(origins()):
        if origin.name in places:
            _point(panel, places[origin.name], origin, str(position), size)
    _finish(panel, title)


def _point(panel: Axes, place: tuple[float, float], origin: Origin, position: str, size: float) -> None:
    side = origin.name.partition(" ")[0]
    colour = COLOURS.get(side, COLOURS[""]) if origin.part else MISSING
    source = ", ".join(map(str, origin.of)) if origin.part else "none"
    panel.plot(*place, "o", color=colour, markersize=5)
    offset = {"textcoords": "offset points", "fontsize": size, "ha": "center"}
    panel.annotate(position, place, (0, 5), color="#777777", va="bottom", **offset)
    panel.annotate(source, place, (0, -5), color=colour, va="top", fontweight="bold", **offset)


def _finish(panel: Axes, title: str) -> None:
    panel.set_title(title, fontsize=13)
    panel.set_aspect("equal")
    panel.margins(0.08)
    panel.invert_yaxis()
    panel.axis("off")


def _hands(panel: Axes) -> None:
    for origin in origins():
        side, _, name = origin.name.partition(" ")
        if side == "right" and name in HAND:
            numbers = (NAMES.index(f"{one} {name}") for one in ("left", "right"))
            unsided = Origin(name, origin.part, origin.of)
            _point(panel, HAND[name], unsided, "\N{MIDDLE DOT}".join(map(str, numbers)), 9)
    _finish(panel, "hands: 21 points, numbered alike\n(left hand \N{MIDDLE DOT} right hand)")


def draw(path: Path) -> None:
    """Draw body, face and a hand side by side, as a PNG."""
    figure = Figure(figsize=(20, 10), layout="constrained", dpi=75)
    FigureCanvasAgg(figure)
    body, face, hand = figure.subplots(1, 3, width_ratios=(1, 1.7, 1))
    _panel(body, _with_left(BODY), "body: 25 from 33 points", 10)
    _panel(face, _with_left(FACE), "face: 70 from 478 points", 9)
    _hands(hand)
    figure.suptitle(
        "Grey above: the number in OpenPose-137. Bold below: MediaPipe's, two where it is their mean. "
        "Red is the person's own left, blue the right.",
        fontsize=13,
    )
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png")


if __name__ == "__main__":
    draw(Path(sys.argv[1]))
