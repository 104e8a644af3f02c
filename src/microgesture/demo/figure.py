"""The demo's person: from a pose to points in space, including all 137 OpenPose keypoints, and then to pixels.

Lengths are in shoulder widths. The origin is the middle of the shoulders at rest; x points to the right of the image
(the person's left), y down, z towards the camera. Side 0 is the person's right (image left), side 1 the left.
Keypoint order: OpenPose BODY_25, FACE_70, left hand, right hand (CMU OpenPose, doc/02_output.md).
"""

from dataclasses import dataclass

import numpy as np

FACE, LEFT_HAND, RIGHT_HAND, KEYPOINTS = 25, 95, 116, 137
# After the keypoints come points that are only drawn.
SKULL = slice(137, 152)
HAIRLINE = slice(152, 161)
HIPS = slice(161, 163)
POINTS = 163
HIDDEN = (8, 9, 10, 11, 12, 13, 14, 19, 20, 21, 22, 23, 24)  # hips and legs: behind the desk
ARMS = ((2, 3, 4), (5, 6, 7))  # shoulder, elbow, wrist of either side
HANDS = (RIGHT_HAND, LEFT_HAND)

_SIDE = np.array([-1.0, 1.0])
# Thumb, index, middle, ring, little finger, in hand lengths: the position of the knuckle, and the three bones.
_KNUCKLE_ALONG = np.array([0.16, 0.50, 0.52, 0.49, 0.44])
_KNUCKLE_ACROSS = np.array([0.17, 0.14, 0.04, -0.06, -0.15])
_BONES = np.array([[0.24, 0.18, 0.14], [0.24, 0.14, 0.11], [0.26, 0.16, 0.11], [0.24, 0.15, 0.11], [0.18, 0.11, 0.10]])
_FAN = np.array([0.9, 0.12, 0.02, -0.08, -0.2])  # radians from the hand's axis towards the thumb


@dataclass(frozen=True)
class Build:
    """A person's proportions, in shoulder widths (``head_width`` scales the head sideways, ``head`` as a whole)."""

    upper_arm: float = 0.80
    forearm: float = 0.68
    hand: float = 0.46
    neck: float = 0.62  # from the shoulders up to the eyes
    head: float = 1.0
    head_width: float = 1.0


@dataclass
class Pose:
    """The pose of the figure in each of T frames; sides are (right, left), angles in radians."""

    wrists_T23: np.ndarray
    fingers_T23: np.ndarray  # direction of the fingers
    palms_T23: np.ndarray  # direction that the palm faces
    elbows_T23: np.ndarray  # direction towards which the elbow bends
    curls_T25: np.ndarray  # (T, 2, 5): 0 straight, 1 a fist
    head_T3: np.ndarray  # pitch (up is positive), yaw, roll
    shoulders_T2: np.ndarray  # lift
    lean_T3: np.ndarray  # shift of shoulders and head
    mouth_T: np.ndarray  # 0 closed, 1 open
    eyes_T: np.ndarray  # 0 closed, 1 open
    brows_T: np.ndarray  # lift, in head heights
    smile_T: np.ndarray  # -1 the mouth's corners down, 0 at rest, 1 a broad smile
    worry_T: np.ndarray  # 0 level brows, 1 their inner ends raised and drawn together


@dataclass(frozen=True)
class Camera:
    """The camera: a shoulder width is ``scale`` pixels, the neck is at ``centre`` (pixels), the person is turned by
    ``yaw`` radians."""

    scale: float
    centre: tuple[float, float]
    yaw: float
    distance: float = 7.0

    def project(self, points_TN3: np.ndarray) -> np.ndarray:
        """Project points in space to x, y in pixels; z stays in shoulder widths."""
        across, y, towards = np.moveaxis(self.turn(points_TN3), -1, 0)
        zoom = self.scale * self.distance / (self.distance - towards)
        return np.stack([self.centre[0] + across * zoom, self.centre[1] + y * zoom, towards], axis=-1)

    def turn(self, points_TN3: np.ndarray) -> np.ndarray:
        """Rotate points in space to the camera's axes: x to the right of the image, y down, z towards the camera."""
        x, y, z = np.moveaxis(points_TN3, -1, 0)
        across = x * np.cos(self.yaw) + z * np.sin(self.yaw)
        return np.stack([across, y, z * np.cos(self.yaw) - x * np.sin(self.yaw)], axis=-1)


