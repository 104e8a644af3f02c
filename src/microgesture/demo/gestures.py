"""The demo's micro-gestures: the motion of each, and its classes in iMiGUE, MA-52 and SMG.

A gesture is a function of a person's build, the seconds since its start (T,) and a ``Variation``; it returns the full
pose of the gesture. ``act`` blends poses from rest and back to it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields

import numpy as np

from .figure import Build, Pose, unit

RIGHT, LEFT = 0, 1
_OUT = np.array([-1.0, 1.0])


@dataclass(frozen=True)
class Variation:
    """The random parameters of one performance of a gesture."""

    side: int  # the hand that moves, if only one does: 0 is the person's right, 1 the left
    amplitude: float  # about 1
    rate: float  # about 1, of the repeated motion
    start: float  # radians, the initial phase of the repeated motion
    spot: tuple[float, float, float]  # random shift of the hand's target, with a standard deviation of about 1 each
    attack: float  # fraction of the clip until the pose is reached
    release: float  # fraction of the clip for the return to rest

    def cycle(self, seconds_T: np.ndarray, hertz: float, delay: float = 0.0) -> np.ndarray:
        """Return the repeated motion, a sine of about ``hertz`` in -amplitude to amplitude."""
        return self.amplitude * np.sin(2 * np.pi * hertz * self.rate * seconds_T + self.start + delay)


@dataclass(frozen=True)
class Gesture:
    """A class of the demo: its number in iMiGUE's label files (1..31 or 99), in MA-52's lists and in SMG's label files
    (1..17; None: SMG has no such class), and its motion.

    ``share`` is its fraction of all clips; these are long-tailed, as in the real corpora. ``mood`` is 1 for a gesture
    that is more frequent after a win, and -1 after a loss.
    """

    name: str
    imigue: int
    ma52: int
    smg: int | None
    share: float
    mood: float
    move: Callable[[Build, np.ndarray, Variation], Pose]


def vary(rng: np.random.Generator) -> Variation:
    """Draw a random variation."""
    return Variation(
        side=int(rng.integers(2)),
        amplitude=float(rng.uniform(0.5, 1.25)),
        rate=float(rng.uniform(0.7, 1.3)),
        start=float(rng.uniform(0, 2 * np.pi)),
        spot=tuple(float(value) for value in rng.normal(size=3)),
        attack=float(rng.uniform(0.12, 0.3)),
        release=float(rng.uniform(0.1, 0.25)),
    )


def rest(frames: int, spread: float = 0.3, forward: float = 0.55) -> Pose:
    """Return the pose with both hands on the desk, ``spread`` from the middle and ``forward`` of the shoulders."""

    def both(x: float, y: float, z: float) -> np.ndarray:
        return np.repeat(np.stack([x * _OUT, [y, y], [z, z]], axis=-1)[None], frames, axis=0)

    return Pose(
        wrists_T23=both(spread, 1.02, forward),
        fingers_T23=both(-0.75, 0.22, 0.6),
        palms_T23=both(-0.25, 1.0, 0.1),
        elbows_T23=both(0.7, 1.0, -0.3),
        curls_T25=np.full((frames, 2, 5), 0.25),
        head_T3=np.zeros((frames, 3)),
        shoulders_T2=np.zeros((frames, 2)),
        lean_T3=np.zeros((frames, 3)),
        mouth_T=np.zeros(frames),
        eyes_T=np.ones(frames),
        brows_T=np.zeros(frames),
        smile_T=np.zeros(frames),
        worry_T=np.zeros(frames),
    )


def act(
    resting: Pose,
    build: Build,
    performances: Sequence[tuple[Gesture, int, int, Variation]],
    fps: float,
) -> Pose:
    """A recording's pose: rest, and in the frames ``start`` to ``end`` (included) of each performance its gesture.

    Where two overlap in time, the hands are on their way from one to the other.
    """
    pose = Pose(**{field.name: getattr(resting, field.name).copy() for field in fields(Pose)})
    for gesture, start, end, variation in performances:
        seconds_T = np.arange(end - start + 1) / fps
        moved = gesture.move(build, seconds_T, variation)
        phase_T = (np.arange(end - start + 1) + 1) / (end - start + 2)
        height_T = _smooth(phase_T / variation.attack) * _smooth((1 - phase_T) / variation.release)
        for field in fields(Pose):
            there = getattr(moved, field.name)
            part = height_T.reshape(-1, *[1] * (there.ndim - 1))
            before = getattr(resting, field.name)[start : end + 1]
            getattr(pose, field.name)[start : end + 1] += part * (there - before)
        # Hands move towards the camera on their way, so that they do not pass through the body.
        pose.wrists_T23[start : end + 1, :, 2] += 0.5 * (height_T * (1 - height_T))[:, None]
    pose.fingers_T23, pose.palms_T23 = unit(pose.fingers_T23), unit(pose.palms_T23)
    return pose


def _smooth(ramp: np.ndarray) -> np.ndarray:
    ramp = np.clip(ramp, 0, 1)
    return ramp * ramp * (3 - 2 * ramp)


def _put_hand(
    pose: Pose, side: int, wrist: Sequence, fingers: Sequence, palm: Sequence, elbow: Sequence, curl: float
) -> None:
    """Set one hand and arm; every x is for the left hand (outwards is positive), and is mirrored for the right hand."""
    mirror = np.array([_OUT[side], 1.0, 1.0])
    for target, value in (
        (pose.wrists_T23, wrist),
        (pose.fingers_T23, fingers),
        (pose.palms_T23, palm),
        (pose.elbows_T23, elbow),
    ):
        target[:, side] = np.stack(np.broadcast_arrays(*value, pose.mouth_T)[:3], axis=-1) * mirror
    pose.curls_T25[:, side] = curl


def _touch_face(build: Build, seconds_T: np.ndarray, variation: Variation) -> Pose:
    """One hand at cheek, mouth or nose, its fingers scratching up and down; the head leans slightly towards it."""
    pose, side = rest(len(seconds_T)), variation.side
    scratch = variation.cycle(seconds_T, 2.6)
    height = -build.neck + 0.2 * build.head + 0.08 * variation.spot[1]
    out = 0.16 + 0.06 * variation.spot[0]
    _put_hand(
        pose,
        side,
        wrist=(out + 0.05 + 0.02 * scratch, height + 0.34 + 0.07 * scratch, 0.36),
        fingers=(-0.3 + 0.12 * scratch, -1.0, -0.05),
        palm=(-0.45, -0.1, -1.0),
        elbow=(0.75, 1.0, 0.1),
        curl=0.3,
    )
    pose.curls_T25[:, side, 1:3] += 0.25 * scratch[:, None]
    pose.head_T3[:, 2] = 0.1 * _OUT[side]
    pose.head_T3[:, 0] = -0.08
    return pose


def _touch_neck(build: Build, seconds_T: np.ndarray, variation: Variation) -> Pose:
    """One hand at the side of the neck, elbow lifted, rubbing back and forth; the head leans away."""
    pose, side = rest(len(seconds_T)), variation.side
    rub = variation.cycle(seconds_T, 1.9)
    _put_hand(
        pose,
        side,
        wrist=(0.42 + 0.05 * variation.spot[0] + 0.06 * rub, 0.0 + 0.08 * variation.spot[1] - 0.05 * rub, 0.3),
        fingers=(-1.0, -0.5 + 0.15 * rub, -0.2),
        palm=(-0.1, 0.3, -1.0),
        elbow=(1.0, 0.45, 0.2),
        curl=0.3,
    )
    pose.head_T3[:, 2] = -0.2 * _OUT[side]
    pose.head_T3[:, 1] = 0.18 * _OUT[side]
    return pose


def _fold_arms(build: Build, seconds_T: np.ndarray, variation: Variation) -> Pose:
    """Forearms crossed in front of the chest, hands at the other arm's elbow; almost only breathing moves."""
    pose = rest(len(seconds_T))
    breath = variation.cycle(seconds_T, 0.7)
    for side in (RIGHT, LEFT):
        above = side == variation.side
        _put_hand(
            pose,
            side,
            wrist=(
                -0.27 + 0.03 * variation.spot[0],
                (0.5 if above else 0.62) + 0.05 * variation.spot[1] - 0.025 * breath,
                0.5 if above else 0.36,
            ),
            fingers=(-1.0, -0.25, -0.2),
            palm=(0.0, 0.2, -1.0),
            elbow=(0.5, 1.0, 0.15),
            curl=0.35,
        )
    pose.shoulders_T2[:] = 0.04 + 0.03 * breath[:, None]
    pose.lean_T3[:, 2] = -0.05
    return pose


