"""Splits for clips that have none: by subject where subjects are known."""

from collections.abc import Sequence
from dataclasses import replace

from ..measures.people import people_folds
from .clips import FoundClip

PARTS = 5  # one for testing, one for validation, the others for training
NAMES = ("test", "val")


def propose_splits(clips: Sequence[FoundClip]) -> tuple[list[FoundClip], list[str]]:
    """The clips, those without a split with one, and sentences on it.

    Clips without a label are to be predicted. Of the others a fifth is for testing and one for validation, of people
    who are in no other split where every subject is known, and else of files that are in no other, and alike in their
    shares of the classes as far as that allows. Where some clips have a split already, the others are for training.
    """
    clips = list(clips)
    open_ones = [number for number, clip in enumerate(clips) if clip.split is None]
    labelled = [number for number in open_ones if clips[number].label is not None]
    if not open_ones:
        return clips, []
    if len(open_ones) < len(clips) or not labelled:
        return [replace(clip, split=clip.split or "train") for clip in clips], [
            f"{len(open_ones)} clips have no split; they are in train until you say otherwise in clips.csv."
        ]
    notes = []
    if predicted := len(open_ones) - len(labelled):
        notes.append(f"{predicted} clips have no label; they are in test, to be predicted.")
    chosen = [clips[number] for number in labelled]
    people = [clip.subject for clip in chosen]
    by_subject = None not in people and len(set(people)) > 1
    groups = people if by_subject else [str(clip.files[0]) for clip in chosen]
    splits = _dealt([clip.label for clip in chosen], groups)
    for number, split in zip(labelled, splits, strict=True):
        clips[number] = replace(clips[number], split=split)
    clips = [replace(clip, split=clip.split or "test") for clip in clips]
    notes.append(_described(by_subject, people, groups, splits))
    return clips, notes


def _dealt(labels: Sequence[str], groups: Sequence[str]) -> list[str]:
    """A split for each clip, with no group in two of them."""
    most = max(labels.count(label) for label in set(labels))
    parts = min(PARTS, len(set(groups)), most)
    splits = ["train"] * len(labels)
    if parts < 2:
        return splits
    by_size = people_folds(labels, groups, parts, seed=0)
    by_size.sort(key=lambda rows: abs(len(rows) - len(labels) / PARTS))  # few people make parts of unlike sizes
    for name, held_out in zip(NAMES[: parts - 1], by_size, strict=False):
        for number in held_out:
            splits[number] = name
    return splits


def _described(by_subject: bool, people: Sequence[str | None], groups: Sequence[str], splits: Sequence[str]) -> str:
    counts = ", ".join(f"{splits.count(name)} clips for {name}" for name in ("train", "val", "test"))
    if by_subject:
        return f"Splits are proposed by subject, nobody in two of them: {counts}, of {len(set(people))} people."
    reason = "all clips are of one subject" if len(set(people)) == 1 and people[0] else "not every subject is known"
    each = "clip" if len(set(groups)) == len(groups) else "file"
    return (
        f"Splits can only be proposed by {each}, for {reason}: {counts}. The same people may be in train and in test, "
        "so the score will say nothing of new people; fill in the columns subject and split of clips.csv if you can."
    )