def solve(build: Build, pose: Pose) -> np.ndarray:
    """Compute all points of the figure in space, (T, POINTS, 3): the keypoints, then points that are only drawn.

    Arms are computed from the wrists by two-bone inverse kinematics; a wrist out of reach is moved within reach.
    """
    frames = len(pose.mouth_T)
    points_TN3 = np.zeros((frames, POINTS, 3))
    shoulders_T23 = np.stack([0.5 * _SIDE, [0.0, 0.0], [0.0, 0.0]], axis=-1) + pose.lean_T3[:, None]
    shoulders_T23[..., 1] -= pose.shoulders_T2
    # A lifted shoulder also moves slightly inwards.
    shoulders_T23[..., 0] -= 0.25 * _SIDE * pose.shoulders_T2
    points_TN3[:, 1] = shoulders_T23.mean(axis=1)
    for side, (shoulder, elbow, wrist) in enumerate(ARMS):
        points_TN3[:, shoulder] = shoulders_T23[:, side]
        points_TN3[:, elbow], points_TN3[:, wrist] = _bend_arm(
            shoulders_T23[:, side], pose.wrists_T23[:, side], pose.elbows_T23[:, side], build.upper_arm, build.forearm
        )
        points_TN3[:, HANDS[side] : HANDS[side] + 21] = _hand(
            points_TN3[:, wrist],
            pose.fingers_T23[:, side],
            pose.palms_T23[:, side],
            pose.curls_T25[:, side],
            build.hand,
            thumb=-_SIDE[side],
        )
    points_TN3[:, HIPS] = np.array([[-0.42, 1.5, 0.0], [0.42, 1.5, 0.0]]) + 0.4 * pose.lean_T3[:, None]
    _place_head(points_TN3, build, pose)
    return points_TN3


def keypoints(projected_TN3: np.ndarray, width: int, height: int) -> np.ndarray:
    """Return the true 137 keypoints, (T, 137, 3): x, y in pixels and 1, or (0, 0, 0) if hidden or outside the frame."""
    points_TVC = projected_TN3[:, :KEYPOINTS].copy()
    points_TVC[..., 2] = 1
    x, y = points_TVC[..., 0], points_TVC[..., 1]
    gone = (x < 0) | (y < 0) | (x > width - 1) | (y > height - 1)
    gone[:, HIDDEN] = True
    points_TVC[gone] = 0
    return points_TVC


def unit(vectors: np.ndarray) -> np.ndarray:
    """Scale vectors (..., 3) to length one."""
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9)


