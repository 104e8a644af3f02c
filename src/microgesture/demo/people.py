"""The demo's people and how they are filmed: subjects, rooms, cameras, and a person's motion between gestures."""

from dataclasses import dataclass

import cv2
import numpy as np

from .drawing import Colour, Look, Room, draw, shade
from .figure import ARMS, FACE, HANDS, Build, Camera, Pose, keypoints, solve
from .gestures import rest

_SKINS = ((255, 214, 180), (244, 194, 152), (230, 174, 128), (208, 148, 102), (172, 114, 76), (138, 88, 58))
_HAIRS = ((28, 22, 20), (52, 36, 28), (96, 66, 44), (170, 140, 92), (120, 56, 34), (150, 148, 146))
# Clothes, walls and desks are darker and cooler than skin, because tiny networks must find two hands of 8 pixels after
# training on a few hundred clips.
_SHIRTS = (
    (38, 62, 112), (78, 42, 76), (66, 78, 96), (42, 44, 50), (40, 84, 70), (56, 92, 136), (76, 66, 116),
    (44, 100, 112), (84, 94, 108), (30, 66, 80),
)  # fmt: skip
_WALLS = ((80, 98, 122), (104, 112, 120), (66, 74, 88), (84, 106, 102), (90, 88, 108), (112, 122, 134), (56, 82, 100))
_DESKS = ((62, 54, 52), (54, 50, 52), (84, 90, 94), (58, 64, 74), (70, 80, 82))


@dataclass(frozen=True)
class Subject:
    """One person: proportions and looks, the same in all recordings."""

    build: Build
    look: Look


@dataclass(frozen=True)
class Framing:
    """How close the camera of a corpus is: ``scale`` is the range of the shoulder width as a fraction of the frame's
    width, ``neck`` the range of the vertical position of the shoulders as a fraction of the frame's height."""

    scale: tuple[float, float]
    neck: tuple[float, float]


@dataclass(frozen=True)
class Recording:
    """One sitting of one subject before one camera."""

    subject: Subject
    room: Room
    camera: Camera


def draw_subject(rng: np.random.Generator) -> Subject:
    """Draw a random person."""
    build = Build(
        upper_arm=rng.uniform(0.74, 0.87),
        forearm=rng.uniform(0.63, 0.74),
        hand=rng.uniform(0.48, 0.56),
        neck=rng.uniform(0.57, 0.67),
        head=rng.uniform(0.9, 1.1),
        head_width=rng.uniform(0.92, 1.08),
    )
    shirt = _pick(rng, _SHIRTS)
    style = ("short", "short", "long", "bun", "bald")[rng.integers(5)]
    collar = ("round", "open", "suit")[rng.integers(3)]
    look = Look(
        skin=_jitter(rng, _pick(rng, _SKINS), 4),
        hair=_jitter(rng, _pick(rng, _HAIRS), 8),
        shirt=_jitter(rng, shirt, 14),
        trim=_pick(rng, [colour for colour in _SHIRTS if colour != shirt]),
        hair_style=style,
        collar=collar,
        long_sleeves=bool(collar == "suit" or rng.random() < 0.5),
        stripes=bool(collar != "suit" and rng.random() < 0.35),
        beard=bool(style in ("short", "bald") and rng.random() < 0.4),
        glasses=bool(rng.random() < 0.3),
        girth=rng.uniform(0.88, 1.15),
    )
    return Subject(build, look)


def draw_recording(rng: np.random.Generator, subject: Subject, frame: tuple[int, int], framing: Framing) -> Recording:
    """Place a subject in a random room in front of a camera; ``frame`` is (width, height) in pixels."""
    width, height = frame
    camera = Camera(
        scale=float(width * rng.uniform(*framing.scale)),
        centre=(float(width * rng.uniform(0.46, 0.54)), float(height * rng.uniform(*framing.neck))),
        yaw=float(rng.uniform(-0.2, 0.2)),
    )
    horizon = int(camera.centre[1] + 0.9 * camera.scale)
    wall_HWC = _draw_wall(rng, width, height)
    desk_HWC = _draw_desk(rng, wall_HWC, horizon, camera)
    return Recording(subject, Room(wall_HWC, desk_HWC, _draw_light(rng, width, height), horizon), camera)


