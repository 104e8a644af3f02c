"""Writing a demo corpus, file by file as the real releases are laid out: who does what when, and in which files.

Nothing about a clip's class can be read off its name, its length, its place in the recording, or the person: lengths
and order are drawn without looking at the class, and every person shows every class about equally often.
"""

import zlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import av
import numpy as np
import pandas as pd

from ..clips import SPLITS
from ..errors import InputError
from ..files import replacing, write_csv, write_text
from ..progress import progress
from .gestures import GESTURES, Gesture, Variation, act, vary
from .people import Framing, draw_recording, draw_subject, idle, observe, render
from .sheet import write_sheet

# Ids of the real release, so that whoever knows the corpus finds each split where it belongs (MiGA clip lists).
_MIGA_VIDEOS = {
    "train": (12, *range(13, 20), 22, 23, *range(25, 33), *range(35, 42), *range(45, 54), *range(55, 65), 73, 75, 76),
    "val": (1, 2, 3, 4, 6, 7, 8, 9, 10, 11),
    "test": (54, 67, *range(69, 73), 74, 77, 79, 85, 98, 105, 106, *range(109, 113), 114, 116, 118, 125, 126, 133, 135),
}
_MIGA_SKELETONS = {
    "train": "imigue_data_phase1/datasets/imigue_skeleton_train",
    "val": "imigue_data_phase1/datasets/imigue_skeleton_validate",
    "test": "imigue_data_phase2/imigue_skeleton_test",
}
_MIGA_VIDEO_FOLDERS = {
    "train": "imigue_rgb_phase1/train_data",
    "val": "imigue_rgb_phase1/validation_data",
    "test": "imigue_rgb_phase2",
}
_FRAMINGS = {"miga": Framing((0.23, 0.28), (0.42, 0.47)), "ma52": Framing((0.3, 0.36), (0.42, 0.5))}
FPS = {"miga": 25, "ma52": 30}
_MIGA_FRAMES = (14, 34)  # a clip's shortest and longest length
_MA52_FRAMES = (16, 32)


@dataclass(frozen=True)
class Performance:
    """One gesture in a recording, from frame ``start`` to frame ``end``, both included."""

    gesture: Gesture
    start: int
    end: int
    variation: Variation


@dataclass(frozen=True)
class Sitting:
    """One recording to be made: whose, the person's which, and the classes (indices into ``GESTURES``) in order.

    ``number`` is the video's id (miga), or how many clips of the split come before (ma52).
    """

    split: str
    subject: int
    session: int
    number: int
    gestures: tuple[int, ...]


def make_demo(
    root: Path,
    layout: str,
    truth: Path,
    seed: int,
    subjects: dict[str, int],
    clips: dict[str, int],
    frame: tuple[int, int],
    workers: int,
) -> list[Path]:
    """Write a demo corpus under ``root`` and return the files written, sorted.

    ``layout`` is ``miga`` (long videos, keypoints and label files as in the MiGA release of iMiGUE) or ``ma52`` (one
    video a clip and list files as in MA-52). ``subjects`` and ``clips`` say how many of each split (train, val, test)
    has; ``frame`` is the videos' (width, height) in pixels, even numbers. The test labels, which the release does not
    hold, go to ``truth`` (columns Id, Target). The same arguments give the same bytes, whatever ``workers`` is.

    Raises ``InputError`` if the settings cannot be met.
    """
    _check(layout, subjects, clips, frame)
    sittings = [sitting for split in SPLITS for sitting in plan(layout, split, seed, subjects[split], clips[split])]
    write = partial(_write_miga if layout == "miga" else _write_ma52, Path(root), seed=seed, frame=frame)
    written, answers, lists = [], [], {split: [] for split in SPLITS}
    bar = progress(_each(write, sittings, workers), f"demo {layout}", len(sittings), "recording")
    for sitting, (files, targets) in zip(sittings, bar, strict=True):
        written += files
        if layout == "ma52":
            lists[sitting.split] += [(path.name, target) for path, target in zip(files, targets, strict=True)]
        if sitting.split == "test":
            ids = [path.stem for path in files] if layout == "ma52" else _miga_ids(sitting)
            answers += zip(ids, targets, strict=True)
    if layout == "ma52":
        written += [_write_list(Path(root), split, rows) for split, rows in lists.items()]
    else:
        written.append(_write_people(Path(root), sittings))
    write_csv(truth, pd.DataFrame(sorted(answers) if layout == "ma52" else answers, columns=["Id", "Target"]))
    return sorted(written)


