"""Skeleton depth: nearness estimated from the 2-D keypoints alone, by the foreshortening of limbs and by occlusion.

A limb that looks shorter than it is points at the camera. This depth is not a measurement of the scene.
"""

from itertools import pairwise

import cv2
import numba
import numpy as np

from ..errors import InputError
from ..skeletons.keypoints import present
from ..skeletons.selections import Selection
from ..videos.person_box import Box

# Half thickness of a limb, by the joint it leads to, and distances along the viewing direction, in shoulder widths.
RADII = {"shoulder": 0.13, "elbow": 0.13, "hand wrist": 0.08, "wrist": 0.1, "": 0.04}
HEAD_RADIUS, HEAD_HALF_LENGTH, NECK_RADIUS = 0.27, 0.1, 0.12
HEAD_NEARNESS, TORSO_NEARNESS, BACKGROUND_GAP = -0.2, -0.1, 0.5
TORSO_LENGTH, WAIST = 1.5, 0.8
FOREARM_LEAN = 0.3  # of its length: how far the forearm of a seated person reaches forward at least
BELOW = ("spine", "mid hip", "right hip", "left hip", "knee", "ankle", "foot")  # joints that are not rendered
LONGEST_GAP = 5  # frames over which a missing joint is interpolated
SMOOTHING = 5  # frames over which a limb's length is averaged, because the square root below amplifies noise


class SkeletonDepth:
    """The skeleton backend, for keypoints of one selection; raises ``InputError`` if the selection has no neck."""

    def __init__(self, selection: Selection) -> None:
        if "neck" not in selection.joints:
            raise InputError(f"skeleton depth needs the neck, which selection {selection.name} lacks; use 22, 36 or 68")
        self.selection = selection

    def __call__(self, clip: tuple, keypoints_TVC: np.ndarray | None, box: Box, size: int) -> np.ndarray:
        return skeleton_depth(keypoints_TVC, self.selection, box, size)


def skeleton_depth(keypoints_TVC: np.ndarray, selection: Selection, box: Box, size: int) -> np.ndarray:
    """Compute the skeleton depth of a clip: nearness float32 (T, h, w), in source pixels, larger is nearer.

    Keypoints (T, V, 3) are as the keypoints stage writes them; ``box`` and ``size`` are as for ``videos.reading.crop``.
    A limb whose longest visible length in the clip is L and whose length in this frame is l reaches sqrt(L^2 - l^2)
    towards the camera, because the hands and forearms of a seated person are in front of the body; these distances are
    summed from the neck outwards. Limbs are rendered as round bars, the head as a ball and the torso as a plane below
    the shoulders; the nearest covers what is behind it, and the background is farthest. A joint that is missing for up
    to 5 frames is interpolated; a joint missing for longer is not rendered, nor are the limbs that end in it.
    """
    keypoints_TVC = fill_short_gaps(keypoints_TVC, LONGEST_GAP)
    points_TV2 = np.where(present(keypoints_TVC)[..., None], keypoints_TVC[..., :2], np.nan).astype(np.float64)
    unit = _shoulder_width(points_TV2, selection)
    nearness_TV = joint_nearness(points_TV2, selection)
    width, height = box.resized(size)
    zoom = np.array([width / box.width, height / box.height])
    points_TV2 = (points_TV2 - (box.x, box.y) + 0.5) * zoom - 0.5
    bars_TNC = _bars(points_TV2, nearness_TV, selection, unit, zoom.mean())
    ends_TN2 = bars_TNC[..., [2, 5]]
    lowest = np.min(ends_TN2, where=np.isfinite(ends_TN2), initial=TORSO_NEARNESS * unit)
    depth_THW = np.full((len(points_TV2), height, width), lowest - BACKGROUND_GAP * unit, np.float32)
    for bars_NC, points_V2, depth_HW in zip(bars_TNC, points_TV2, depth_THW, strict=True):
        _draw_torso(points_V2, selection, TORSO_NEARNESS * unit, depth_HW)
        _draw_bars(bars_NC[np.isfinite(bars_NC).all(1)].astype(np.float32), np.float32(zoom.mean()), depth_HW)
    return depth_THW


def fill_short_gaps(keypoints_TVC: np.ndarray, longest: int) -> np.ndarray:
    """Interpolate the joints that are missing for up to ``longest`` frames from the frames before and after."""
    filled_TVC = keypoints_TVC.copy()
    for joint, seen_T in enumerate(present(keypoints_TVC).T):
        seen = np.flatnonzero(seen_T)
        for before, after in pairwise(seen):
            if 1 < after - before <= longest + 1:
                share = (np.arange(before + 1, after) - before)[:, None] / (after - before)
                ends = keypoints_TVC[before, joint], keypoints_TVC[after, joint]
                filled_TVC[before + 1 : after, joint] = (1 - share) * ends[0] + share * ends[1]
    return filled_TVC