def idle(rng: np.random.Generator, frames: int, fps: float) -> Pose:
    """Return the pose between gestures: hands on the desk, with sway, glances, blinks and small finger movements."""
    seconds_T = np.arange(frames) / fps
    pose = rest(frames, spread=rng.uniform(0.2, 0.45), forward=rng.uniform(0.45, 0.65))
    pose.wrists_T23 += 0.03 * rng.normal(size=(1, 2, 3))
    pose.lean_T3 += 0.022 * wander(rng, seconds_T, 3)
    pose.head_T3 += np.array([0.05, 0.11, 0.04]) * wander(rng, seconds_T, 3)
    pose.shoulders_T2 += 0.008 * wander(rng, seconds_T, 2)
    pose.wrists_T23 += 0.012 * wander(rng, seconds_T, 6).reshape(-1, 2, 3)
    pose.curls_T25 += 0.08 * wander(rng, seconds_T, 10).reshape(-1, 2, 5)
    pose.brows_T += 0.008 * wander(rng, seconds_T, 1)[:, 0]
    for blink in np.flatnonzero(rng.random(frames) < 0.3 / fps):
        pose.eyes_T[blink : blink + 3] = 0
    return pose


def render(recording: Recording, pose: Pose, frame: tuple[int, int]) -> tuple[list[np.ndarray], np.ndarray]:
    """Draw a pose of T frames: the pictures, uint8 (H, W, 3) RGB each, and the true keypoints (T, 137, 3)."""
    projected_TN3 = recording.camera.project(solve(recording.subject.build, pose))
    scale, look, room = recording.camera.scale, recording.subject.look, recording.room
    pictures = [draw(room, look, points_N3, scale) for points_N3 in projected_TN3]
    return pictures, keypoints(projected_TN3, *frame)


def observe(rng: np.random.Generator, true_TVC: np.ndarray, shoulder: float) -> np.ndarray:
    """Simulate a pose estimator on the true keypoints (T, 137, 3): noise, lost points, and its confidence.

    ``shoulder`` is the shoulder width in pixels. Noise is about 1 % of it if the confidence is high, and more if it is
    low. The estimator loses what is hard to see, for some frames at a time: a hand that touches the face, the other
    hand or the other arm (or it exchanges the hands), a forearm, the face; rarely a single joint or the whole person.
    """
    frames, joints = true_TVC.shape[:2]
    seen_TVC, doubt_TV = true_TVC.copy(), rng.beta(1.3, 6.0, size=(frames, joints))
    missing_TV = rng.random((frames, joints)) < 0.02
    for side, (shoulder_joint, elbow, wrist) in enumerate(ARMS):
        hand = slice(HANDS[side], HANDS[side] + 21)
        other_hand = slice(HANDS[1 - side], HANDS[1 - side] + 21)
        touches_T = _touches(true_TVC, side, 0.5 * shoulder)
        doubt_TV[:, hand] += np.where(touches_T, 0.4, 0.1)[:, None]
        doubt_TV[:, wrist] += np.where(touches_T, 0.3, 0.0)
        lost_T = spells(rng, np.where(touches_T, 0.14, 0.02), 0.12)
        confused_T = lost_T & spells(rng, np.full(frames, 0.1), 0.1)
        seen_TVC[confused_T, hand] = true_TVC[confused_T, other_hand]
        missing_TV[:, hand] |= (lost_T & ~confused_T)[:, None]
        no_forearm_T = spells(rng, np.where(touches_T, 0.035, 0.015), 0.07)
        missing_TV[:, elbow : wrist + 1] |= no_forearm_T[:, None]
        missing_TV[:, hand] |= no_forearm_T[:, None]
        unsure_T = spells(rng, np.full(frames, 0.02), 0.1)
        doubt_TV[:, shoulder_joint : wrist + 1] += 0.6 * unsure_T[:, None]
    missing_TV[:, FACE : FACE + 70] |= spells(rng, np.full(frames, 0.015), 0.1)[:, None]
    sigma_TV = shoulder * (0.009 + 0.08 * np.minimum(doubt_TV, 0.9) ** 1.5)
    noise_TV2 = rng.normal(size=(frames, joints, 2))
    # The errors of estimators are correlated over time.
    for frame in range(1, frames):
        noise_TV2[frame] = 0.6 * noise_TV2[frame - 1] + 0.8 * noise_TV2[frame]
    seen_TVC[..., :2] += noise_TV2 * sigma_TV[..., None]
    seen_TVC[..., 2] = np.clip(0.97 - doubt_TV, 0.05, 1)
    missing_TV |= true_TVC[..., 2] == 0
    missing_TV[rng.random(frames) < 0.003] = True
    seen_TVC[missing_TV] = 0
    return np.round(seen_TVC, 3)


