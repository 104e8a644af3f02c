"""Selections of keypoints for networks, with their limbs and mirror pairs, and how they are cut out of recordings."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np

from ..errors import InputError, UnusableClip

log = logging.getLogger(__name__)

BOTH_HANDS = 0.1  # least fraction of frames with both hands that is needed to detect swapped hands
LATE_ROWS = 5  # rows by which a skeleton file may be shorter than its video; with more missing, a clip is unusable

# Names of the points in the order of each file layout; left and right are the person's own (OpenPose:
# doc/02_output.md of CMU-Perceptual-Computing-Lab/openpose).
_ARMS = ("nose", "neck", "right shoulder", "right elbow", "right wrist", "left shoulder", "left elbow", "left wrist")
_BODY_25 = (
    *_ARMS,
    *("mid hip", "right hip", "right knee", "right ankle", "left hip", "left knee", "left ankle"),
    *("right eye", "left eye", "right ear", "left ear"),
    *("left big toe", "left small toe", "left heel", "right big toe", "right small toe", "right heel"),
)
_COCO_18 = (
    *_ARMS,
    *("right hip", "right knee", "right ankle", "left hip", "left knee", "left ankle"),
    *("right eye", "left eye", "right ear", "left ear"),
)
_FINGERS = ("thumb", "index", "middle", "ring", "little")
_HAND_21 = ("hand wrist", *(f"{finger} {joint}" for finger in _FINGERS for joint in (1, 2, 3, "tip")))
# A Kinect's Head is the centre of the head, which no other layout has; it is named as the nose, which is nearest and at
# the same place when seen from the front. Its SpineShoulder is between the shoulders, like OpenPose's neck, and its own
# Neck is above that. Its HandTip is the tip of the longest finger. The order is that of JointType in the Kinect for
# Windows SDK 2.0.
_KINECT_ARM = ("shoulder", "elbow", "wrist", "hand palm")
_KINECT_25 = (
    *("mid hip", "mid spine", "throat", "nose"),
    *(f"{side} {name}" for side in ("left", "right") for name in _KINECT_ARM),
    *(f"{side} {name}" for side in ("left", "right") for name in ("hip", "knee", "ankle", "foot")),
    *("neck", "left middle tip", "left thumb tip", "right middle tip", "right thumb tip"),
)
_TIPS_5 = tuple(f"{finger} tip" for finger in _FINGERS)


def _sided(side: str, names: Sequence[str]) -> tuple[str, ...]:
    return tuple(f"{side} {name}" for name in names)


_EYE = (
    "eye outer corner",
    "eye upper outer",
    "eye upper inner",
    "eye inner corner",
    "eye lower inner",
    "eye lower outer",
)
_FACE_70 = (
    *(f"right jaw {i}" for i in range(8)), "chin", *(f"left jaw {i}" for i in reversed(range(8))),
    *(f"right brow {i}" for i in range(5)), *(f"left brow {i}" for i in reversed(range(5))),
    "nose bridge 0", "nose bridge 1", "nose bridge 2", "nose tip",
    "right nostril 0", "right nostril 1", "nose base", "left nostril 1", "left nostril 0",
    *_sided("right", _EYE), *_sided("left", (*reversed(_EYE[:4]), *reversed(_EYE[4:]))),
    "right lip corner", "right upper lip 0", "right upper lip 1", "upper lip",
    "left upper lip 1", "left upper lip 0", "left lip corner",
    "left lower lip 0", "left lower lip 1", "lower lip", "right lower lip 1", "right lower lip 0",
    "right inner lip corner", "right inner upper lip", "inner upper lip", "left inner upper lip",
    "left inner lip corner", "left inner lower lip", "inner lower lip", "right inner lower lip",
    "right pupil", "left pupil",
)  # fmt: skip

# Number of points in a file -> names of the points.
LAYOUTS: dict[int, tuple[str, ...]] = {
    137: (*_BODY_25, *_FACE_70, *_sided("left", _HAND_21), *_sided("right", _HAND_21)),  # iMiGUE's OpenPose tables
    35: (*_BODY_25, *_sided("left", _TIPS_5), *_sided("right", _TIPS_5)),  # iMiGUE's light_hand files
    28: (*_COCO_18, *_sided("left", _TIPS_5), *_sided("right", _TIPS_5)),  # MA-52's OpenPose release
    25: _KINECT_25,  # SMG's Kinect v2, the only layout that also has metres
}
LAYOUT_FILES = {137: "OpenPose-137", 35: "light_hand", 28: "MA-52's 28-point files", 25: "SMG's Kinect files"}
KINECT = 25

Edge = tuple[int, int]


def mirrored_name(name: str) -> str:
    """Return the name of the joint on the other side of the body; a joint on the midline keeps its name."""
    side, _, rest = name.partition(" ")
    return f"{ {'left': 'right', 'right': 'left'}[side] } {rest}".strip() if side in ("left", "right") else name


@dataclass(frozen=True)
class Selection:
    """The joints in a network's input, in order, and the limbs between them.

    ``joints`` are names from ``LAYOUTS``; ``edges`` are the limbs, as pairs of positions in ``joints``.
    """

    name: str
    joints: tuple[str, ...]
    edges: tuple[Edge, ...]
    source: str

    @cached_property
    def indices(self) -> dict[int, tuple[int, ...]]:
        """For each layout (by its number of points) that has all the joints: their positions in a row of a file."""
        complete = {size: names for size, names in LAYOUTS.items() if set(self.joints) <= set(names)}
        return {size: tuple(map(names.index, self.joints)) for size, names in complete.items()}

    def columns(self, points: int) -> tuple[int | None, ...] | None:
        """Return the positions of the joints in a row of a layout, or None if the layout lacks some.

        A Kinect, which has fewer joints than all others, may lack up to half of them; the position of each missing
        joint is None.
        """
        if points in self.indices or points != KINECT:
            return self.indices.get(points)
        names = LAYOUTS[points]
        found = tuple(names.index(name) if name in names else None for name in self.joints)
        return found if 2 * found.count(None) <= len(found) else None

    @cached_property
    def flip(self) -> tuple[int, ...]:
        """For each joint the position of its mirror image; its own on the midline, or if that is not selected."""
        others = (mirrored_name(name) for name in self.joints)
        return tuple(self.joints.index(name) if name in self.joints else i for i, name in enumerate(others))


def _named(size: int, indices: Sequence[int]) -> tuple[str, ...]:
    return tuple(LAYOUTS[size][index] for index in indices)


def _chain(*names: str) -> list[tuple[str, str]]:
    return list(pairwise(names))


_INDICES_36 = (
    *range(8), 15, 16, 17, 18, 27, 29, 33, 37, 39, 44, 49, 52, 73, 76, 79, 82,
    95, 99, 103, 107, 111, 115, 116, 120, 124, 128, 132, 136,
)  # fmt: skip
_EDGES_36 = (
    (0, 1), (0, 8), (8, 10), (0, 9), (9, 11), (19, 17), (19, 18), (17, 12), (12, 13), (13, 14), (18, 16), (16, 15),
    (15, 14), (20, 21), (21, 22), (22, 23), (23, 20), (1, 2), (2, 3), (3, 4), (1, 5), (5, 6), (6, 7),
    (4, 30), (30, 31), (30, 32), (30, 33), (30, 34), (30, 35), (7, 24), (24, 25), (24, 26), (24, 27), (24, 28),
    (24, 29), (0, 19),
)  # fmt: skip
_INDICES_22 = (*range(8), 15, 16, 17, 18, 99, 103, 107, 111, 115, 120, 124, 128, 132, 136)
_EDGES_22 = (
    (0, 1), (1, 2), (2, 3), (3, 4), (1, 5), (5, 6), (6, 7), (0, 8), (8, 10), (0, 9), (9, 11),
    (7, 12), (7, 13), (7, 14), (7, 15), (7, 16), (4, 17), (4, 18), (4, 19), (4, 20), (4, 21),
)  # fmt: skip

_EDGES_25 = (
    (3, 2), (2, 20), (20, 1), (1, 0), (0, 12), (12, 13), (13, 14), (14, 15), (0, 16), (16, 17), (17, 18), (18, 19),
    (20, 4), (4, 5), (5, 6), (6, 7), (7, 21), (7, 22), (20, 8), (8, 9), (9, 10), (10, 11), (11, 23), (11, 24),
)  # fmt: skip


def hand_in_order(side: str) -> list[str]:
    """Return the wrist, then up one finger and down the next, so that neighbours in the order are so in the hand."""
    order = ["hand wrist"]
    for number, finger in enumerate(_FINGERS):
        joints = [f"{finger} {joint}" for joint in (1, 2, 3, "tip")]
        order += joints[::-1] if number % 2 else joints
    return [f"{side} {name}" for name in order]


def _hand_edges(side: str) -> list[tuple[str, str]]:
    fingers = [_chain("hand wrist", *(f"{finger} {joint}" for joint in (1, 2, 3, "tip"))) for finger in _FINGERS]
    return [(f"{side} {a}", f"{side} {b}") for finger in fingers for a, b in finger]


def _ours(name: str, joints: Sequence[str], pairs: Sequence[tuple[str, str]], what: str) -> Selection:
    edges = tuple((joints.index(a), joints.index(b)) for a, b in pairs)
    return Selection(name, tuple(joints), edges, f"ours: {what}")


def _selection_68() -> Selection:
    arm = ("shoulder", "elbow", "wrist")
    right, left = _sided("right", arm), _sided("left", arm)
    brows = ("right brow 0", "right brow 4", "left brow 4", "left brow 0")
    left_eye = ("left eye outer corner", "left eye inner corner")
    right_eye = ("right eye inner corner", "right eye outer corner")
    nose = ("right nostril 0", "nose tip", "left nostril 0")
    lips = ("left lip corner", "upper lip", "right lip corner", "lower lip")
    jaw = ("right jaw 4", "chin", "left jaw 4")
    joints = (
        *reversed(hand_in_order("right")), *reversed(right), "neck", *left, *hand_in_order("left"),
        *brows, *left_eye, "nose bridge 0", *right_eye, *nose, *lips, *jaw,
    )  # fmt: skip
    pairs = [
        *_chain("neck", *right, "right hand wrist"), *_hand_edges("right"),
        *_chain("neck", *left, "left hand wrist"), *_hand_edges("left"),
        *_chain("right brow 0", "right brow 4", "nose bridge 0", "left brow 4", "left brow 0"),
        *_chain(*left_eye, "nose bridge 0", *right_eye),
        ("nose bridge 0", "nose tip"), *_chain(*nose), ("nose tip", "upper lip"),
        *_chain(*lips, lips[0]), ("lower lip", "chin"), *_chain(*jaw), ("chin", "neck"),
    ]  # fmt: skip
    what = "7 body, 42 hand and 19 facial points; the order follows the body, for convolutions over joints"
    return _ours("68", joints, pairs, what)


_RIGHT_HAND, _LEFT_HAND = hand_in_order("right"), hand_in_order("left")
_RIGHT_EDGES, _LEFT_EDGES = _hand_edges("right"), _hand_edges("left")


SELECTIONS: dict[str, Selection] = {
    selection.name: selection
    for selection in (
        _ours(
            *("21", _RIGHT_HAND, _RIGHT_EDGES),
            "the right hand alone, for gestures of its fingers; mirrored it is a left hand in its place",
        ),
        Selection("22", _named(137, _INDICES_22), _EDGES_22, "VUT-HFUT/MiGA2023_Track1, winner of MiGA 2023"),
        Selection("36", _named(137, _INDICES_36), _EDGES_36, "momiji-bit/MM-Gesture (arXiv 2507.08344), MiGA 2025"),
        _ours(
            *("42", [*reversed(_RIGHT_HAND), *_LEFT_HAND], [*_RIGHT_EDGES, *_LEFT_EDGES]),
            "both hands in full, for gestures of the fingers alone",
        ),
        _selection_68(),
        Selection("25", _KINECT_25, _EDGES_25, "all joints of Kinect v2, as SMG has them (H2OFormer's graph)"),
    )
}


def selection_named(name: str) -> Selection:
    """Return the selection with this name; raises ``InputError`` if there is none."""
    if name not in SELECTIONS:
        raise InputError(f"there is no keypoint selection '{name}'; choose one of {', '.join(SELECTIONS)}")
    return SELECTIONS[name]


def present(keypoints_TVC: np.ndarray) -> np.ndarray:
    """Return which joints were found, bool (T, V): finite, with confidence above 0 and not at the origin."""
    x, y, confidence = np.moveaxis(in_picture(keypoints_TVC), -1, 0)
    return np.isfinite(keypoints_TVC).all(-1) & (confidence > 0) & ((x != 0) | (y != 0))


def in_picture(keypoints_TVC: np.ndarray) -> np.ndarray:
    """Return the part (T, V, 3) in the picture, x, y in pixels and confidence, of keypoints with or without metres."""
    return keypoints_TVC[..., :3]


def in_space(keypoints_TVC: np.ndarray) -> np.ndarray:
    """Return the part (T, V, 4) in space, x, y, z in metres and confidence, of keypoints (T, V, 6) with metres.

    x points to the right of the picture, y down and z away from the sensor.
    """
    return np.concatenate((keypoints_TVC[..., 3:], keypoints_TVC[..., 2:3]), -1)


def clean(keypoints_TVC: np.ndarray) -> np.ndarray:
    """Limit the confidence to [0, 1], and set each joint that was not found to (0, 0, 0)."""
    cleaned_TVC = keypoints_TVC.astype(np.float32)
    cleaned_TVC[..., 2] = cleaned_TVC[..., 2].clip(0, 1)
    cleaned_TVC[~present(cleaned_TVC)] = 0
    return cleaned_TVC


def hands_swapped(recording_TVC: np.ndarray) -> bool:
    """Whether the columns of the left and right hand of a recording are exchanged.

    A hand is near the body's wrist of the same side. In each frame with both hands and both wrists, the hands are
    swapped if the sum of the two distances is smaller the other way round; the majority of these frames decides. If
    they are less than a tenth of all frames, too few frames would decide, and the hands count as not swapped. The hands
    of a Kinect never count as swapped, because it finds them along the arms.
    """
    if recording_TVC.shape[1] == KINECT:
        return False
    names = LAYOUTS[recording_TVC.shape[1]]
    wrists_ST2 = np.stack([_centre(recording_TVC[:, [names.index(f"{side} wrist")]]) for side in ("left", "right")])
    hands_ST2 = np.stack([_centre(recording_TVC[:, _hand_anchor(names, side)]) for side in ("left", "right")])
    as_read = np.linalg.norm(wrists_ST2 - hands_ST2, axis=-1).sum(0)
    other_way = np.linalg.norm(wrists_ST2 - hands_ST2[::-1], axis=-1).sum(0)
    both_seen = np.isfinite(as_read)
    return bool(both_seen.any() and both_seen.mean() >= BOTH_HANDS and (other_way < as_read)[both_seen].mean() > 0.5)


def swap_hands(recording_TVC: np.ndarray) -> np.ndarray:
    """Exchange the points of the left and right hand of a recording; the body stays unchanged."""
    names = LAYOUTS[recording_TVC.shape[1]]
    hands = {name for side in ("left", "right") for name in _sided(side, _HAND_21)}
    return recording_TVC[:, [names.index(mirrored_name(name)) if name in hands else i for i, name in enumerate(names)]]


def _hand_anchor(names: Sequence[str], side: str) -> list[int]:
    """Return the hand's wrist, or its fingertips in a layout without that wrist."""
    anchor = [f"{side} hand wrist"] if f"{side} hand wrist" in names else _sided(side, _TIPS_5)
    return [names.index(name) for name in anchor]