def _cross_fingers(build: Build, seconds_T: np.ndarray, variation: Variation) -> Pose:
    """Fingers interlaced over the desk, rocking slowly, thumbs turning."""
    pose = rest(len(seconds_T))
    rock = variation.cycle(seconds_T, 1.2)
    for side in (RIGHT, LEFT):
        _put_hand(
            pose,
            side,
            wrist=(
                0.27 + 0.02 * _OUT[side] * rock,
                0.82 + 0.05 * variation.spot[1] + 0.04 * rock,
                0.68 + 0.03 * variation.spot[2],
            ),
            fingers=(-0.85, -0.45, 0.15),
            palm=(-0.45, 0.3, -0.9),
            elbow=(1.0, 0.8, -0.1),
            curl=0.75,
        )
        pose.curls_T25[:, side, 0] = 0.4 + 0.6 * variation.cycle(seconds_T, 1.8, delay=np.pi * side)
    return pose


def _rub_hands(build: Build, seconds_T: np.ndarray, variation: Variation) -> Pose:
    """Palms together in front of the chest, one moving up while the other moves down."""
    pose = rest(len(seconds_T))
    for side in (RIGHT, LEFT):
        rub = variation.cycle(seconds_T, 2.8, delay=np.pi * side)
        _put_hand(
            pose,
            side,
            wrist=(
                0.1 + 0.02 * variation.spot[0] * _OUT[side],
                0.76 + 0.06 * variation.spot[1] + 0.085 * rub,
                0.66 + 0.04 * rub,
            ),
            fingers=(-0.12, -0.9, 0.35),
            palm=(-1.0, 0.0, 0.0),
            elbow=(1.0, 0.7, -0.1),
            curl=0.02,
        )
    return pose