def plan(layout: str, split: str, seed: int, subjects: int, clips: int) -> list[Sitting]:
    """The recordings of a split: every subject sits once or twice and shows the classes in shuffled order.

    The clips of each class are dealt to the recordings in turn, so that all have the same mixture up to one clip.
    """
    rng = _random(seed, layout, split)
    first = {"train": 3, "val": 103, "test": 203}[split]
    people = [(first + person, session) for person in range(subjects) for session in range(1 + person % 2)]
    deck = np.repeat(np.arange(len(GESTURES)), class_counts(clips))
    dealt = [deck[place :: len(people)] for place in range(len(people))]
    hands = [dealt[place] for place in rng.permutation(len(people))]
    if layout == "miga":
        numbers = _MIGA_VIDEOS[split][: len(people)]
    else:
        numbers = np.cumsum([0, *(len(hand) for hand in hands)])[:-1]
    return [
        Sitting(split, *person, int(number), tuple(int(gesture) for gesture in rng.permutation(hand)))
        for person, number, hand in zip(people, numbers, hands, strict=True)
    ]


def class_counts(clips: int) -> list[int]:
    """How many of ``clips`` clips each class of ``GESTURES`` gets: its share, rounded so that the sum is right."""
    wanted = clips * np.array([gesture.share for gesture in GESTURES])
    counts = np.floor(wanted).astype(int)
    for place in np.argsort(counts - wanted, kind="stable")[: clips - counts.sum()]:
        counts[place] += 1
    return counts.tolist()


def schedule(rng: np.random.Generator, gestures: Sequence[int], frames: tuple[int, int]) -> list[Performance]:
    """When each gesture of a recording happens; a clip's length in frames lies in the range ``frames``.

    Mostly there is a short rest between two clips; in every fifth case the next begins before the last has ended.
    """
    performances, start = [], int(rng.integers(4, 12))
    for gesture in gestures:
        length = draw_length(rng, frames)
        performances.append(Performance(GESTURES[gesture], start, start + length - 1, vary(rng)))
        start += length + (-int(rng.integers(2, 5)) if rng.random() < 0.2 else int(rng.integers(0, 6)))
    return performances


def draw_length(rng: np.random.Generator, frames: tuple[int, int]) -> int:
    """A clip's length: short ones are more frequent than long ones, and the class has no say."""
    shortest, longest = frames
    return shortest + int((longest - shortest + 1) * rng.beta(1.3, 2.2))


def _check(layout: str, subjects: dict[str, int], clips: dict[str, int], frame: tuple[int, int]) -> None:
    if layout not in FPS:
        raise InputError(f"the demo's layout is 'miga' or 'ma52', not '{layout}'")
    for name, counts in (("subjects", subjects), ("clips", clips)):
        if set(counts) != set(SPLITS) or min(counts.values()) < 1:
            raise InputError(
                f"demo: {name} = {counts} must give a number of at least 1 for each of {', '.join(SPLITS)}"
            )
    for split in SPLITS:
        recordings = subjects[split] + subjects[split] // 2
        if clips[split] < recordings:
            raise InputError(f"demo: {clips[split]} {split} clips are too few for {recordings} recordings")
        if layout == "miga" and recordings > len(_MIGA_VIDEOS[split]):
            raise InputError(
                f"demo: {subjects[split]} {split} subjects make {recordings} recordings, and there are video ids for "
                f"{len(_MIGA_VIDEOS[split])}; lower subjects.{split}"
            )
    if frame[0] % 2 or frame[1] % 2 or min(frame) < 64:
        raise InputError(f"demo: the frame {frame[0]} x {frame[1]} must have even sides of at least 64 pixels")


def _random(seed: int, *names: str | int) -> np.random.Generator:
    """A generator of its own for everything that has a name."""
    return np.random.default_rng([seed, zlib.crc32("/".join(map(str, names)).encode())])


def _each(write: partial, sittings: list[Sitting], workers: int) -> Iterator[tuple[list[Path], list[int]]]:
    """Write the sittings, in order; in this process if one worker is all there is."""
    if workers == 1:
        yield from map(write, sittings)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        yield from pool.map(write, sittings)


def _miga_ids(sitting: Sitting) -> list[str]:
    return [f"{sitting.number:04d}_{row}" for row in range(len(sitting.gestures))]


