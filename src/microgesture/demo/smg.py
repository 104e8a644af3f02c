"""The demo in the layout of SMG: a long video and a Kinect skeleton of each person, in folders by split and sample."""

from pathlib import Path

import numpy as np

from ..storage.files import write_text
from ..videos.writing import write_video
from .figure import ARMS, FACE, HANDS, HIPS, Camera, solve
from .gestures import GESTURES, Gesture, act
from .people import Framing, draw_recording, draw_subject, idle, render, spells
from .sittings import Sitting, deal, random_for, refuse_crowd, schedule

FPS = 30
SAMPLES = {"train": range(1, 31), "val": range(31, 36), "test": range(36, 41)}
JOINTS = 25  # of the Kinect v2
_COLUMNS = 11  # of a joint: x, y, z in metres, 4 for orientation, 2 for its pixel in the colour picture, 2 unknown
_SKELETONS = {
    "train": "smg_data_phase1/smg_skeleton_train",
    "val": "smg_data_phase1/smg_skeleton_validate",
    "test": "smg_data_phase2/smg_skeleton_test",
}
_VIDEOS = {
    "train": "SMG_RGB_Phase1/smg_rgb_train",
    "val": "SMG_RGB_Phase1/smg_rgb_validate",
    "test": "SMG_RGB_Phase2/smg_rgb_test",
}
_FRAMING = Framing((0.23, 0.28), (0.42, 0.47))
_FRAMES = (16, 38)  # a clip's shortest and longest length
_MAX_DEPTH = 4500  # millimetres
_SHOWN = [index for index, gesture in enumerate(GESTURES) if gesture.smg is not None]
# Kinect joints, in the order of the file.
_SPINE_BASE, _SPINE_MIDDLE, _NECK, _HEAD, _SPINE_SHOULDER = 0, 1, 2, 3, 20
_ARMS = ((8, 9, 10, 11, 23, 24), (4, 5, 6, 7, 21, 22))  # of either side: shoulder, elbow, wrist, hand, tip, thumb
_LEGS = ((16, 17, 18, 19), (12, 13, 14, 15))  # of either side: hip, knee, ankle, foot
_BELOW = np.array(
    [[0.0, 0.0, 0.0], [0.1, 0.15, 1.1], [0.05, 1.25, 1.0], [0.08, 1.4, 1.3]]
)  # the left leg, seated, from the hip


def plan(split: str, seed: int, subjects: int, clips: int) -> list[Sitting]:
    """Plan the recordings of a split: one for each person, with the demo's gestures that are classes of SMG."""
    refuse_crowd(split, subjects, clips, subjects, SAMPLES[split])
    hands = deal(random_for(seed, "smg", split), clips, subjects, _SHOWN)
    return [Sitting(split, number, 0, number, hand) for number, hand in zip(SAMPLES[split], hands, strict=False)]


def write(root: Path, sitting: Sitting, seed: int, frame: tuple[int, int]) -> tuple[list[Path], list[tuple[str, int]]]:
    """Write one sample's video, skeleton, its length and its labels; returns the files, and each clip's id and target.

    Frames in label files are counted from 0, and the end of a clip is the frame after its last one, as in
    ``smg_gendata.py`` by SMG's authors. The class column of the release's test labels is not known; here it is 1.
    """
    rng = random_for(seed, "smg", "recording", sitting.number)
    subject = draw_subject(rng)
    recording = draw_recording(rng, subject, frame, _FRAMING)
    performances = schedule(rng, sitting.gestures, _FRAMES)
    frames = performances[-1].end + 1 + int(rng.integers(4, 12))
    pose = act(idle(rng, frames, FPS), subject.build, performances, FPS)
    pictures, _ = render(recording, pose, frame)
    joints_TV3 = _seen(rng, kinect(recording.camera.turn(solve(subject.build, pose))))
    shoulder = rng.uniform(0.33, 0.41)
    name = f"Sample{sitting.number:04d}"
    video = root / _VIDEOS[sitting.split] / name / f"{name}_color.mp4"
    folder = root / _SKELETONS[sitting.split] / name
    write_video(video, pictures, FPS, quick=True)
    hidden = sitting.split == "test"
    texts = {
        "skeleton": _rows(joints_TV3, recording.camera, shoulder),
        "data": f"{frames},{FPS},{_MAX_DEPTH}\n",
        "finelabels": "".join(f"{1 if hidden else p.gesture.smg},{p.start},{p.end + 1}\n" for p in performances),
    }
    files = [video]
    for kind, text in texts.items():
        files.append(folder / f"{name}_{kind}.csv")
        write_text(files[-1], text)
    return files, [(f"{name}_{row}", target(p.gesture)) for row, p in enumerate(performances)]


