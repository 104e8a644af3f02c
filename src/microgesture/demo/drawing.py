"""Draw the demo's person with OpenCV, in RGB, with outlines exact to a sixteenth of a pixel."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from .figure import ARMS, FACE, HAIRLINE, HANDS, HIPS, SKULL

Colour = tuple[int, int, int]
_SHIFT = 4  # OpenCV's fixed-point coordinates: 1/16 pixel
_HALF_TURN = np.linspace(-np.pi / 2, np.pi / 2, 9)
_CAP = np.stack([np.cos(_HALF_TURN), np.sin(_HALF_TURN)], axis=1)  # a limb's rounded end
_DARK, _WHITE = (35, 35, 38), (240, 238, 232)


@dataclass(frozen=True)
class Look:
    """The appearance of a person; colours are RGB."""

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
    """The room around the person, drawn once for a recording: uint8 (H, W, 3) each."""

    wall_HWC: np.ndarray
    desk_HWC: np.ndarray  # the desk, from its far edge down
    light_HWC: np.ndarray  # multiplies the finished picture; 200 leaves it unchanged
    horizon: int  # the first row of the desk


@lru_cache(maxsize=4096)
def shade(colour: Colour, factor: float) -> Colour:
    """Make a colour darker (factor below 1) or lighter."""
    return tuple(min(max(int(value * factor), 0), 255) for value in colour)


def draw(room: Room, look: Look, points_N3: np.ndarray, scale: float) -> np.ndarray:
    """Draw one frame, uint8 (H, W, 3): the person at ``points_N3``, x, y in pixels, z in shoulder widths."""
    frame_HWC = room.wall_HWC.copy()
    points = points_N3[:, :2]
    if look.hair_style == "long":
        _draw_long_hair(frame_HWC, look, points, scale)
    _draw_trunk(frame_HWC, look, points, scale)
    _draw_head(frame_HWC, look, points, scale)
    frame_HWC[room.horizon :] = room.desk_HWC[room.horizon :]
    # Upper arms first, so that no sleeve hides a hand; then the arm that is farther away.
    order = sorted((0, 1), key=lambda side: points_N3[HANDS[side], 2])
    for side in order:
        _draw_upper_arm(frame_HWC, look, points, side, scale)
    for side in order:
        _draw_forearm(frame_HWC, look, points, side, scale)
        _draw_hand(frame_HWC, look, points_N3[HANDS[side] : HANDS[side] + 21], scale)
    return cv2.multiply(frame_HWC, room.light_HWC, scale=1 / 200)


def _fixed(points: Sequence | np.ndarray) -> np.ndarray:
    return (np.asarray(points) * (1 << _SHIFT)).astype(np.int32)


def _fill(frame_HWC: np.ndarray, outline: Sequence | np.ndarray, colour: Colour) -> None:
    cv2.fillPoly(frame_HWC, [_fixed(outline)], colour, cv2.LINE_AA, _SHIFT)


def _line(
    frame_HWC: np.ndarray, points: Sequence | np.ndarray, colour: Colour, width: float, closed: bool = False
) -> None:
    cv2.polylines(frame_HWC, [_fixed(points)], closed, colour, max(1, round(width)), cv2.LINE_AA, _SHIFT)


def _disc(frame_HWC: np.ndarray, centre: np.ndarray, radius: float, colour: Colour) -> None:
    cv2.circle(frame_HWC, _fixed(centre).tolist(), int(radius * (1 << _SHIFT)), colour, -1, cv2.LINE_AA, _SHIFT)


def _limb(
    frame: np.ndarray, a: np.ndarray, b: np.ndarray, radius_a: float, radius_b: float, colour: Colour, rim: bool = True
) -> None:
    """Draw a rounded limb: a dark rim that separates it from the background, its colour, and light from above."""
    along = (b - a) / max(float(np.hypot(*(b - a))), 1e-6)
    turn = np.array([along, [-along[1], along[0]]])
    cap_a, cap_b = -radius_a * _CAP @ turn, radius_b * _CAP @ turn
    outline = np.concatenate([a + cap_a, b + cap_b])
    if rim:
        _line(frame, outline, shade(colour, 0.55), 2, closed=True)
    _fill(frame, outline, colour)
    lift = np.array([-0.1, -0.25])
    lit = np.concatenate([a + lift * radius_a + 0.5 * cap_a, b + lift * radius_b + 0.5 * cap_b])
    _fill(frame, lit, shade(colour, 1.1))


def _draw_upper_arm(frame: np.ndarray, look: Look, points: np.ndarray, side: int, scale: float) -> None:
    shoulder, elbow, _ = ARMS[side]
    girth = scale * look.girth
    _limb(frame, points[shoulder], points[elbow], 0.14 * girth, 0.115 * girth, look.shirt)
    # Draw cloth over the joint, so that no seam shows between shoulder and trunk.
    inwards = points[1] - points[shoulder]
    patch = points[shoulder] + 0.16 * inwards
    _limb(frame, patch, patch + 0.2 * inwards, 0.125 * girth, 0.09 * girth, look.shirt, rim=False)


def _draw_forearm(frame: np.ndarray, look: Look, points: np.ndarray, side: int, scale: float) -> None:
    _, elbow, wrist = ARMS[side]
    girth = scale * look.girth
    if not look.long_sleeves:
        _limb(frame, points[elbow], points[wrist], 0.1 * girth, 0.068 * scale, look.skin)
        sleeve_end = points[elbow] + 0.18 * (points[ARMS[side][0]] - points[elbow])
        _limb(frame, sleeve_end, points[ARMS[side][0]], 0.125 * girth, 0.1 * girth, look.shirt, rim=False)
        return
    _limb(frame, points[elbow], points[wrist], 0.11 * girth, 0.078 * scale, look.shirt)
    cuff = _WHITE if look.collar == "suit" else shade(look.shirt, 0.72)
    _limb(
        frame, points[wrist], points[wrist] + 0.06 * (points[elbow] - points[wrist]), 0.08 * scale, 0.08 * scale, cuff
    )


def _draw_hand(frame: np.ndarray, look: Look, hand_N3: np.ndarray, scale: float) -> None:
    points = _fixed(hand_N3[:, :2])
    wide = 0.08 * scale
    dark, side, light = shade(look.skin, 0.6), shade(look.skin, 0.78), shade(look.skin, 1.05)
    fingers = [points[1 + 4 * finger : 5 + 4 * finger] for finger in np.argsort(hand_N3[4::4, 2])]
    knuckles = points[[0, 0, 1, 5, 9, 13, 17]]
    knuckles[0, 0] -= int(8 * wide)
    knuckles[1, 0] += int(8 * wide)
    palm = [cv2.convexHull(knuckles)]

    def stroke(lines: list[np.ndarray], closed: bool, colour: Colour, width: float) -> None:
        cv2.polylines(frame, lines, closed, colour, max(1, round(width)), cv2.LINE_AA, _SHIFT)

    stroke(fingers, False, dark, wide + 2)
    stroke(palm, True, dark, 0.6 * wide + 2)
    cv2.fillPoly(frame, palm, look.skin, cv2.LINE_AA, _SHIFT)
    stroke(palm, True, look.skin, 0.6 * wide)
    for finger in fingers:
        stroke([finger], False, side, wide + 1)
        stroke([finger], False, light, wide - 1)


def _draw_trunk(frame: np.ndarray, look: Look, points: np.ndarray, scale: float) -> None:
    def at(x: float, y: float) -> np.ndarray:
        return np.array([x * scale, y * scale])

    right, left, neck = points[2], points[5], points[1]
    hips, jaw = points[HIPS], points[FACE : FACE + 17]
    shirt, girth = look.shirt, look.girth
    throat_right, throat_left = neck - 0.17 * (left - right), neck + 0.17 * (left - right)
    up = at(0, -0.17)
    half = [
        (throat_right + up, throat_left + up),
        (right + at(0.1, -0.14), left + at(-0.1, -0.14)),
        (right + at(-0.08 * girth, -0.08), left + at(0.08 * girth, -0.08)),
        (right + at(-0.12 * girth, 0.12), left + at(0.12 * girth, 0.12)),
        (right + at(0.02, 0.55), left + at(-0.02, 0.55)),
        (hips[0] - at(0.1 * girth, 0), hips[1] + at(0.1 * girth, 0)),
    ]
    outline = np.array([one for one, _ in half] + [other for _, other in half[::-1]])
    _line(frame, outline, shade(shirt, 0.5), 2, closed=True)
    _fill(frame, outline, shirt)
    if look.stripes:
        for share in (0.15, 0.29, 0.43, 0.57, 0.71):
            ends = right + share * (hips[0] - right), left + share * (hips[1] - left)
            middle = neck + share * (hips.mean(axis=0) - neck) + at(0, 0.04)
            _line(frame, [ends[0] + at(0.02, 0), middle, ends[1] - at(0.02, 0)], look.trim, 0.035 * scale)
    if look.collar == "suit":
        tip = neck + at(0, 0.5)
        _fill(frame, [throat_right + up, throat_left + up, tip + at(0, 0.25)], _WHITE)
        tie = [neck + at(-0.05, 0), neck + at(0.05, 0), tip + at(0.05, 0), tip + at(0, 0.22), tip + at(-0.05, 0)]
        _fill(frame, tie, look.trim)
        for throat, sign in ((throat_right, -1), (throat_left, 1)):
            lapel = [throat + up, throat + at(sign * 0.1, 0.2), tip + at(0, 0.27)]
            _fill(frame, lapel, shade(shirt, 0.8))
            _line(frame, lapel, shade(shirt, 0.5), 1)
    else:
        depth = 0.1 if look.collar == "round" else 0.34
        tip, sides = neck + at(0, depth), (neck + at(0.1, 0.4 * depth), neck + at(-0.1, 0.4 * depth))
        _fill(frame, [throat_right + up, throat_left + up, sides[0], tip, sides[1]], look.skin)
        if look.collar == "open":
            _line(frame, [throat_right + up, tip, throat_left + up], look.trim, 0.06 * scale)
    throat = [throat_right + 0.6 * up, neck + at(0, 0.05), throat_left + 0.6 * up]
    _fill(frame, [jaw[3], *throat, jaw[13]], look.skin)
    below = [0.55 * jaw[4] + 0.45 * throat_right, jaw[8] + at(0, 0.15), 0.55 * jaw[12] + 0.45 * throat_left]
    _fill(frame, [jaw[4], *below, jaw[12]], shade(look.skin, 0.82))


def _draw_long_hair(frame: np.ndarray, look: Look, points: np.ndarray, scale: float) -> None:
    skull = points[SKULL]
    middle = skull.mean(axis=0)
    ends = [points[5] + np.array([-0.24, 0.12]) * scale, points[2] + np.array([0.24, 0.12]) * scale]
    _fill(frame, np.concatenate([middle + (skull - middle) * 1.16, ends]), shade(look.hair, 0.75))


def _draw_head(frame: np.ndarray, look: Look, points: np.ndarray, scale: float) -> None:
    face = points[FACE : FACE + 70]
    skull = points[SKULL]
    for ear in (face[1], face[15]):
        _disc(frame, ear, 0.06 * scale, shade(look.skin, 0.88))
    outline = np.concatenate([face[:17], skull[::-1]])
    _line(frame, outline, shade(look.skin, 0.55), 2, closed=True)
    _fill(frame, outline, look.skin)
    # The side of the face that is away from the light is darker.
    _fill(frame, np.concatenate([face[:8], face[7:1:-1] * 0.82 + 0.18 * face[33]]), shade(look.skin, 0.9))
    if look.beard:
        _fill(frame, np.concatenate([face[2:15], face[[54, 53, 51, 49, 48]]]), shade(look.hair, 0.9))
    _draw_hair(frame, look, points, scale)
    for brow in (face[17:22], face[22:27]):
        _line(frame, brow, shade(look.hair, 0.8), 0.026 * scale)
    for eye, pupil in ((face[36:42], face[68]), (face[42:48], face[69])):
        _fill(frame, eye, _WHITE)
        if eye[4, 1] - eye[1, 1] > 0.02 * scale:
            _disc(frame, pupil, 0.022 * scale, (48, 32, 24))
        _line(frame, eye[:4], shade(look.skin, 0.35), 0.012 * scale)
    _line(frame, face[27:31], shade(look.skin, 0.82), 0.024 * scale)
    _line(frame, face[31:36], shade(look.skin, 0.58), 0.018 * scale)
    red, green, blue = look.skin
    lips = (int(0.6 * red + 54), int(0.6 * green + 11), int(0.6 * blue + 16))
    _fill(frame, face[48:60], lips)
    _fill(frame, face[60:68], (70, 20, 25))
    if look.glasses:
        wide = max(1, round(0.013 * scale))
        size = _fixed([0.085 * scale, 0.068 * scale]).tolist()
        for eye in (face[36:42], face[42:48]):
            centre = _fixed(eye.mean(axis=0)).tolist()
            cv2.ellipse(frame, centre, size, 0, 0, 360, _DARK, wide, cv2.LINE_AA, _SHIFT)
        _line(frame, face[[39, 42]], _DARK, wide)


def _draw_hair(frame: np.ndarray, look: Look, points: np.ndarray, scale: float) -> None:
    skull, hairline = points[SKULL], points[HAIRLINE]
    if look.hair_style == "bald":
        _line(frame, 0.9 * skull[4:8] + 0.1 * hairline[4], shade(look.skin, 1.12), 0.03 * scale)
        return
    middle = skull.mean(axis=0)
    crown = middle + (skull - middle) * (1.07, 1.17)
    _fill(frame, np.concatenate([crown, hairline[::-1]]), look.hair)
    _line(frame, crown[4:10] * 0.75 + hairline[[2, 2, 3, 4, 5, 6]] * 0.25, shade(look.hair, 1.3), 0.02 * scale)
    if look.hair_style == "bun":
        _disc(frame, crown[7] - (0, 0.06 * scale), 0.12 * scale, look.hair)