def _bend_arm(
    shoulder_T3: np.ndarray, wrist_T3: np.ndarray, push_T3: np.ndarray, upper: float, lower: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return the elbow and the reachable wrist; the elbow is in the plane that ``push_T3`` spans with the arm."""
    reach_T3 = wrist_T3 - shoulder_T3
    distance_T1 = np.linalg.norm(reach_T3, axis=-1, keepdims=True)
    axis_T3 = unit(reach_T3)
    distance_T1 = np.clip(distance_T1, 0.35 * (upper + lower), 0.995 * (upper + lower))
    along_T1 = (upper**2 - lower**2 + distance_T1**2) / (2 * distance_T1)
    aside_T1 = np.sqrt(np.maximum(upper**2 - along_T1**2, 0))
    push_T3 = unit(push_T3 - (push_T3 * axis_T3).sum(axis=-1, keepdims=True) * axis_T3)
    return shoulder_T3 + along_T1 * axis_T3 + aside_T1 * push_T3, shoulder_T3 + distance_T1 * axis_T3


def _hand(
    wrist_T3: np.ndarray, fingers_T3: np.ndarray, palm_T3: np.ndarray, curl_T5: np.ndarray, length: float, thumb: float
) -> np.ndarray:
    """Return the 21 points of a hand, (T, 21, 3): wrist, then four points of each finger from knuckle to tip."""
    along_T3 = unit(fingers_T3)
    palm_T3 = unit(palm_T3 - (palm_T3 * along_T3).sum(axis=-1, keepdims=True) * along_T3)
    across_T3 = thumb * np.cross(palm_T3, along_T3)
    points_TN3 = np.empty((len(wrist_T3), 21, 3))
    points_TN3[:, 0] = wrist_T3
    for finger in range(5):
        joint_T3 = wrist_T3 + length * (_KNUCKLE_ALONG[finger] * along_T3 + _KNUCKLE_ACROSS[finger] * across_T3)
        points_TN3[:, 1 + 4 * finger] = joint_T3
        straight_T3 = np.cos(_FAN[finger]) * along_T3 + np.sin(_FAN[finger]) * across_T3
        bend_T1 = (0.12 + 0.5 * curl_T5[:, finger, None]) if finger == 0 else (0.12 + 1.15 * curl_T5[:, finger, None])
        for bone in range(3):
            angle_T1 = bend_T1 * (bone + 0.8)
            joint_T3 = joint_T3 + length * _BONES[finger, bone] * (
                np.cos(angle_T1) * straight_T3 + np.sin(angle_T1) * palm_T3
            )
            points_TN3[:, 2 + 4 * finger + bone] = joint_T3
    return points_TN3


def _face() -> np.ndarray:
    """Return the resting face and skull, (70 + 15 + 9, 3), relative to the middle between the eyes, at scale 1."""
    turn = np.pi * np.arange(17) / 16
    jaw = np.stack([-0.215 * np.cos(turn), 0.335 * np.sin(turn) ** 0.85, 0.02 + 0.16 * np.sin(turn)], axis=1)
    brow_x = np.linspace(-0.165, -0.045, 5)
    brow = np.stack([brow_x, [-0.068, -0.092, -0.098, -0.09, -0.072], [0.14, 0.18, 0.2, 0.21, 0.22]], axis=1)
    bridge = np.stack([np.zeros(4), [-0.01, 0.04, 0.085, 0.125], [0.23, 0.26, 0.29, 0.315]], axis=1)
    nostrils = np.stack(
        [[-0.048, -0.024, 0, 0.024, 0.048], [0.145, 0.155, 0.16, 0.155, 0.145], [0.235, 0.255, 0.265, 0.255, 0.235]],
        axis=1,
    )
    eye = np.array([[-0.05, 0], [-0.022, -0.026], [0.022, -0.026], [0.05, 0], [0.022, 0.02], [-0.022, 0.02]])
    eye = np.concatenate([eye - (0.1, 0), np.full((6, 1), 0.19)], axis=1)
    outer = _ring([-0.085, -0.055, -0.02, 0, 0.02, 0.055, 0.085, 0.055, 0.025, 0, -0.025, -0.055], 0.021, 0.03, 0.225)
    inner = _ring([-0.07, -0.025, 0, 0.025, 0.07, 0.025, 0, -0.025], 0.006, 0.006, 0.22)
    pupils = np.array([[-0.1, -0.001, 0.2], [0.1, -0.001, 0.2]])
    mirror = np.array([-1, 1, 1])
    face = np.concatenate([jaw, brow, brow[::-1] * mirror, bridge, nostrils, eye, eye[[3, 2, 1, 0, 5, 4]] * mirror])
    turn = np.pi * np.arange(15) / 14
    skull = np.stack([-0.235 * np.cos(turn), -0.34 * np.sin(turn), np.full(15, -0.02)], axis=1)
    turn = np.pi * np.arange(9) / 8
    hairline = np.stack([-0.205 * np.cos(turn), 0.02 - 0.215 * np.sin(turn) ** 0.6, 0.05 + 0.13 * np.sin(turn)], axis=1)
    return np.concatenate([face, outer, inner, pupils, skull, hairline])


def _ring(x: list[float], upper: float, lower: float, z: float) -> np.ndarray:
    """Return a lip's outline around y = 0.215: corners at the first point and halfway, the upper lip between them."""
    half = len(x) // 2
    y = np.array([0, *[-upper] * (half - 1), 0, *[lower] * (half - 1)])
    return np.stack([np.array(x), 0.215 + y, np.full(len(x), z)], axis=1)


_HEAD = _face()
_LOWER_LIP = FACE + np.array([55, 56, 57, 58, 59, 65, 66, 67])
_CHIN = FACE + np.arange(4, 13)
_BROWS = FACE + np.arange(17, 27)
_EYES = FACE + np.arange(36, 48)
_UPPER_LIDS = FACE + np.array([37, 38, 43, 44])
_LOWER_LIDS = FACE + np.array([40, 41, 46, 47])
_MOUTH = FACE + np.arange(48, 68)


def _place_head(points_TN3: np.ndarray, build: Build, pose: Pose) -> None:
    """Write face, skull and the body keypoints of the head, turned about the top of the neck."""
    frames = len(points_TN3)
    head_TN3 = np.repeat(_HEAD[None], frames, axis=0)
    head_TN3[:, _LOWER_LIP - FACE, 1] += 0.055 * pose.mouth_T[:, None]
    head_TN3[:, _CHIN - FACE, 1] += 0.025 * pose.mouth_T[:, None]
    head_TN3[:, _BROWS - FACE, 1] -= pose.brows_T[:, None]
    head_TN3[:, _EYES - FACE, 1] *= 0.1 + 0.9 * pose.eyes_T[:, None]
    _express(head_TN3, pose)
    head_TN3 *= build.head * np.array([build.head_width, 1, 1])
    pivot = np.array([0, 0.24 * build.head, -0.06])
    pitch, yaw, roll = pose.head_T3.T
    turn_T33 = _turn(2, roll) @ _turn(1, yaw) @ _turn(0, pitch)
    above_T3 = points_TN3[:, 1] + np.array([0, 0.24 * build.head - build.neck, -0.02])
    head_TN3 = (head_TN3 - pivot) @ turn_T33.transpose(0, 2, 1) + above_T3[:, None]
    points_TN3[:, FACE : FACE + 70] = head_TN3[:, :70]
    points_TN3[:, SKULL] = head_TN3[:, 70:85]
    points_TN3[:, HAIRLINE] = head_TN3[:, 85:94]
    points_TN3[:, 0] = points_TN3[:, FACE + 30]
    points_TN3[:, 15] = points_TN3[:, FACE + 36 : FACE + 42].mean(axis=1)
    points_TN3[:, 16] = points_TN3[:, FACE + 42 : FACE + 48].mean(axis=1)
    points_TN3[:, 17] = points_TN3[:, FACE + 1]
    points_TN3[:, 18] = points_TN3[:, FACE + 15]


def _express(head_TN3: np.ndarray, pose: Pose) -> None:
    """Bend mouth, eyes and brows of a head that looks straight ahead; a pose without expression changes nothing.

    A smile moves the corners of the mouth up and out and lifts the lower lids; sorrow moves the corners the other way,
    lowers the upper lids and lifts the inner ends of the brows (action units 12 and 6; 15 and 1 + 4 of Ekman & Friesen,
    Facial Action Coding System, 1978).
    """
    smile_T1, worry_T1 = pose.smile_T[:, None], pose.worry_T[:, None]
    mouth_TN3 = head_TN3[:, _MOUTH - FACE]
    bow_N = (_HEAD[_MOUTH - FACE, 0] / 0.085) ** 2 - 0.35
    mouth_TN3[..., 1] -= 0.055 * smile_T1 * bow_N
    mouth_TN3[..., 0] *= 1 + 0.18 * smile_T1
    head_TN3[:, _MOUTH - FACE] = mouth_TN3
    head_TN3[:, _LOWER_LIDS - FACE, 1] *= 1 - 0.6 * np.maximum(smile_T1, 0)
    head_TN3[:, _UPPER_LIDS - FACE, 1] *= 1 - 0.4 * np.maximum(-smile_T1, 0)
    inner_N = 1 - (np.abs(_HEAD[_BROWS - FACE, 0]) - 0.045) / 0.06
    head_TN3[:, _BROWS - FACE, 1] -= 0.04 * worry_T1 * inner_N
    head_TN3[:, _BROWS - FACE, 0] *= 1 - 0.12 * worry_T1 * (inner_N > 0)


def _turn(axis: int, angle_T: np.ndarray) -> np.ndarray:
    """Return rotation matrices about one axis, (T, 3, 3)."""
    first, second = [other for other in range(3) if other != axis]
    turn_T33 = np.repeat(np.eye(3)[None], len(angle_T), axis=0)
    turn_T33[:, first, first] = turn_T33[:, second, second] = np.cos(angle_T)
    turn_T33[:, first, second] = -np.sin(angle_T)
    turn_T33[:, second, first] = np.sin(angle_T)
    return turn_T33
