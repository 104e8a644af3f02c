"""Split, subject and label of clips from the names of folders and files."""

import re
from collections.abc import Callable, Sequence, Set
from dataclasses import replace

from ..corpora.listing import known_split, split_named
from .clips import FoundClip

_PERSON = r"(?:s|sub|subj|subject|p|pp|person|participant|signer|user|actor)[ _-]?\d+[a-z]?"
_SUBJECT = re.compile(_PERSON, re.IGNORECASE)
_SUBJECT_IN_NAME = re.compile(rf"(?<![a-z0-9]){_PERSON}(?![a-z0-9])", re.IGNORECASE)
_TAKE = re.compile(
    r"(?:session|sess|take|rec|recording|trial|rep|day|part|camera|cam|view|block|run|batch)?[ _-]?\d*", re.IGNORECASE
)
MOST_LISTED = 6  # names in a sentence
_GENERIC = {"clip", "video", "vid", "img", "mvi", "gopr", "movie", "file", "copy"}


def read_folders(clips: Sequence[FoundClip], known: Set[str] = frozenset()) -> tuple[list[FoundClip], list[str]]:
    """Take splits, subjects and labels from the names of folders; also return messages about them.

    Those of ``split``, ``subject`` and ``label`` that are ``known`` already are not changed.

    All folders of one depth are of one kind. The deepest folders that are not splits, numbered subjects or numbered
    takes are the classes.
    """
    clips, notes, classes = list(clips), [], []
    for level in range(max((len(clip.folders) for clip in clips), default=0)):
        names = sorted({clip.folders[level] for clip in clips if len(clip.folders) > level})
        splits = {split_named(name) for name in names}
        if None not in splits and "train" in splits:
            if "split" not in known:
                clips = _taken(clips, "split", level, split_named)
                notes.append(f"Splits are the folders {listed(names)}.")
        elif all(_SUBJECT.fullmatch(name) for name in names):
            if "subject" not in known:
                clips = _taken(clips, "subject", level, str)
                notes.append(f"Subjects are the folders {listed(names)}.")
        elif len(names) > 1 and not all(_TAKE.fullmatch(name) for name in names):
            classes.append((level, names))
        elif len(names) > 1:
            notes.append(_unknown(names))
    if classes and "label" not in known:
        level, names = classes.pop()
        clips = _taken(clips, "label", level, str)
        notes.append(f"Labels are the folders {listed(names)}.")
        if crossed := _names_in_several(clips, level):
            notes.append(
                f"Files with the names {listed(crossed)} are in several of these folders, so the labels may be the "
                "names. If so, name the folders after splits, such as train and test, and run init again for another "
                "study."
            )
        notes += [_unknown(other) for _, other in classes]
    return clips, notes


def read_file_names(clips: Sequence[FoundClip]) -> tuple[list[FoundClip], list[str]]:
    """Take what no clip has yet from file names such as ``s01_wave_003``; also return messages about it.

    A value is taken only if every name has one, and if there are at most half as many different values as clips.
    """
    clips, notes = list(clips), []
    for key, told in (("split", _split_in), ("subject", _subject_in), ("label", _label_in)):
        values = [told(clip.name) for clip in clips]
        distinct = set(values)
        if None in distinct or any(getattr(clip, key) for clip in clips) or 2 * len(distinct) > len(clips):
            continue
        if (key == "split" and "train" not in distinct) or (key == "label" and len(distinct) < 2):
            continue
        clips = [replace(clip, **{key: value}) for clip, value in zip(clips, values, strict=True)]
        notes.append(f"{key.capitalize()}s are from the names of the files: {listed(sorted(distinct))}.")
    return clips, notes


def _taken(clips: list[FoundClip], key: str, level: int, told: Callable[[str], str | None]) -> list[FoundClip]:
    return [
        replace(clip, **{key: told(clip.folders[level]).strip() or None}) if len(clip.folders) > level else clip
        for clip in clips
    ]


def _names_in_several(clips: Sequence[FoundClip], level: int) -> list[str]:
    """The names of clips that could be labels, if each of them is in several folders of a level; else nothing."""
    folders: dict[str | None, set[str]] = {}
    for clip in clips:
        if len(clip.folders) > level:
            folders.setdefault(_label_in(clip.name), set()).add(clip.folders[level])
    crossed = len(folders) > 1 and None not in folders and min(map(len, folders.values())) > 1
    return sorted(folders) if crossed else []


def _split_in(name: str) -> str | None:
    return next((split for word in _words(name) if (split := known_split(word))), None)


def _subject_in(name: str) -> str | None:
    found = _SUBJECT_IN_NAME.search(name)
    return found and found[0]


def _label_in(name: str) -> str | None:
    words = _words(_SUBJECT_IN_NAME.sub("", name, count=1))
    kept = [w for w in words if not _TAKE.fullmatch(w) and w.lower() not in _GENERIC and not known_split(w)]
    return "_".join(kept) or None


def _words(name: str) -> list[str]:
    return [word for word in re.split(r"[_\-. ()]+", name) if word]


def listed(names: Sequence[str], most: int = MOST_LISTED) -> str:
    """The names with commas; if there are more than ``most``, some of them and the number of others."""
    shown = names if len(names) <= most else names[: most - 1]
    return ", ".join(shown) + (f" and {len(names) - len(shown)} more" if len(shown) < len(names) else "")


def _unknown(names: Sequence[str]) -> str:
    return (
        f"The meaning of the folders {listed(names)} is unknown, so they are ignored; if they are subjects or "
        "classes, write them into the column subject or label of clips.csv."
    )
