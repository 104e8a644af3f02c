"""Drawing the demo's person and room with OpenCV, RGB, with sub-pixel precision."""

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from .figure import ARMS, FACE, HAIRLINE, HANDS, HIPS, SKULL

Colour = tuple[int, int, int]
_SHIFT = 4  # OpenCV's fixed-point coordinates: 1/16 pixel


@dataclass(frozen=True)
class Look:
    """What a person looks like; colours are RGB."""

    skin: Colour
    hair: Colour
    shirt: Colour
    trim: Colour  # collar, stripes, tie
    hair_style: str  # short, long, bun or bald
    collar: str  # round, open or suit
    long_sleeves: bool
    stripes: bool
    beard: bool
    glasses: bool
    girth: float  # of trunk and arms, about 1


@dataclass(frozen=True)
class Room:
    """What is around the person, made once for a recording: uint8 (H, W, 3) each."""

    back_HWC: np.ndarray  # the wall
    desk_HWC: np.ndarray  # the desk, from its far edge down
    light_HWC: np.ndarray  # multiplies the finished picture; 200 leaves it as it is
    horizon: int  # the first row of the desk


@lru_cache(maxsize=4096)
def shade(colour: Colour, factor: float) -> Colour:
    """A colour made darker (below 1) or lighter."""
    return tuple(min(max(int(value * factor), 0), 255) for value in colour)


def draw(room: Room, look: Look, points_N3: np.ndarray, scale: float) -> np.ndarray:
    """One frame (H, W, 3): the person at ``points_N3`` (x, y in pixels, z in shoulder widths) behind the room's desk."""
    frame_HWC = room.back_HWC.copy()
    points = points_N3[:, :2]
    if look.hair_style == "long":
        _draw_long_hair(frame_HWC, look, points, scale)
    _draw_trunk(frame_HWC, look, points, scale)
    _draw_head(frame_HWC, look, points, scale)
    frame_HWC[room.horizon :] = room.desk_HWC[room.horizon :]
    # Upper arms first, so that no sleeve hides a hand; then the arm that is farther away.
    order = sorted((0, 1), key=lambda side: points_N3[HANDS[side], 2])
    for side in order:
        shoulder, elbow, _ = ARMS[side]
        _limb(
            frame_HWC, points[shoulder], points[elbow], 0.15 * scale * look.girth, 0.12 * scale * look.girth, look.shirt
        )
    for side in order:
        _, elbow, wrist = ARMS[side]
        sleeve = look.shirt if look.long_sleeves else look.skin
        _limb(frame_HWC, points[elbow], points[wrist], 0.115 * scale * look.girth, 0.075 * scale, sleeve)
        _draw_hand(frame_HWC, look, points_N3[HANDS[side] : HANDS[side] + 21], scale)
        if look.long_sleeves:
            cuff = points[wrist] + 0.12 * (points[elbow] - points[wrist])
            _limb(frame_HWC, points[wrist], cuff, 0.085 * scale, 0.088 * scale, look.trim)
    return cv2.multiply(frame_HWC, room.light_HWC, scale=1 / 200)


def _fixed(points: np.ndarray) -> np.ndarray:
    return np.round(np.asarray(points) * (1 << _SHIFT)).astype(np.int32)


def _fill(frame_HWC: np.ndarray, outline: np.ndarray, colour: Colour) -> None:
    cv2.fillPoly(frame_HWC, [_fixed(outline)], colour, cv2.LINE_AA, _SHIFT)


def _line(frame_HWC: np.ndarray, points: np.ndarray, colour: Colour, width: float, closed: bool = False) -> None:
    cv2.polylines(frame_HWC, [_fixed(points)], closed, colour, max(1, round(width)), cv2.LINE_AA, _SHIFT)


def _disc(frame_HWC: np.ndarray, centre: np.ndarray, radius: float, colour: Colour) -> None:
    x, y = (int(value) for value in _fixed(centre))
    cv2.circle(frame_HWC, (x, y), max(1, int(radius * (1 << _SHIFT))), colour, -1, cv2.LINE_AA, _SHIFT)


def _capsule(frame: np.ndarray, a: np.ndarray, b: np.ndarray, radius_a: float, radius_b: float, colour: Colour) -> None:
    along = b - a
    across = np.array([-along[1], along[0]]) / max(float(np.hypot(*along)), 1e-6)
    _fill(frame, [a + radius_a * across, b + radius_b * across, b - radius_b * across, a - radius_a * across], colour)
    _disc(frame, a, radius_a, colour)
    _disc(frame, b, radius_b, colour)