def target(gesture: Gesture) -> int:
    """A gesture's class as the challenge counts it: 0..30, and 31 for the illustrative gesture."""
    return 31 if gesture.imigue == 99 else gesture.imigue - 1


def _write_miga(root: Path, sitting: Sitting, seed: int, frame: tuple[int, int]) -> tuple[list[Path], list[int]]:
    """One recording's video, keypoints and labels; returns the files and the clips' targets."""
    subject = draw_subject(_random(seed, "miga", "subject", sitting.subject))
    rng = _random(seed, "miga", "recording", sitting.number)
    recording = draw_recording(rng, subject, frame, _FRAMINGS["miga"])
    performances = schedule(rng, sitting.gestures, _MIGA_FRAMES)
    frames = performances[-1].end + 1 + int(rng.integers(4, 12))
    pose = idle(rng, frames, FPS["miga"])
    pose = act(pose, subject.build, [(p.gesture, p.start, p.end, p.variation) for p in performances], FPS["miga"])
    pictures, keypoints_TVC = render(recording, pose, frame)
    name = f"{sitting.number:04d}"
    folder = root / _MIGA_SKELETONS[sitting.split] / name
    files = [
        root / _MIGA_VIDEO_FOLDERS[sitting.split] / name / f"{name}.mp4",
        folder / f"{name}_openpose.xlsx",
        folder / f"{name}_label.csv",
    ]
    _write_video(files[0], pictures, FPS["miga"])
    seen_TVC = observe(rng, keypoints_TVC, recording.camera.scale)
    write_sheet(files[1], seen_TVC.reshape(frames, -1))
    hidden = sitting.split == "test"
    rows = [f"{1 if hidden else p.gesture.imigue},{p.start},{p.end}\n" for p in performances]
    write_text(files[2], "".join(rows))
    return files, [target(p.gesture) for p in performances]


def _write_people(root: Path, sittings: list[Sitting]) -> Path:
    """Who is in which recording, as in the licence holders' labels file of iMiGUE, without the labels."""
    path = root / "labels_demo.csv"
    rows = [
        (sitting.number, label + 1, sitting.subject) for sitting in sittings for label in range(len(sitting.gestures))
    ]
    write_csv(path, pd.DataFrame(rows, columns=["video_id", "label_id", "subject_id"]))
    return path


def _write_ma52(root: Path, sitting: Sitting, seed: int, frame: tuple[int, int]) -> tuple[list[Path], list[int]]:
    """One recording as a video for each clip; returns the files and the clips' classes."""
    subject = draw_subject(_random(seed, "ma52", "subject", sitting.subject))
    rng = _random(seed, "ma52", "recording", sitting.split, sitting.number)
    recording = draw_recording(rng, subject, frame, _FRAMINGS["ma52"])
    files, classes = [], []
    for place, index in enumerate(sitting.gestures):
        gesture, frames = GESTURES[index], draw_length(rng, _MA52_FRAMES)
        pose = act(idle(rng, frames, FPS["ma52"]), subject.build, [(gesture, 0, frames - 1, vary(rng))], FPS["ma52"])
        if sitting.split == "test":
            name = f"test{sitting.number + place:04d}.mp4"
        else:
            name = f"{sitting.subject:04d}_{sitting.session + 1:02d}_{sitting.number + place + 1:04d}.mp4"
        files.append(root / f"videos_{sitting.split}" / name)
        classes.append(gesture.ma52)
        _write_video(files[-1], render(recording, pose, frame)[0], FPS["ma52"])
    return files, classes


def _write_list(root: Path, split: str, rows: list[tuple[str, int]]) -> Path:
    """A list file as MA-52 has it: CRLF between the lines, none after the last of the test list, and no test labels."""
    path = root / f"{split}_list_videos.txt"
    lines = [f"{name} {0 if split == 'test' else label}" for name, label in sorted(rows)]
    with replacing(path) as temporary:
        temporary.write_bytes(("\r\n".join(lines) + ("" if split == "test" else "\r\n")).encode())
    return path


def _write_video(path: Path, pictures: list[np.ndarray], fps: int) -> None:
    """Write RGB pictures as h264 in an mp4; one thread and no time stamps of the encoder, for equal bytes."""
    with (
        replacing(path) as temporary,
        av.open(str(temporary), "w", format="mp4", options={"fflags": "+bitexact"}) as file,
    ):
        stream = file.add_stream("libx264", rate=fps, options={"preset": "ultrafast", "crf": "26", "threads": "1"})
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        for picture in pictures:
            file.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        file.mux(stream.encode())
