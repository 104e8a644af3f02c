"""The points of a skeleton for a network: sampled in time, normalised, and augmented in training.

Unlike keypoints, normalised points may be at the origin: a point is missing only if its confidence is 0. The
confidence comes last: C is 3 in the picture (x, y, confidence) and 4 in space (x, y, z, confidence).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..config.recipes import Augmentation
from .selections import Selection


def even_times(n_frames: int, length: int) -> np.ndarray:
    """Return ``length`` points in time, evenly spaced from the first frame to the last, in frames, float64."""
    return np.linspace(0, n_frames - 1, length)


def random_times(n_frames: int, length: int, augmentation: Augmentation, generator: np.random.Generator) -> np.ndarray:
    """Return ``length`` points in time, in order, in a random part of the clip, at least the fraction ``shortest``.

    With ``frames`` even they are like ``even_times``, each shifted at random by up to half the distance to its
    neighbours, within the clip. With ``frames`` random they are whole frames, each drawn independently.
    """
    share = generator.uniform(augmentation.shortest, 1)
    start = generator.uniform(0, 1 - share)
    if augmentation.frames == "random":
        places = np.sort(generator.random(length))
        return np.floor(n_frames * (start + share * places)).clip(max=n_frames - 1)
    steps = np.arange(length) + generator.uniform(-0.5, 0.5, length)
    return (n_frames - 1) * (start + share * steps / max(length - 1, 1)).clip(0, 1)


def at_times(keypoints_TVC: np.ndarray, times_S: np.ndarray) -> np.ndarray:
    """Interpolate keypoints (S, V, C) at points in time between the frames, linearly for each joint.

    A joint that was found in only one of the two frames keeps that position; one that was found in neither is missing.
    """
    before_S, after_S = np.floor(times_S).astype(int), np.ceil(times_S).astype(int)
    before_SVC, after_SVC = keypoints_TVC[before_S], keypoints_TVC[after_S]
    found_before_SV1, found_after_SV1 = before_SVC[..., -1:] > 0, after_SVC[..., -1:] > 0
    share_SV1 = np.broadcast_to((times_S - before_S)[:, None, None], found_before_SV1.shape)
    share_SV1 = np.where(found_before_SV1 & found_after_SV1, share_SV1, found_after_SV1)
    return ((1 - share_SV1) * before_SVC + share_SV1 * after_SVC).astype(np.float32)


def centre(keypoints_TVC: np.ndarray) -> np.ndarray:
    """Move points (T, V, C) so that the origin is the middle of their box over the clip, whose longest side becomes 1.

    Missing points stay all zero.
    """
    found_TV = keypoints_TVC[..., -1] > 0
    if not found_TV.any():
        return np.zeros(keypoints_TVC.shape, np.float32)
    low_D, high_D = _box(keypoints_TVC, found_TV)
    points_TVC = keypoints_TVC.astype(np.float32)
    points_TVC[..., :-1] = (keypoints_TVC[..., :-1] - (low_D + high_D) / 2) / max((high_D - low_D).max(), 1e-6)
    points_TVC[~found_TV] = 0
    return points_TVC


def fill_box(points_TVC: np.ndarray) -> np.ndarray:
    """Scale each axis of points (T, V, C) so that its smallest value over the clip is -1 and its largest is 1.

    Missing points stay all zero. An axis along which all points are at the same place becomes 0.
    """
    found_TV = points_TVC[..., -1] > 0
    if not found_TV.any():
        return points_TVC
    low_D, high_D = _box(points_TVC, found_TV)
    filled_TVC = points_TVC.copy()
    filled_TVC[..., :-1] = (2 * points_TVC[..., :-1] - low_D - high_D) / np.maximum(high_D - low_D, 1e-6)
    filled_TVC[~found_TV] = 0
    return filled_TVC


def _box(points_TVC: np.ndarray, found_TV: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the smallest and the largest value of each axis over the points that were found."""
    places_ND = points_TVC[found_TV][:, :-1].astype(np.float64)
    return places_ND.min(0), places_ND.max(0)


def normalise(keypoints_TVC: np.ndarray, selection: Selection, own_hands: bool = True) -> np.ndarray:
    """Normalise points (T, V, C): the body relative to the neck, in shoulder widths; each hand to its wrist and size.

    The neck and the wrists of the hands are at the origin in each frame, so the positions of the person and of the
    hands are removed. The shoulder width is the median over the clip; the size of a hand is the distance from its wrist
    to its farthest joint, frame by frame. A hand without its own wrist uses the arm's. An anchor that is missing in a
    frame is interpolated from the frames around it. An anchor that is missing in all frames is replaced by the mean of
    the part's joints, and an unknown shoulder width by their standard deviation. Without ``own_hands`` the hands belong
    to the body. Missing points stay all zero.
    """
    found_TV = keypoints_TVC[..., -1] > 0
    points_TVC = np.zeros(keypoints_TVC.shape, np.float32)
    for part in _parts(selection, own_hands):
        places_TVD = keypoints_TVC[:, part.joints, :-1].astype(np.float64)
        seen_TV = found_TV[:, part.joints]
        if not seen_TV.any():
            continue
        from_anchor_TVD = places_TVD - _anchor(keypoints_TVC, found_TV, part, places_TVD[seen_TV])[:, None]
        if part.hand:
            size_T = np.where(seen_TV, np.linalg.norm(from_anchor_TVD, axis=-1), 0).max(1)
        else:
            size_T = _body_size(keypoints_TVC, found_TV, part)
        if size_T is None:
            size_T = np.full(len(places_TVD), from_anchor_TVD[seen_TV].std())
        points_TVC[:, part.joints, :-1] = from_anchor_TVD / np.maximum(size_T, 1e-6)[:, None, None]
    points_TVC[..., -1] = keypoints_TVC[..., -1]
    points_TVC[~found_TV] = 0
    return points_TVC


