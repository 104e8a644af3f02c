"""The joints of a selection, cleaned and cut out of the skeletons of recordings."""

import logging
from collections.abc import Sequence

import numpy as np

from ..errors import UnusableClip
from .layouts import Layout, Skeleton, mirrored_name
from .selections import FINGERS, Selection, advice

log = logging.getLogger(__name__)

BOTH_HANDS = 0.1  # least fraction of frames with both hands that is needed to detect swapped hands
CHANNELS = ("x", "y", "confidence", "x in space", "y in space", "z in space")
VIEW = 1000  # pixels of the longer side of the front view of points in space
LATE_ROWS = 5  # rows by which a skeleton file may be shorter than its video; with more missing, a clip is unusable


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


def from_space(space_TVC: np.ndarray, up: str) -> np.ndarray:
    """Convert points in space (T, V, 4), x, y, z and confidence, to keypoints (T, V, 6) with a view from the front.

    ``up`` is the axis that points up: "y", "-y" or "z". The view has x to the right and y down; its longer side is from
    1 to ``VIEW`` + 1, as if in pixels. A joint with a value that is not a number, or without confidence, is missing.
    """
    x, y, z, confidence = np.moveaxis(space_TVC, -1, 0)
    down, away = {"y": (-y, z), "-y": (y, z), "z": (-z, y)}[up]
    placed_TV3 = np.stack((x, down, away), -1)
    found_TV = np.isfinite(space_TVC).all(-1) & (confidence > 0)
    keypoints_TVC = np.zeros((*found_TV.shape, 6), np.float32)
    if found_TV.any():
        seen_N2 = placed_TV3[found_TV][:, :2].astype(np.float64)
        low_2 = seen_N2.min(0)
        keypoints_TVC[found_TV, :2] = 1 + (seen_N2 - low_2) * (VIEW / ((seen_N2 - low_2).max() or 1))
        keypoints_TVC[found_TV, 2] = confidence[found_TV]
        keypoints_TVC[found_TV, 3:] = placed_TV3[found_TV]
    return keypoints_TVC


def clean(keypoints_TVC: np.ndarray) -> np.ndarray:
    """Limit the confidence to [0, 1], and set each joint that was not found to (0, 0, 0)."""
    cleaned_TVC = keypoints_TVC.astype(np.float32)
    cleaned_TVC[..., 2] = cleaned_TVC[..., 2].clip(0, 1)
    cleaned_TVC[~present(cleaned_TVC)] = 0
    return cleaned_TVC


def hands_swapped(skeleton: Skeleton) -> bool:
    """Whether the columns of the left and right hand of a recording are exchanged.

    A hand is near the body's wrist of the same side. In each frame with both hands and both wrists, the hands are
    swapped if the sum of the two distances is smaller the other way round; the majority of these frames decides. If
    they are less than a tenth of all frames, too few frames would decide, and the hands count as not swapped, as those
    of a layout without hands or wrists do.
    """
    names = skeleton.layout.names
    anchors = [_hand_anchor(names, side) for side in ("left", "right")]
    if not all(anchors) or not {"left wrist", "right wrist"} <= set(names):
        return False
    recording_TVC = skeleton.keypoints_TVC
    wrists_ST2 = np.stack([_centre(recording_TVC[:, [names.index(f"{side} wrist")]]) for side in ("left", "right")])
    hands_ST2 = np.stack([_centre(recording_TVC[:, anchor]) for anchor in anchors])
    as_read = np.linalg.norm(wrists_ST2 - hands_ST2, axis=-1).sum(0)
    other_way = np.linalg.norm(wrists_ST2 - hands_ST2[::-1], axis=-1).sum(0)
    both_seen = np.isfinite(as_read)
    return bool(both_seen.any() and both_seen.mean() >= BOTH_HANDS and (other_way < as_read)[both_seen].mean() > 0.5)


def swap_hands(skeleton: Skeleton) -> Skeleton:
    """Exchange the points of the left and right hand of a recording; the body stays unchanged."""
    names = skeleton.layout.names
    order = [names.index(mirrored_name(name)) if _in_hand(name) else i for i, name in enumerate(names)]
    return skeleton._replace(keypoints_TVC=skeleton.keypoints_TVC[:, order])


def _in_hand(name: str) -> bool:
    return name.partition(" ")[2].startswith(("hand wrist", *FINGERS))


def _hand_anchor(names: Sequence[str], side: str) -> list[int]:
    """Return the hand's wrist, or the tips of its fingers in a layout without that wrist; none if one is missing."""
    anchor = [f"{side} hand wrist"] if f"{side} hand wrist" in names else [f"{side} {name} tip" for name in FINGERS]
    return [names.index(name) for name in anchor] if set(anchor) <= set(names) else []


def _centre(points_TVC: np.ndarray) -> np.ndarray:
    """Return the mean (x, y) of the points found in each frame, (T, 2); NaN in frames without any."""
    found_TV = present(points_TVC)
    total = np.where(found_TV[..., None], points_TVC[..., :2], 0).sum(1, dtype=np.float64)
    count = found_TV.sum(1)[:, None]
    return np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0)


def hands_put_right(skeleton: Skeleton, file: str) -> Skeleton:
    """Exchange the hands of a recording if they are swapped, with a warning that names its file."""
    if hands_swapped(skeleton):
        log.warning("%s: the left and right hand are swapped (each is at the other wrist); corrected", file)
        return swap_hands(skeleton)
    return skeleton


def cut_clip(skeleton: Skeleton, rows_T: Sequence[int], selection: Selection, file: str) -> np.ndarray:
    """Return a selection's joints in some rows of a recording, in order, cleaned, float32 (T, V, 3 or 6).

    If the recording ends up to 5 rows early, its last row is repeated. Raises ``UnusableClip`` if it ends earlier, has
    a layout without these joints, or has a value that is not a number.
    """
    recording_TVC, layout = skeleton.keypoints_TVC, skeleton.layout
    rows = len(recording_TVC)
    columns = selection.columns(layout)
    if columns is None:
        raise UnusableClip(_lacking(selection, layout, file))
    late = rows_T[-1] + 1 - rows
    if rows_T[0] >= rows or late > LATE_ROWS:
        raise UnusableClip(f"{file} has {rows} rows, but the clip needs rows {rows_T[0]} to {rows_T[-1]}")
    if late > 0:
        log.warning("%s ends %d rows before the end of a clip; its last row is repeated", file, late)
    rows_T = np.minimum(rows_T, rows - 1)
    clip_TVC = recording_TVC[rows_T]
    if not np.isfinite(clip_TVC).all():
        frame, point, axis = np.argwhere(~np.isfinite(clip_TVC))[0]
        raise UnusableClip(
            f"{file}, row {rows_T[frame]} (from 0): {CHANNELS[axis]} of {layout.names[point]} is "
            f"{clip_TVC[frame, point, axis]}"
        )
    chosen_TVC = np.zeros((len(rows_T), len(columns), clip_TVC.shape[-1]), clip_TVC.dtype)
    there = [joint for joint, column in enumerate(columns) if column is not None]
    chosen_TVC[:, there] = clip_TVC[:, [columns[joint] for joint in there]]
    return clean(chosen_TVC)


def _lacking(selection: Selection, layout: Layout, file: str) -> str:
    missing = selection.lacking(layout)
    named = ", ".join(missing[:5]) + (f" and {len(missing) - 5} more" if len(missing) > 5 else "")
    return f"{file} ({layout.title}) lacks {named} of selection {selection.name}; {advice(layout)}"
