"""The demo in the layout of MA-52: a video for each clip, and lists."""

from pathlib import Path

import numpy as np

from ..storage.files import replacing
from ..videos.writing import write_video
from .gestures import GESTURES, act, vary
from .people import Framing, draw_recording, draw_subject, idle, render
from .sittings import Sitting, deal, draw_length, once_or_twice, random_for, refuse_crowd

FPS = 30
_FRAMING = Framing((0.3, 0.36), (0.42, 0.5))
_FRAMES = (16, 32)  # a clip's shortest and longest length


def plan(split: str, seed: int, subjects: int, clips: int) -> list[Sitting]:
    """Plan the recordings of a split: every subject has one or two, with the classes in random order."""
    people = once_or_twice(split, subjects)
    refuse_crowd(split, subjects, clips, len(people))
    hands = deal(random_for(seed, "ma52", split), clips, len(people))
    numbers = np.cumsum([0, *(len(hand) for hand in hands)])[:-1].tolist()
    return [Sitting(split, *who, *which) for who, *which in zip(people, numbers, hands, strict=True)]


def write(root: Path, sitting: Sitting, seed: int, frame: tuple[int, int]) -> tuple[list[Path], list[tuple[str, int]]]:
    """Write one recording as a video for each clip; returns the files, and each clip's id and class."""
    subject = draw_subject(random_for(seed, "ma52", "subject", sitting.subject))
    rng = random_for(seed, "ma52", "recording", sitting.split, sitting.number)
    recording = draw_recording(rng, subject, frame, _FRAMING)
    files, answers = [], []
    for place, index in enumerate(sitting.gestures):
        gesture, frames = GESTURES[index], draw_length(rng, _FRAMES)
        pose = act(idle(rng, frames, FPS), subject.build, [(gesture, 0, frames - 1, vary(rng))], FPS)
        if sitting.split == "test":
            name = f"test{sitting.number + place:04d}"
        else:
            name = f"{sitting.subject:04d}_{sitting.session + 1:02d}_{sitting.number + place + 1:04d}"
        files.append(root / f"videos_{sitting.split}" / f"{name}.mp4")
        answers.append((name, gesture.ma52))
        write_video(files[-1], render(recording, pose, frame)[0], FPS, quick=True)
    return files, answers


def write_lists(root: Path, sittings: list[Sitting], answers: list[list[tuple[str, int]]]) -> list[Path]:
    """Write lists as in MA-52: CRLF between the lines, none after the last of the test list, no test labels."""
    lists: dict[str, list[tuple[str, int]]] = {}
    for sitting, clips in zip(sittings, answers, strict=True):
        lists.setdefault(sitting.split, []).extend(clips)
    paths = []
    for split, clips in lists.items():
        hidden = split == "test"
        lines = [f"{name}.mp4 {0 if hidden else label}" for name, label in sorted(clips)]
        paths.append(root / f"{split}_list_videos.txt")
        with replacing(paths[-1]) as temporary:
            temporary.write_bytes(("\r\n".join(lines) + ("" if hidden else "\r\n")).encode())
    return paths