def vary(points_TVC: np.ndarray, augmentation: Augmentation, generator: np.random.Generator) -> np.ndarray:
    """Augment points at random: rotate, scale and shear them about the origin, add noise, and drop some joints.

    The same matrix is used in the whole clip, for the body and both hands, as for the same person seen from another
    side. Points in space are rotated in the plane of the picture and then about its vertical axis; or, with ``turns``,
    about the axis away from the camera, then the vertical, then the one to the right. Missing joints stay missing.
    """
    D = points_TVC.shape[-1] - 1
    angle = np.radians(generator.uniform(-augmentation.rotation, augmentation.rotation))
    turn_DD = _turn(D, 0, 1, angle)
    stretch_DD = np.diag(np.exp(generator.uniform(-augmentation.scale, augmentation.scale, D)))
    shear_DD = np.eye(D)
    shear_DD[shear_DD == 0] = generator.uniform(-augmentation.shear, augmentation.shear, D * (D - 1))
    if D == 3 and augmentation.turns is None:
        turn_DD = _turn(D, 0, 2, np.radians(generator.uniform(-augmentation.rotation, augmentation.rotation))) @ turn_DD
    elif D == 3:
        right, down, away = np.radians(augmentation.turns) * generator.uniform(-1, 1, 3)
        turn_DD = _turn(D, 1, 2, right) @ _turn(D, 0, 2, down) @ _turn(D, 0, 1, away)
    varied_TVC = points_TVC.astype(np.float32)
    varied_TVC[..., :-1] = points_TVC[..., :-1] @ (turn_DD @ stretch_DD @ shear_DD).T
    varied_TVC[..., :-1] += generator.uniform(0, 2 * augmentation.noise) * generator.standard_normal(
        varied_TVC[..., :-1].shape
    )
    hidden_V = generator.random(points_TVC.shape[1]) < augmentation.joint_dropout
    varied_TVC[(points_TVC[..., -1] <= 0) | hidden_V] = 0
    return varied_TVC


def _turn(D: int, first: int, second: int, angle: float) -> np.ndarray:
    """Return the matrix (D, D) that rotates the first axis towards the second by an angle in radians."""
    turn_DD = np.eye(D)
    axes = [first, second]
    turn_DD[np.ix_(axes, axes)] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    return turn_DD


@dataclass(frozen=True)
class _Part:
    """Joints (positions) that are normalised together: relative to ``anchor``, in units of the width of ``ends``."""

    joints: list[int]
    anchor: int | None
    ends: tuple[int, int] | None = None
    hand: bool = False


def _parts(selection: Selection, own_hands: bool) -> list[_Part]:
    position = {name: i for i, name in enumerate(selection.joints)}
    hands = {side: _hand(selection, side) if own_hands else [] for side in ("right", "left")}
    body = [i for i in range(len(selection.joints)) if i not in {*hands["right"], *hands["left"]}]
    shoulders = [position[name] for name in ("right shoulder", "left shoulder") if name in position]
    parts = [_Part(body, position.get("neck"), tuple(shoulders) if len(shoulders) == 2 else None)]
    for side, joints in hands.items():
        wrist = position.get(f"{side} hand wrist", position.get(f"{side} wrist"))
        parts.append(_Part(joints, wrist, hand=True))
    return [part for part in parts if part.joints]


def _hand(selection: Selection, side: str) -> list[int]:
    fingers = tuple(f"{side} {name} " for name in ("hand", "thumb", "index", "middle", "ring", "little"))
    return [i for i, name in enumerate(selection.joints) if name.startswith(fingers)]


def _anchor(keypoints_TVC: np.ndarray, found_TV: np.ndarray, part: _Part, seen_ND: Sequence[np.ndarray]) -> np.ndarray:
    """Return the position of the part's anchor in each frame, (T, D)."""
    T = len(keypoints_TVC)
    known_T = found_TV[:, part.anchor] if part.anchor is not None else np.zeros(T, bool)
    if not known_T.any():
        return np.broadcast_to(np.mean(seen_ND, 0), (T, keypoints_TVC.shape[-1] - 1))
    frames = np.arange(T)
    known_ND = keypoints_TVC[known_T, part.anchor, :-1]
    return np.stack([np.interp(frames, frames[known_T], known_N) for known_N in known_ND.T], 1)


def _body_size(keypoints_TVC: np.ndarray, found_TV: np.ndarray, part: _Part) -> np.ndarray | None:
    if part.ends is None or not (both_T := found_TV[:, part.ends].all(1)).any():
        return None
    first_ND, second_ND = (keypoints_TVC[both_T, end, :-1] for end in part.ends)
    return np.full(len(keypoints_TVC), np.median(np.linalg.norm(second_ND - first_ND, axis=1)))
