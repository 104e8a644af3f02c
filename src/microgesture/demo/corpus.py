"""Write a demo corpus in the layout of a release, and the test labels, which the release does not contain."""

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from importlib import import_module
from multiprocessing import get_context
from pathlib import Path

import pandas as pd

from ..config.corpora import FORMATS, SYNTHETIC
from ..errors import InputError
from ..progress import progress
from ..storage.clips import SPLITS
from ..storage.files import write_csv
from .sittings import Sitting


def make_demo(
    root: Path,
    layout: str,
    truth: Path,
    seed: int,
    subjects: dict[str, int],
    clips: dict[str, int],
    frame: tuple[int, int],
    workers: int,
    emotion: bool = False,
    emotion_truth: Path | None = None,
) -> list[Path]:
    """Write a demo corpus under ``root`` and return the files written, sorted.

    ``layout`` is the name of a format with a synthetic version; the files are laid out as in that release. ``subjects``
    and ``clips`` are the numbers for each split (train, val, test); ``frame`` is the videos' (width, height) in pixels,
    even numbers. The test labels, which the release does not contain, are written to ``truth`` (columns Id, Target).
    With ``emotion`` (formats with ``synthetic_emotions``), every person has one recording after a win and one after a
    loss, and the outcomes of the test recordings are written to ``emotion_truth`` (columns video_id, label: Win or
    Lose). The same arguments give the same bytes, for any number of ``workers``.

    Raises ``InputError`` if the settings cannot be met.
    """
    root = Path(root)
    _check(layout, subjects, clips, frame)
    if emotion and (not FORMATS[layout].synthetic_emotions or emotion_truth is None):
        raise InputError(f"demo: layout '{layout}' has no synthetic emotions, or the file for those of test is missing")
    options = {"emotion": True} if emotion else {}
    release = import_module(FORMATS[layout].synthetic_module)
    plans = {split: release.plan(split, seed, subjects[split], clips[split], **options) for split in SPLITS}
    sittings = [sitting for split in SPLITS for sitting in plans[split]]
    write = partial(release.write, root, seed=seed, frame=frame)
    bar = progress(_each(write, sittings, workers), f"demo {layout}", len(sittings), "recording")
    files, answers = map(list, zip(*bar, strict=True))
    lists = release.write_lists(root, sittings, answers)
    hidden = [
        clip for sitting, known in zip(sittings, answers, strict=True) if sitting.split == "test" for clip in known
    ]
    write_csv(truth, pd.DataFrame(hidden, columns=["Id", "Target"]))
    if emotion:
        write_csv(emotion_truth, release.emotion_truth(sittings))
    return sorted([path for written in files for path in written] + lists)


def _check(layout: str, subjects: dict[str, int], clips: dict[str, int], frame: tuple[int, int]) -> None:
    if layout not in SYNTHETIC:
        raise InputError(f"the demo's layout '{layout}' is not one of {', '.join(SYNTHETIC)}")
    for name, counts in (("subjects", subjects), ("clips", clips)):
        if set(counts) != set(SPLITS) or min(counts.values()) < 1:
            raise InputError(
                f"demo: {name} = {counts} must have a number of at least 1 for each of {', '.join(SPLITS)}"
            )
    if frame[0] % 2 or frame[1] % 2 or min(frame) < 64:
        raise InputError(f"demo: the frame {frame[0]} x {frame[1]} must have even sides of at least 64 pixels")


def _each(write: partial, sittings: list[Sitting], workers: int) -> Iterator[tuple[list[Path], list[tuple[str, int]]]]:
    """Write the sittings in order, in this process if there is only one worker."""
    if workers == 1:
        yield from map(write, sittings)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        yield from pool.map(write, sittings)