def _touches(true_TVC: np.ndarray, side: int, reach: float) -> np.ndarray:
    """Whether a hand is within ``reach`` pixels of the nose, the chin, the other hand or the other elbow, (T,) bool."""
    hand_T2 = true_TVC[:, HANDS[side] + 9, :2]
    obstacles = (0, FACE + 8, HANDS[1 - side] + 9, ARMS[1 - side][1])
    distances = [np.hypot(*(hand_T2 - true_TVC[:, other, :2]).T) for other in obstacles]
    return np.min(distances, axis=0) < reach


def spells(rng: np.random.Generator, begin_T: np.ndarray, end: float) -> np.ndarray:
    """Draw a state over time, (T,) bool: in each frame it starts with probability ``begin_T`` and ends with ``end``."""
    state_T, dice_T = np.zeros(len(begin_T), bool), rng.random(len(begin_T))
    for frame in range(len(begin_T)):
        before = frame > 0 and state_T[frame - 1]
        state_T[frame] = dice_T[frame] >= end if before else dice_T[frame] < begin_T[frame]
    return state_T


def wander(rng: np.random.Generator, seconds_T: np.ndarray, channels: int) -> np.ndarray:
    """Return smooth random movement, (T, channels), of unit variance, as sums of three slow sines."""
    hertz = rng.uniform(0.08, 0.6, size=(3, channels))
    start = rng.uniform(0, 2 * np.pi, size=(3, channels))
    return np.sin(2 * np.pi * hertz * seconds_T[:, None, None] + start).sum(axis=1) / np.sqrt(1.5)


def _pick(rng: np.random.Generator, colours: list[Colour] | tuple[Colour, ...]) -> Colour:
    return colours[rng.integers(len(colours))]


def _jitter(rng: np.random.Generator, colour: Colour, spread: float) -> Colour:
    shift = rng.normal() * spread + rng.normal(size=3) * spread / 3
    return tuple(np.clip(np.array(colour) + shift, 0, 255).astype(int).tolist())