def _centre(points_TVC: np.ndarray) -> np.ndarray:
    """Return the mean (x, y) of the points found in each frame, (T, 2); NaN in frames without any."""
    found_TV = present(points_TVC)
    total = np.where(found_TV[..., None], points_TVC[..., :2], 0).sum(1, dtype=np.float64)
    count = found_TV.sum(1)[:, None]
    return np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0)


def hands_put_right(recording_TVC: np.ndarray, file: str) -> np.ndarray:
    """Exchange the hands of a recording if they are swapped, with a warning that names its file."""
    if recording_TVC.shape[1] in LAYOUTS and hands_swapped(recording_TVC):
        log.warning("%s: the left and right hand are swapped (each is at the other wrist); corrected", file)
        return swap_hands(recording_TVC)
    return recording_TVC


def cut_clip(recording_TVC: np.ndarray, rows_T: Sequence[int], selection: Selection, file: str) -> np.ndarray:
    """Return a selection's joints in some rows of a recording, in order, cleaned, float32 (T, V, 3 or 6).

    If the recording ends up to 5 rows early, its last row is repeated. Raises ``UnusableClip`` if it ends earlier, has
    a layout without these joints, or has a value that is not a number.
    """
    rows, points = recording_TVC.shape[:2]
    if points not in LAYOUTS:
        raise UnusableClip(f"{file} has {points} points in a row; files may have {', '.join(map(str, LAYOUTS))} points")
    columns = selection.columns(points)
    if columns is None:
        raise UnusableClip(
            f"selection {selection.name} needs points that {LAYOUT_FILES[points]} lack ({file}); use selection 22"
        )
    late = rows_T[-1] + 1 - rows
    if rows_T[0] >= rows or late > LATE_ROWS:
        raise UnusableClip(f"{file} has {rows} rows, but the clip needs rows {rows_T[0]} to {rows_T[-1]}")
    if late > 0:
        log.warning("%s ends %d rows before the end of a clip; its last row is repeated", file, late)
    rows_T = np.minimum(rows_T, rows - 1)
    clip_TVC = recording_TVC[rows_T]
    if not np.isfinite(clip_TVC).all():
        frame, point, axis = np.argwhere(~np.isfinite(clip_TVC))[0]
        column = 3 * point + axis + (points == 35)  # the first column of light_hand files is a row number
        raise UnusableClip(
            f"{file}, row {rows_T[frame]}, column {column} ({('x', 'y', 'confidence')[axis]} of "
            f"{LAYOUTS[points][point]}, counted from 0) is {clip_TVC[frame, point, axis]}"
        )
    chosen_TVC = np.zeros((len(rows_T), len(columns), clip_TVC.shape[-1]), clip_TVC.dtype)
    there = [joint for joint, column in enumerate(columns) if column is not None]
    chosen_TVC[:, there] = clip_TVC[:, [columns[joint] for joint in there]]
    return clean(chosen_TVC)
