"""The demo in the layout of the MiGA release of iMiGUE: long videos, keypoints and label files."""

from pathlib import Path

import pandas as pd

from ..storage.files import write_csv, write_text
from ..videos.writing import write_video
from . import emotions
from .gestures import Gesture, act
from .people import Framing, draw_recording, draw_subject, idle, observe, render
from .sheet import write_sheet
from .sittings import Sitting, deal, once_or_twice, random_for, refuse_crowd, schedule, spread

FPS = 25
# Ids of the real release (MiGA clip lists), so that the splits are as in the corpus.
VIDEOS = {
    "train": (
        12, *range(13, 20), 22, 23, *range(25, 33), *range(35, 42), *range(45, 54), *range(55, 65), 73, 75, 76,
        82, 83, 84, 86, 87, 89, 91, *range(93, 98), *range(99, 105), 107, 108, 113, 115, 117, *range(119, 123),
    ),
    "val": (1, 2, 3, 4, 6, 7, 8, 9, 10, 11),
    "test": (
        54, 67, *range(69, 73), 74, 77, 79, 85, 98, 105, 106, *range(109, 113), 114, 116, 118, 125, 126, 133, 135,
        138, 144, 148, 154, 156, 161, 163, 166, 167, 168, 169, 196, 198, 200, 201, 205, 208, 212, 213, 220,
    ),
}  # fmt: skip
_SKELETONS = {
    "train": "imigue_data_phase1/datasets/imigue_skeleton_train",
    "val": "imigue_data_phase1/datasets/imigue_skeleton_validate",
    "test": "imigue_data_phase2/imigue_skeleton_test",
}
_VIDEO_FOLDERS = {
    "train": "imigue_rgb_phase1/train_data",
    "val": "imigue_rgb_phase1/validation_data",
    "test": "imigue_rgb_phase2",
}
_FRAMING = Framing((0.23, 0.28), (0.42, 0.47))
_FRAMES = (14, 34)  # a clip's shortest and longest length


def plan(split: str, seed: int, subjects: int, clips: int, emotion: bool = False) -> list[Sitting]:
    """Plan the recordings of a split: every subject has one or two, with the classes in random order.

    With ``emotion``, every subject has two, one after a win and one after a loss, with an effect on face and gestures.
    """
    if emotion:
        refuse_crowd(split, subjects, clips, 2 * subjects, VIDEOS[split])
        return emotions.plan(split, seed, subjects, clips, VIDEOS[split])
    people = once_or_twice(split, subjects)
    refuse_crowd(split, subjects, clips, len(people), VIDEOS[split])
    hands = deal(random_for(seed, "miga", split), clips, len(people))
    return [Sitting(split, *who, *which) for who, *which in zip(people, VIDEOS[split], hands, strict=False)]


def write(root: Path, sitting: Sitting, seed: int, frame: tuple[int, int]) -> tuple[list[Path], list[tuple[str, int]]]:
    """Write one recording's video, keypoints and labels; returns the files, and each clip's id and target."""
    subject = draw_subject(random_for(seed, "miga", "subject", sitting.subject))
    rng = random_for(seed, "miga", "recording", sitting.number)
    recording = draw_recording(rng, subject, frame, _FRAMING)
    performances = schedule(rng, sitting.gestures, _FRAMES)
    frames = performances[-1].end + 1 + int(rng.integers(4, 12))
    if sitting.mood and sitting.mood.frames > frames:
        performances = spread(rng, performances, sitting.mood.frames - frames)
        frames = sitting.mood.frames
    pose = act(idle(rng, frames, FPS), subject.build, performances, FPS)
    if sitting.mood:
        liveliness = random_for(seed, "miga", "face", sitting.subject).uniform(0.6, 1.2)
        emotions.express(rng, pose, sitting.mood.valence, liveliness, FPS)
    pictures, keypoints_TVC = render(recording, pose, frame)
    name = f"{sitting.number:04d}"
    folder = root / _SKELETONS[sitting.split] / name
    files = [
        root / _VIDEO_FOLDERS[sitting.split] / name / f"{name}.mp4",
        folder / f"{name}_openpose.xlsx",
        folder / f"{name}_label.csv",
    ]
    write_video(files[0], pictures, FPS, quick=True)
    seen_TVC = observe(rng, keypoints_TVC, recording.camera.scale)
    write_sheet(files[1], seen_TVC.reshape(frames, -1))
    hidden = sitting.split == "test"
    rows = [f"{1 if hidden else p.gesture.imigue},{p.start},{p.end}\n" for p in performances]
    write_text(files[2], "".join(rows))
    return files, [(f"{name}_{row}", target(p.gesture)) for row, p in enumerate(performances)]


def write_lists(root: Path, sittings: list[Sitting], answers: list[list[tuple[str, int]]]) -> list[Path]:
    """Write the subject of each recording, as in iMiGUE's labels file for licence holders, without the clips' labels.

    In a corpus with emotions, the file also has the outcome, win or lose, for the recordings of train and val.
    """
    path = root / "labels_demo.csv"
    rows = [
        (sitting.number, label, sitting.subject, _told(sitting))
        for sitting, clips in zip(sittings, answers, strict=True)
        for label in range(1, len(clips) + 1)
    ]
    table = pd.DataFrame(rows, columns=["video_id", "label_id", "subject_id", "win_or_lose"])
    write_csv(path, table if sittings[0].mood else table.drop(columns="win_or_lose"))
    return [path]


def target(gesture: Gesture) -> int:
    """Return a gesture's class as in the challenge: 0..30, and 31 for the illustrative gesture."""
    return 31 if gesture.imigue == 99 else gesture.imigue - 1


def emotion_truth(sittings: list[Sitting]) -> pd.DataFrame:
    """Return the hidden labels of the test recordings: columns video_id and label."""
    rows = [(f"{s.number:04d}", outcome(s)) for s in sittings if s.split == "test"]
    return pd.DataFrame(rows, columns=["video_id", "label"])


def outcome(sitting: Sitting) -> str:
    """Return ``Win`` or ``Lose``, as written in iMiGUE's labels file for licence holders."""
    return "Win" if sitting.mood.won else "Lose"


def _told(sitting: Sitting) -> str:
    return outcome(sitting) if sitting.mood and sitting.split != "test" else ""