def _draw_wall(rng: np.random.Generator, width: int, height: int) -> np.ndarray:
    """Draw a wall with a gradient and sponsors' boards, a window, a bookshelf or a curtain."""
    wall = _jitter(rng, _pick(rng, _WALLS), 10)
    ramp = np.linspace(1.1, 0.85, height)[:, None, None] * np.linspace(*rng.uniform(0.85, 1.1, 2), width)[None, :, None]
    back = np.clip(np.array(wall) * ramp, 0, 255).astype(np.uint8)
    kind = rng.integers(4)
    if kind == 0:
        step = width / rng.uniform(4, 6)
        tints = [_jitter(rng, _pick(rng, _SHIRTS), 15) for _ in range(2)]
        for row in range(int(height / step * 1.6) + 1):
            for column in range(int(width / step) + 2):
                x, y = (column - 0.5 * (row % 2)) * step, row * step * 0.62
                corner = (int(x + 0.2 * step), int(y + 0.2 * step)), (int(x + 0.85 * step), int(y + 0.45 * step))
                cv2.rectangle(back, *corner, shade(wall, 1.25), -1)
                inner = (corner[0][0] + 3, corner[0][1] + 3), (corner[1][0] - 3, corner[1][1] - 3)
                cv2.rectangle(back, *inner, tints[(row + column) % 2], -1)
    elif kind == 1:
        left, right = sorted(rng.uniform(0, width, 2))
        right = max(right, left + width / 4)
        cv2.rectangle(back, (int(left), 0), (int(right), int(0.55 * height)), shade(wall, 1.3), -1)
        for share in (0, 0.5, 1):
            x = int(left + share * (right - left))
            cv2.line(back, (x, 0), (x, int(0.55 * height)), shade(wall, 0.75), 3)
        cv2.line(back, (int(left), int(0.55 * height)), (int(right), int(0.55 * height)), shade(wall, 0.75), 3)
    elif kind == 2:
        for row in range(5):
            y = int(height * (0.02 + 0.17 * row))
            x = int(rng.uniform(0, 8))
            while x < width:
                book = int(rng.uniform(0.018, 0.035) * width)
                top = y + int(rng.uniform(0, 0.05) * height)
                cv2.rectangle(
                    back, (x, top), (x + book - 2, y + int(0.14 * height)), _jitter(rng, _pick(rng, _SHIRTS), 30), -1
                )
                x += book
            cv2.line(back, (0, y + int(0.15 * height)), (width, y + int(0.15 * height)), (70, 48, 34), 3)
        back = cv2.addWeighted(back, 0.45, np.full_like(back, wall), 0.55, 0)
    else:
        fold = 1 + 0.12 * np.sin(np.arange(width) / width * 2 * np.pi * rng.uniform(8, 16))
        back = np.clip(back * fold[None, :, None], 0, 255).astype(np.uint8)
    return cv2.GaussianBlur(back, (0, 0), 1.2)


def _draw_desk(rng: np.random.Generator, wall_HWC: np.ndarray, horizon: int, camera: Camera) -> np.ndarray:
    """Draw the top and the front of the desk, and objects at its ends: a bottle, a cup, a name plate."""
    height, width = wall_HWC.shape[:2]
    wood = _jitter(rng, _pick(rng, _DESKS), 10)
    desk = wall_HWC.copy()
    front = int(horizon + 0.42 * camera.scale)
    rows = np.arange(horizon, height)
    tone = np.where(rows < front, 1.0 + 0.25 * (rows - horizon) / max(front - horizon, 1), 0.62)
    grain = 1 + 0.03 * rng.normal(size=(len(rows), 1))
    desk[horizon:] = np.clip(np.array(wood) * (tone[:, None] * grain)[..., None], 0, 255).astype(np.uint8)
    cv2.line(desk, (0, horizon), (width, horizon), shade(wood, 0.6), 2)
    cv2.line(desk, (0, front), (width, front), shade(wood, 1.35), 2)
    for sign in (-1, 1):
        if rng.random() < 0.5:
            x = int(camera.centre[0] + sign * rng.uniform(1.25, 1.7) * camera.scale)
            top, size = horizon + int(0.1 * camera.scale), camera.scale
            colour = _jitter(rng, _pick(rng, _SHIRTS), 20)
            cv2.rectangle(desk, (x - int(0.09 * size), top), (x + int(0.09 * size), top + int(0.2 * size)), colour, -1)
            cv2.rectangle(
                desk, (x - int(0.09 * size), top), (x - int(0.04 * size), top + int(0.2 * size)), shade(colour, 1.3), -1
            )
            cv2.ellipse(
                desk, (x, top), (int(0.09 * size), int(0.03 * size)), 0, 0, 360, shade(colour, 0.6), -1, cv2.LINE_AA
            )
    return desk


def _draw_light(rng: np.random.Generator, width: int, height: int) -> np.ndarray:
    """Draw light from one side, warm or cold, bright or dim, darker in the corners: uint8 (H, W, 3), 200 is neutral."""
    x, y = np.meshgrid(np.linspace(-1, 1, width), np.linspace(-1, 1, height))
    direction = rng.uniform(-0.12, 0.12)
    light = rng.uniform(0.88, 1.1) * (1 + direction * x - 0.1 * (x**2 + y**2))
    warmth = rng.uniform(-0.04, 0.04)
    tint = np.array([1 + warmth, 1.0, 1 - warmth])
    return np.clip(200 * light[..., None] * tint, 0, 255).astype(np.uint8)