def _limb(frame: np.ndarray, a: np.ndarray, b: np.ndarray, radius_a: float, radius_b: float, colour: Colour) -> None:
    """A rounded limb: a dark rim that sets it off from what is behind, its colour, and light from above."""
    _capsule(frame, a, b, radius_a + 0.8, radius_b + 0.8, shade(colour, 0.55))
    _capsule(frame, a, b, radius_a * 0.93, radius_b * 0.93, colour)
    lift = np.array([-0.1, -0.25])
    _capsule(frame, a + lift * radius_a, b + lift * radius_b, radius_a * 0.5, radius_b * 0.5, shade(colour, 1.12))


def _draw_hand(frame: np.ndarray, look: Look, hand_N3: np.ndarray, scale: float) -> None:
    points = hand_N3[:, :2]
    wide = 0.072 * scale
    dark = shade(look.skin, 0.6)
    fingers = sorted(range(5), key=lambda finger: hand_N3[4 + 4 * finger, 2])
    palm = cv2.convexHull(
        np.concatenate(
            [points[[0, 1, 5, 9, 13, 17]], points[:1] + [[wide / 2, 0]], points[:1] - [[wide / 2, 0]]]
        ).astype(np.float32)
    )[:, 0]
    _line(frame, palm, dark, 0.6 * wide + 2, closed=True)
    for finger in fingers:
        bones = points[1 + 4 * finger : 5 + 4 * finger]
        _line(frame, bones, dark, wide + 2)
    _fill(frame, palm, look.skin)
    _line(frame, palm, look.skin, 0.6 * wide, closed=True)
    for finger in fingers:
        bones = points[1 + 4 * finger : 5 + 4 * finger]
        _line(frame, bones, shade(look.skin, 0.78), wide + 1)
        _line(frame, bones, shade(look.skin, 1.05), wide - 1)


def _draw_trunk(frame: np.ndarray, look: Look, points: np.ndarray, scale: float) -> None:
    right, left, neck = points[2], points[5], points[1]
    hips = points[HIPS]
    jaw = points[FACE : FACE + 17]
    shirt, girth = look.shirt, look.girth
    across = left - right
    width = 0.16 * scale
    throat_right, throat_left = neck - 0.17 * across, neck + 0.17 * across
    up = np.array([0.0, -0.17 * scale])
    outline = np.array(
        [
            throat_right + up,
            right + [0.1 * scale, -0.14 * scale],
            right + [-0.08 * scale * girth, -0.08 * scale],
            right + [-0.13 * scale * girth, 0.12 * scale],
            right + [0.02 * scale, 0.55 * scale],
            hips[0] - [0.1 * scale * girth, 0],
            hips[1] + [0.1 * scale * girth, 0],
            left + [-0.02 * scale, 0.55 * scale],
            left + [0.13 * scale * girth, 0.12 * scale],
            left + [0.08 * scale * girth, -0.08 * scale],
            left + [-0.1 * scale, -0.14 * scale],
            throat_left + up,
        ]
    )
    _line(frame, outline, shade(shirt, 0.5), 2, closed=True)
    _fill(frame, outline, shirt)
    if look.stripes:
        for share in np.arange(0.15, 1, 0.14):
            _line(
                frame,
                [
                    right + share * (hips[0] - right) + [0.02 * scale, 0],
                    neck + share * (hips.mean(axis=0) - neck) + [0, 0.04 * scale],
                    left + share * (hips[1] - left) - [0.02 * scale, 0],
                ],
                look.trim,
                0.035 * scale,
            )
    _fill(
        frame,
        [outline[4], outline[5], hips[0] + [0.12 * scale, 0], right + [0.22 * scale, 0.5 * scale]],
        shade(shirt, 0.86),
    )
    depth = {"round": 0.1, "open": 0.34, "suit": 0.5}[look.collar]
    tip = neck + [0, depth * scale]
    if look.collar == "suit":
        _fill(frame, [throat_right + up, throat_left + up, tip + [0, 0.25 * scale]], (236, 236, 232))
        _fill(
            frame,
            [
                neck + [-0.05 * scale, 0],
                neck + [0.05 * scale, 0],
                tip + [0.05 * scale, 0],
                tip + [0, 0.22 * scale],
                tip - [0.05 * scale, 0],
            ],
            look.trim,
        )
        for throat, sign in ((throat_right, -1), (throat_left, 1)):
            lapel = [throat + up, throat + [sign * 0.1 * scale, 0.2 * scale], tip + [0, 0.27 * scale]]
            _fill(frame, lapel, shade(shirt, 0.8))
            _line(frame, lapel, shade(shirt, 0.5), 1)
    else:
        _fill(
            frame,
            [
                throat_right + up,
                throat_left + up,
                neck + [0.1 * scale, 0.4 * depth * scale],
                tip,
                neck + [-0.1 * scale, 0.4 * depth * scale],
            ],
            look.skin,
        )
        if look.collar == "open":
            _line(frame, [throat_right + up, tip, throat_left + up], look.trim, 0.06 * scale)
    chin = jaw[8]
    shaded = shade(look.skin, 0.82)
    _fill(
        frame, [jaw[3], throat_right + 0.6 * up, neck + [0, 0.05 * scale], throat_left + 0.6 * up, jaw[13]], look.skin
    )
    _fill(
        frame,
        [
            jaw[4],
            0.55 * jaw[4] + 0.45 * throat_right,
            chin + [0, 0.9 * width],
            0.55 * jaw[12] + 0.45 * throat_left,
            jaw[12],
        ],
        shaded,
    )