def _head_up(build: Build, seconds_T: np.ndarray, variation: Variation) -> Pose:
    """Chin lifted and eyes to the ceiling, the head moving slightly; the hands stay still."""
    pose = rest(len(seconds_T))
    pose.head_T3[:, 0] = 0.56 * (0.7 + 0.3 * variation.amplitude) + 0.1 * variation.cycle(seconds_T, 1.1)
    pose.head_T3[:, 1] = 0.12 * variation.spot[0] + 0.05 * variation.cycle(seconds_T, 0.8, delay=1.0)
    pose.lean_T3[:, 2] = -0.06
    pose.brows_T[:] = 0.02
    pose.mouth_T[:] = 0.15
    return pose


def _shake_shoulders(build: Build, seconds_T: np.ndarray, variation: Variation) -> Pose:
    """Shoulders moving up and down, together or in turn, with the trunk; the hands stay still."""
    pose = rest(len(seconds_T))
    in_turn = np.pi * 0.8 * (variation.spot[0] > 0)
    for side in (RIGHT, LEFT):
        lift = variation.cycle(seconds_T, 2.3, delay=in_turn * side)
        pose.shoulders_T2[:, side] = 0.06 + 0.095 * lift
    pose.lean_T3[:, 0] = 0.05 * variation.cycle(seconds_T, 2.3 / 2)
    pose.head_T3[:, 0] = -0.06
    return pose


def _illustrate(build: Build, seconds_T: np.ndarray, variation: Variation) -> Pose:
    """Open hands beating and circling beside the chest while the person speaks; sometimes only one hand."""
    pose = rest(len(seconds_T))
    one_hand = variation.spot[2] > 0.3
    for side in (RIGHT, LEFT):
        if one_hand and side != variation.side:
            continue
        beat = variation.cycle(seconds_T, 1.6, delay=0.5 * side)
        sweep = variation.cycle(seconds_T, 1.1, delay=1.5 + 0.7 * side)
        _put_hand(
            pose,
            side,
            wrist=(
                0.5 + 0.11 * variation.spot[0] + 0.14 * sweep,
                0.6 + 0.11 * variation.spot[1] + 0.14 * beat,
                0.72,
            ),
            fingers=(-0.15 + 0.3 * sweep, -0.75 + 0.3 * beat, 0.6),
            palm=(-0.7, -0.35, 0.5),
            elbow=(0.6, 1.0, -0.2),
            curl=0.12,
        )
    pose.mouth_T[:] = 0.35 + 0.3 * np.sin(2 * np.pi * 3.1 * seconds_T + variation.start)
    pose.head_T3[:, 0] = 0.05 * variation.cycle(seconds_T, 1.6)
    return pose


# Class ids: iMiGUE (Liu et al., CVPR 2021) as in the MiGA release, MA-52 (Guo et al., TCSVT 2024), SMG (Chen et al.,
# IJCV 2023). Moods are invented.
GESTURES = (
    Gesture("touching or scratching facial parts", 8, 41, 12, 0.15, -0.8, _touch_face),
    Gesture("touching or scratching neck", 12, 32, 6, 0.10, -0.6, _touch_neck),
    Gesture("folding arms", 17, 37, 3, 0.12, -0.3, _fold_arms),
    Gesture("rubbing or holding hands", 23, 14, 8, 0.09, -0.2, _rub_hands),
    Gesture("crossing fingers", 24, 21, 8, 0.08, -0.9, _cross_fingers),
    Gesture("head up", 28, 6, None, 0.06, 0.9, _head_up),
    Gesture("shaking shoulders", 31, 2, None, 0.18, 0.4, _shake_shoulders),
    Gesture("illustrative gesture", 99, 23, 17, 0.22, 0.9, _illustrate),
)
