"""Splits for clips that have none: by subject if all subjects are known."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ..measures.people import people_folds, person_of
from ..terminal import counted
from .clips import FoundClip, people_table

PARTS = 5  # one for testing, one for validation, the others for training
NAMES = ("test", "val")


def propose_splits(clips: Sequence[FoundClip], folder: Path) -> tuple[list[FoundClip], list[str]]:
    """Give a split to all clips in ``folder`` without one; also return messages about it.

    Clips without a label go into test. Of the others, one fifth goes into test and one into val. No person
    (see ``person_of``) is in two of these splits; if all clips are of one person, no recording is. The fractions of the
    classes are as similar as possible. If some clips have a split already, the others go into train.
    """
    clips = list(clips)
    open_ones = [number for number, clip in enumerate(clips) if clip.split is None]
    labelled = [number for number in open_ones if clips[number].label is not None]
    if not open_ones:
        return clips, []
    if len(open_ones) < len(clips) or not labelled:
        return [replace(clip, split=clip.split or "train") for clip in clips], [
            f"{counted(len(open_ones), 'clip')} without a split: in train until you change this in clips.csv."
        ]
    notes = []
    if predicted := len(open_ones) - len(labelled):
        notes.append(f"{counted(predicted, 'clip')} without a label: in test, to be predicted.")
    chosen = [clips[number] for number in labelled]
    table = people_table(clips, folder)
    people = person_of(table)[labelled]
    alone = people.nunique() == 1
    groups = (table.recording[labelled] if alone else people).tolist()
    splits = _dealt([clip.label for clip in chosen], groups)
    for number, split in zip(labelled, splits, strict=True):
        clips[number] = replace(clips[number], split=split)
    clips = [replace(clip, split=clip.split or "test") for clip in clips]
    notes.append(_described(alone, all(people.str.startswith("subject ")), groups, splits))
    return clips, notes


def _dealt(labels: Sequence[str], groups: Sequence[str]) -> list[str]:
    """A split for each clip, with no group in two of them."""
    most = max(labels.count(label) for label in set(labels))
    parts = min(PARTS, len(set(groups)), most)
    splits = ["train"] * len(labels)
    if parts < 2:
        return splits
    by_size = people_folds(labels, groups, parts, seed=0)
    by_size.sort(key=lambda rows: abs(len(rows) - len(labels) / PARTS))  # with few subjects, parts have different sizes
    for name, held_out in zip(NAMES[: parts - 1], by_size, strict=False):
        for number in held_out:
            splits[number] = name
    return splits


def _described(alone: bool, known: bool, groups: Sequence[str], splits: Sequence[str]) -> str:
    counts = ", ".join(f"{counted(splits.count(name), 'clip')} for {name}" for name in ("train", "val", "test"))
    if known and not alone:
        return (
            f"Splits are proposed by subject, each in one split: {counts}, of {counted(len(set(groups)), 'subject')}."
        )
    reason = "all clips are of one subject" if known else "not every subject is known"
    each = "clip" if len(set(groups)) == len(groups) else "file"
    return (
        f"Splits can only be proposed by {each}, because {reason}: {counts}. A subject may be in train and in test, "
        "so results do not apply to new subjects; fill in the columns subject and split of clips.csv if you can."
    )