def _draw_long_hair(frame: np.ndarray, look: Look, points: np.ndarray, scale: float) -> None:
    skull = points[SKULL]
    middle = skull.mean(axis=0)
    wide = middle + (skull - middle) * 1.13
    ends = [points[5] + [-0.22 * scale, 0.12 * scale], points[2] + [0.22 * scale, 0.12 * scale]]
    _fill(frame, np.concatenate([wide, ends]), shade(look.hair, 0.75))


def _draw_head(frame: np.ndarray, look: Look, points: np.ndarray, scale: float) -> None:
    face = points[FACE : FACE + 70]
    skull, hairline = points[SKULL], points[HAIRLINE]
    dark = shade(look.skin, 0.55)
    for ear, sign in ((face[1], -1), (face[15], 1)):
        _disc(frame, ear + [sign * 0.01 * scale, 0.0], 0.06 * scale, shade(look.skin, 0.88))
    outline = np.concatenate([face[:17], skull[::-1]])
    _line(frame, outline, dark, 2, closed=True)
    _fill(frame, outline, look.skin)
    _fill(frame, np.concatenate([face[:8], face[7:1:-1] * 0.82 + 0.18 * face[33]]), shade(look.skin, 0.9))
    if look.beard:
        _fill(frame, np.concatenate([face[2:15], face[[54, 53, 51, 49, 48]]]), shade(look.hair, 0.9))
    if look.hair_style == "bald":
        _line(frame, skull[3:9], shade(look.skin, 1.2), 0.03 * scale)
    else:
        middle = skull.mean(axis=0)
        crown = middle + (skull - middle) * [1.07, 1.17]
        _fill(frame, np.concatenate([crown, hairline[::-1]]), look.hair)
        _line(frame, crown[4:10] * 0.75 + hairline[[2, 2, 3, 4, 5, 6]] * 0.25, shade(look.hair, 1.35), 0.02 * scale)
        if look.hair_style == "bun":
            _disc(frame, crown[7] - [0, 0.06 * scale], 0.12 * scale, look.hair)
    for brow in (face[17:22], face[22:27]):
        _line(frame, brow, shade(look.hair, 0.8), 0.03 * scale)
    for eye, pupil in ((face[36:42], face[68]), (face[42:48], face[69])):
        _fill(frame, eye, (240, 238, 232))
        if eye[4, 1] - eye[1, 1] > 0.02 * scale:
            _disc(frame, pupil, 0.019 * scale, (48, 32, 24))
        _line(frame, eye[:4], shade(look.skin, 0.35), 0.014 * scale)
    _line(frame, face[27:31], shade(look.skin, 0.8), 0.03 * scale)
    _line(frame, face[31:36], shade(look.skin, 0.55), 0.02 * scale)
    lips = tuple(int(0.6 * value + 0.4 * red) for value, red in zip(look.skin, (150, 30, 45), strict=True))
    _fill(frame, face[48:60], shade(lips, 0.9))
    _fill(frame, face[60:68], (70, 20, 25))
    if look.glasses:
        for eye in (face[36:42], face[42:48]):
            centre = _fixed(eye.mean(axis=0))
            cv2.ellipse(
                frame,
                centre.tolist(),
                _fixed([0.085 * scale, 0.068 * scale]).tolist(),
                0,
                0,
                360,
                (35, 35, 38),
                max(1, round(0.018 * scale)),
                cv2.LINE_AA,
                _SHIFT,
            )
        _line(frame, face[[39, 42]], (35, 35, 38), 0.018 * scale)