def joint_nearness(points_TV2: np.ndarray, selection: Selection) -> np.ndarray:
    """Compute how much nearer than the neck each joint is, (T, V), in pixels; 0 for the joints of the head.

    Points (T, V, 2) are NaN where missing. A limb that is missing in a frame gets its median over the clip.
    """
    nearness_TV = np.zeros(points_TV2.shape[:2])
    lengths = {limb: _length(points_TV2, limb) for limb in arm_limbs(selection)}
    full = {limb: _quantile(length_T, 0.95) for limb, length_T in lengths.items()}
    for (parent, child), length_T in lengths.items():
        mirror = selection.flip[parent], selection.flip[child]
        reference = max(full[parent, child], full[mirror])  # both arms of a person are equally long
        forward_T = np.sqrt(np.maximum(reference**2 - length_T**2, 0))
        if selection.joints[child] in ("left wrist", "right wrist"):
            forward_T = np.fmax(forward_T, FOREARM_LEAN * reference)
        forward_T = np.where(np.isfinite(length_T), forward_T, _quantile(forward_T[np.isfinite(length_T)], 0.5))
        nearness_TV[:, child] = nearness_TV[:, parent] + forward_T
    return nearness_TV


def arm_limbs(selection: Selection) -> list[tuple[int, int]]:
    """Return the limbs of shoulders, arms and hands as (parent, child), from the neck outwards."""
    parts = (*RADII, "neck", "palm", "thumb", "index", "middle", "ring", "little")
    arms = {i for i, name in enumerate(selection.joints) if any(part and part in name for part in parts)}
    reached = [selection.joints.index("neck")]
    limbs = []
    for parent in reached:  # the list grows during the loop
        for edge in selection.edges:
            child = sum(edge) - parent
            if parent in edge and child in arms and child not in reached:
                limbs.append((parent, child))
                reached.append(child)
    return limbs