def write_lists(root: Path, sittings: list[Sitting], answers: list[list[tuple[str, int]]]) -> list[Path]:
    """Write nothing: SMG has no lists; folders and sample numbers have all information."""
    return []


def target(gesture: Gesture) -> int:
    """Return a gesture's class as in SMG's label files: 1..17."""
    return gesture.smg


def kinect(points_TN3: np.ndarray) -> np.ndarray:
    """Compute the 25 joints of a Kinect v2, (T, 25, 3), from the figure's points (T, POINTS, 3), with seated legs."""
    joints_TV3 = np.empty((len(points_TN3), JOINTS, 3))
    joints_TV3[:, _SPINE_BASE] = base_T3 = points_TN3[:, HIPS].mean(axis=1)
    joints_TV3[:, _SPINE_SHOULDER] = top_T3 = points_TN3[:, 1]
    joints_TV3[:, _SPINE_MIDDLE] = 0.5 * (base_T3 + top_T3)
    # The head is between the ears, the neck halfway down to the shoulders.
    joints_TV3[:, _HEAD] = head_T3 = points_TN3[:, [FACE + 1, FACE + 15]].mean(axis=1)
    joints_TV3[:, _NECK] = 0.5 * (top_T3 + head_T3)
    for side, (arm, leg) in enumerate(zip(_ARMS, _LEGS, strict=True)):
        hand = HANDS[side]
        joints_TV3[:, arm] = points_TN3[:, [*ARMS[side], hand + 9, hand + 12, hand + 4]]
        joints_TV3[:, leg] = points_TN3[:, [HIPS.start + side]] + _BELOW * (2 * side - 1, 1, 1)
    return joints_TV3


def _seen(rng: np.random.Generator, joints_TV3: np.ndarray) -> np.ndarray:
    """Simulate the sensor: noise, joints that are inferred for some time, and lost joints and people (NaN).

    Noise is about 1 % of the shoulder width if a joint is visible, five times that if it is inferred, and correlated
    over time; depth has more noise. Hands that touch something are often inferred, legs always.
    """
    frames = len(joints_TV3)
    near_TV = np.zeros((frames, JOINTS), bool)
    for arm, other in (_ARMS, _ARMS[::-1]):
        hand_T3 = joints_TV3[:, arm[3]]
        obstacles = joints_TV3[:, [_HEAD, _NECK, other[1], other[3]]]
        near_TV[:, arm[2:]] = (np.linalg.norm(obstacles - hand_T3[:, None], axis=2).min(axis=1) < 0.45)[:, None]
    inferred_TV, lost_TV = np.empty((2, frames, JOINTS), bool)
    for joint in range(JOINTS):
        inferred_TV[:, joint] = spells(rng, np.where(near_TV[:, joint], 0.12, 0.01), 0.12)
        lost_TV[:, joint] = spells(rng, np.full(frames, 0.003), 0.25)
    inferred_TV[:, [joint for leg in _LEGS for joint in leg[1:]]] = True
    lost_TV |= spells(rng, np.full(frames, 0.002), 0.3)[:, None]
    noise_TV3 = rng.normal(size=(frames, JOINTS, 3))
    for frame in range(1, frames):
        noise_TV3[frame] = 0.7 * noise_TV3[frame - 1] + np.sqrt(1 - 0.7**2) * noise_TV3[frame]
    sigma_TV = np.where(inferred_TV, 0.05, 0.01)
    seen_TV3 = joints_TV3 + noise_TV3 * sigma_TV[..., None] * np.array([1, 1, 1.5])
    seen_TV3[lost_TV] = np.nan
    return seen_TV3


def _rows(joints_TV3: np.ndarray, camera: Camera, shoulder: float) -> str:
    """Format the skeleton file: 275 numbers for each frame, all 0 for a lost joint; ``shoulder`` is in metres.

    In metres, x points to the right of the picture, y up and z away from the sensor. Orientations are 0, 0, 0, 1.
    """
    across, down, towards = np.moveaxis(joints_TV3, -1, 0)
    zoom = camera.scale * camera.distance / (camera.distance - towards)
    table_TVC = np.zeros((*joints_TV3.shape[:2], _COLUMNS))
    table_TVC[..., :3] = shoulder * np.stack([across, -down, camera.distance - towards], axis=-1)
    table_TVC[..., 6] = 1
    table_TVC[..., 7:9] = np.stack([camera.centre[0] + across * zoom, camera.centre[1] + down * zoom], axis=-1)
    table_TVC[np.isnan(across)] = 0
    line = ",".join(["%.4f"] * JOINTS * _COLUMNS) + "\n"
    return "".join(line % tuple(row) for row in table_TVC.reshape(len(table_TVC), -1).tolist())