def _length(points_TV2: np.ndarray, limb: tuple[int, int]) -> np.ndarray:
    """Return the length of a limb in the image, (T,), smoothed over time; NaN where one of its ends is missing."""
    length_T = np.linalg.norm(points_TV2[:, limb[0]] - points_TV2[:, limb[1]], axis=-1)
    seen_T = np.isfinite(length_T)
    window = np.ones(SMOOTHING)
    total_T = np.convolve(np.where(seen_T, length_T, 0), window)[SMOOTHING // 2 :][: len(length_T)]
    count_T = np.convolve(seen_T, window)[SMOOTHING // 2 :][: len(length_T)]
    return np.where(seen_T, total_T / np.maximum(count_T, 1), np.nan)


def _quantile(values: np.ndarray, q: float) -> float:
    """Return the quantile of the values that are not NaN; 0 if there are none."""
    values = values[np.isfinite(values)]
    return float(np.quantile(values, q)) if len(values) else 0.0


def _shoulder_width(points_TV2: np.ndarray, selection: Selection) -> float:
    """Return the unit of thickness: the largest shoulder width, or two hand lengths if no frame has both shoulders."""
    shoulders = [selection.joints.index(f"{side} shoulder") for side in ("left", "right")]
    if width := _quantile(_extent(points_TV2[:, shoulders]), 0.95):
        return width
    tips = ("hand wrist", "thumb tip", "middle tip", "little tip")
    hands = [
        [selection.joints.index(f"{side} {tip}") for tip in tips if f"{side} {tip}" in selection.joints]
        for side in ("left", "right")
    ]
    return 2 * max(_quantile(_extent(points_TV2[:, hand]), 0.95) for hand in hands) or 1.0


def _extent(points_TV2: np.ndarray) -> np.ndarray:
    """Return the diagonal of the box around the points in each frame, (T,); NaN if one of them is missing."""
    return np.linalg.norm(np.ptp(points_TV2, axis=1), axis=-1)


def _bars(
    points_TV2: np.ndarray, nearness_TV: np.ndarray, selection: Selection, unit: float, zoom: float
) -> np.ndarray:
    """Return the bars of each frame, (T, N, 7): x, y, nearness of both ends, radius; NaN where a joint is missing."""
    ends_TV3 = np.concatenate([points_TV2, nearness_TV[..., None]], -1)
    limbs = arm_limbs(selection)
    radii = [next(r for part, r in RADII.items() if part in selection.joints[child]) for _, child in limbs]
    first = [ends_TV3[:, parent] for parent, _ in limbs]
    second = [ends_TV3[:, child] for _, child in limbs]

    centre_T2, up_T2 = _head(points_TV2, selection)
    half_T2 = up_T2 * HEAD_HALF_LENGTH * unit * zoom
    nearness_T1 = np.full((len(points_TV2), 1), HEAD_NEARNESS * unit)
    crown_T3, jaw_T3 = (np.concatenate([centre_T2 + sign * half_T2, nearness_T1], -1) for sign in (1, -1))
    neck_T3 = ends_TV3[:, selection.joints.index("neck")] + (0, 0, HEAD_NEARNESS * unit)
    first, second = [*first, crown_T3, jaw_T3], [*second, jaw_T3, neck_T3]
    radii_TN1 = np.broadcast_to(np.array([*radii, HEAD_RADIUS, NECK_RADIUS])[:, None], (len(points_TV2), len(first), 1))
    return np.concatenate([np.stack(first, 1), np.stack(second, 1), radii_TN1 * unit * zoom], -1)


def _head(points_TV2: np.ndarray, selection: Selection) -> tuple[np.ndarray, np.ndarray]:
    """Return the centre of the head and the direction to its crown, (T, 2) each; the centre is NaN without points."""
    arms = {joint for limb in arm_limbs(selection) for joint in limb}
    others = [joint for joint in range(len(selection.joints)) if joint not in arms]
    head = [joint for joint in others if not any(part in selection.joints[joint] for part in BELOW)]
    pairs = [joint for joint in head if selection.joints[joint].startswith("right ")]
    across_T2 = _mean(points_TV2[:, [selection.flip[joint] for joint in pairs]] - points_TV2[:, pairs])
    upright = np.array([0.0, -1.0])
    up_T2 = np.where(np.isfinite(across_T2), across_T2[:, ::-1] * (1, -1), upright)
    up_T2 /= np.maximum(np.linalg.norm(up_T2, axis=-1, keepdims=True), 1e-6)
    return _mean(points_TV2[:, head]), up_T2


def _mean(points_TV2: np.ndarray) -> np.ndarray:
    """Return the mean over the joints that are not missing, (T, 2); NaN in frames without any."""
    seen_TV1 = np.isfinite(points_TV2).all(-1, keepdims=True)
    total_T2, count_T1 = np.where(seen_TV1, points_TV2, 0).sum(1), seen_TV1.sum(1)
    return np.where(count_T1 > 0, total_T2 / np.maximum(count_T1, 1), np.nan)


def _draw_torso(points_V2: np.ndarray, selection: Selection, nearness: float, depth_HW: np.ndarray) -> None:
    """Render a plane from the shoulders down, narrower at the waist; nothing if a shoulder is missing."""
    right, left = (points_V2[selection.joints.index(f"{side} shoulder")] for side in ("right", "left"))
    if not np.isfinite([right, left]).all():
        return
    middle, across = (right + left) / 2, (left - right) / 2
    down = np.array([0, 2 * np.linalg.norm(across) * TORSO_LENGTH])
    corners = np.array([right, left, middle + down + WAIST * across, middle + down - WAIST * across])
    # A corner may lie far outside of a close crop, but OpenCV needs coordinates of 32 bits.
    cv2.fillConvexPoly(depth_HW, np.rint(corners).clip(-30000, 30000).astype(np.int32), float(nearness))


@numba.njit(cache=True, nogil=True)
def _draw_bars(bars_NC, zoom, depth_HW):  # one signature only, so that processes can share Numba's cache
    height, width = depth_HW.shape
    for n in range(len(bars_NC)):
        ax, ay, az, bx, by, bz, radius = bars_NC[n]
        dx, dy = bx - ax, by - ay
        over_length = 1 / max(dx * dx + dy * dy, np.float32(1e-6))
        left, right = max(int(min(ax, bx) - radius), 0), min(int(max(ax, bx) + radius) + 2, width)
        top, bottom = max(int(min(ay, by) - radius), 0), min(int(max(ay, by) + radius) + 2, height)
        for y in range(top, bottom):
            for x in range(left, right):
                px, py = np.float32(x) - ax, np.float32(y) - ay
                where = min(max((px * dx + py * dy) * over_length, np.float32(0)), np.float32(1))
                aside = (px - where * dx) ** 2 + (py - where * dy) ** 2
                if aside <= radius * radius:
                    bulge = np.sqrt(radius * radius - aside) / zoom
                    depth_HW[y, x] = max(depth_HW[y, x], az + where * (bz - az) + bulge)
