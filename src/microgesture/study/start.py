"""Starting a study from a folder of clips: the manifest, the configuration, and a list of what is missing."""

import csv
import io
import json
import os
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

import pandas as pd

from ..config.pose import POSE_METHODS
from ..errors import InputError, UnusableClip
from ..machine.extras import install_hint
from ..machine.hardware import own_cores
from ..measures.people import TRAINED, count_people, person_of, shared_people
from ..measures.warnings import people_warnings, warn_of_alike
from ..pose.methods import missing_packages
from ..skeletons.layouts import Layout, layout_named
from ..skeletons.reading import skeleton_layout
from ..storage.files import write_text
from ..terminal import counted
from ..videos import VIDEOS
from .clips import KEYPOINTS, FoundClip, clip_ids, cut, find_clips, keypoint_files, people_table, visible_files
from .names import listed, read_file_names, read_folders
from .opinions import apply_tables
from .proposal import Data, propose
from .releases import release_of
from .settings import settings_text
from .splits import propose_splits
from .tables import UNREAD, clip_names, has_annotations, read_tables

ENOUGH = 0.98  # fraction of clips that must have a kind of file so that streams use it, as max_quarantined
FEW = 5  # a class with fewer clips in train is reported


@dataclass(frozen=True)
class Study:
    """A new study: the texts of its two files, and messages for the user.

    ``can_start`` is false if labels have to be filled in first.
    """

    manifest: str
    settings: str
    found: tuple[str, ...]
    missing: tuple[str, ...]
    can_start: bool


def start_study(study: Path, folder: Path, gpu: bool, pose: str | None = None, tiers: Sequence[str] = ()) -> Study:
    """Write ``clips.csv`` and ``config.yaml`` into the folder ``study`` for the clips in ``folder``.

    With ``gpu``, networks and frames are larger; ``pose`` is the method that finds keypoints in the videos. ``tiers``
    are those of the annotations whose labels are classes. Raises ``InputError`` if there are no clips, if they are a
    published release, if the folder of the study has other files than clips, or if a tier has to be chosen.
    """
    targets = [study / "clips.csv", study / "config.yaml"]
    if there := [path for path in targets if os.path.lexists(path)]:
        raise InputError(f"{there[0]} exists already, so nothing was written; remove it or name another folder")
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; name the one with your clips")
    if study.exists() and not study.is_dir():
        raise InputError(f"{study} is a file; name a folder for the study")
    if not str(study.resolve()).isprintable():
        raise InputError(f"{str(study)!r} has a character that cannot be printed; name another folder")
    if study.is_dir() and any(study.iterdir()) and study.resolve() not in (real := folder.resolve(), *real.parents):
        raise InputError(f"{study} exists already and is not empty; name a new folder for the study")
    started = plan_study(study, folder, gpu, pose, tiers)
    for path, text in zip(targets, (started.manifest, started.settings), strict=True):
        write_text(path, text)
    return started


def plan_study(study: Path, folder: Path, gpu: bool, pose: str | None = None, tiers: Sequence[str] = ()) -> Study:
    """Return what ``start_study`` writes and reports, without writing."""
    files = list(visible_files(folder, but=study))
    _refuse_release(folder, files)
    posed = keypoint_files(folder, files)
    tables = {path: None for path in files if path not in posed and has_annotations(folder / path)}  # in order
    paths = dict.fromkeys(posed.get(path, path) for path in files if path not in tables)
    clips, notes = find_clips(paths, set(posed.values()))
    if not clips:
        kinds = ", ".join((*VIDEOS, *KEYPOINTS))
        raise InputError(f"{folder}: there are no clips in it or its subfolders; looked for {kinds}")
    clips, layout, kinds = _usable_kinds(folder, clips)
    clips, told = _read(folder, list(tables), clips, tiers)
    told += _unread([path for path in files if path not in posed])
    clips, proposed = propose_splits(clips, folder)
    video, keypoints = any(clip.video for clip in clips), any(clip.keypoints for clip in clips)
    training = [clip for clip in clips if clip.split == "train"]
    labels = {clip.label for clip in clips if clip.label}
    people = people_table(clips, folder)
    shared = bool(shared_people(people, ["test"], TRAINED))
    found = [f"{counted(len(clips), 'clip')}: {_counted(clips, people)}.", *told, *notes]
    if pose and (keypoints or not video):
        raise InputError(
            f"{folder}: --pose is only for videos without keypoints; leave it out, because there are {found[0]}"
        )
    learnt = [clip.label for clip in training if clip.label]
    known = {clip.label for clip in clips if clip.split != "test"}
    asked = {clip.label for clip in clips if clip.split == "test" and clip.label}
    data = Data(
        tuple(learnt),
        tuple(clip.label for clip in clips if clip.split == "val" and clip.label),
        groups=_groups(people),
        video=video,
        keypoints=bool(pose) or layout is not None,
    )
    text = settings_text(
        study.resolve(),
        data,
        layout_named(POSE_METHODS[pose].layout) if pose else layout,
        clips=len(clips),
        labels=labels,
        shared=shared,
        ground_truth=bool(asked) and asked <= known,
        gpu=gpu,
        pose=POSE_METHODS[pose] if pose else None,
        cores=own_cores(),
    )
    sentences = [sentence for sentence in (propose(data).weighed, propose(data).offered) if sentence]
    return Study(
        _manifest(clips, study, folder, video, keypoints),
        text,
        tuple(found),
        (*kinds, *proposed, *_missing(clips, people, pose), *sentences),
        can_start=len(set(learnt)) > 1 and len(learnt) >= ENOUGH * len(training),
    )


def next_commands(study: Path) -> list[str]:
    """The next commands after starting a study, to run in the folder of the ``Snakefile``."""
    folder = shlex.quote(str(study))
    return [f"microgesture doctor {folder}", f"snakemake --cores {own_cores()} --directory {folder}"]


def _refuse_release(folder: Path, files: Sequence[PurePosixPath]) -> None:
    if found := release_of(files):
        entry, told = found
        release = entry.release
        option = json.dumps({release.corpus: {"root": str(folder.resolve())}}, ensure_ascii=False)
        raise InputError(
            f"{folder} is a release of {entry.title}, because it has the file {told}. It needs no init: see "
            f"{release.page}, and run snakemake with --configfile {release.settings} "
            f"--config {shlex.quote('corpora=' + option)}. If these are your own clips, rename {told.name}"
        )


def _unread(files: Sequence[PurePosixPath]) -> list[str]:
    """A message about tables, annotations and keypoints in formats that are not read, by their ending."""
    kinds: dict[str, list[str]] = {}
    for path in files:
        if (ending := path.suffix.lower()) in UNREAD:
            kinds.setdefault(ending, []).append(str(path))
    if not kinds:
        return []
    found = "; ".join(listed(paths) for paths in kinds.values())
    return [f"Not used, because their format is not read (save tables as csv or xlsx, keypoints as npz): {found}."]


def _read(
    folder: Path, paths: Sequence[PurePosixPath], clips: list[FoundClip], tiers: Sequence[str]
) -> tuple[list[FoundClip], list[str]]:
    names = clip_names(clips)
    tables = [table for path in paths for table in read_tables(folder, path, names)]
    clips, notes, known = apply_tables(folder, clips, tables, tiers)
    clips = cut(clips)
    clips, told = read_folders(clips, known)
    notes += told
    clips, told = read_file_names(clips)
    return clips, notes + told


def _usable_kinds(folder: Path, clips: list[FoundClip]) -> tuple[list[FoundClip], Layout | None, list[str]]:
    """The clips with the kinds of files that nearly all have, the layout of keypoints, and messages about the rest."""
    count = {kind: sum(getattr(clip, kind) is not None for clip in clips) for kind in ("video", "keypoints")}
    layout, notes = _layout(folder, clips)
    if count["keypoints"] and layout is None:
        clips = [replace(clip, keypoints=None) for clip in clips if clip.video]
        if not clips:
            raise InputError(f"{folder}: none of its clips can be used. {' '.join(notes)}")
        notes.append("The keypoints are left out.")
    elif count["video"] and count["keypoints"] and min(count.values()) < ENOUGH * len(clips):
        most = max(count, key=count.__getitem__)
        other = "keypoints" if most == "video" else "video"
        clips = [replace(clip, **{other: None}) for clip in clips if getattr(clip, most)]
        notes.append(
            f"Too few clips have both video and keypoints; the study uses only the {most} of {len(clips)} clips. To "
            "use both, all clips need both."
        )
    if not any(clip.keypoints for clip in clips):
        layout = None
    return clips, layout, notes


def _layout(folder: Path, clips: Sequence[FoundClip]) -> tuple[Layout | None, list[str]]:
    """The layout of the first readable file of keypoints, and messages about it and unreadable ones before it."""
    notes: list[str] = []
    for path in [clip.keypoints for clip in clips if clip.keypoints][:10]:
        try:
            layout = skeleton_layout(folder / path)
            return layout, [
                *notes,
                f"The keypoints, {path} among them, are read as {layout.title}; name another keypoints.layout in "
                "config.yaml if they are in another one.",
            ]
        except UnusableClip as error:
            notes.append(f"{error}.")
    return None, notes


def _groups(people: pd.DataFrame) -> int:
    """The number of people in train and val, or of their recordings if there is one person."""
    trained = people[people.split.isin(TRAINED)]
    persons = person_of(people)[trained.index].nunique()
    return persons if persons > 1 else trained.recording.nunique()


def _counted(clips: Sequence[FoundClip], people: pd.DataFrame) -> str:
    video = sum(clip.video is not None for clip in clips)
    keypoints = sum(clip.keypoints is not None for clip in clips)
    labels = len({clip.label for clip in clips if clip.label})
    subjects = count_people(person_of(people))["subjects"]
    return f"{video} with video, {keypoints} with keypoints, {counted(labels, 'class')}, {counted(subjects, 'subject')}"


def _missing(clips: Sequence[FoundClip], people: pd.DataFrame, pose: str | None) -> list[str]:
    """Messages about what is missing in clips.csv."""
    by_split = {split: [clip for clip in clips if clip.split == split] for split in ("train", "val", "test")}
    notes = []
    if unlabelled := sum(clip.label is None for clip in by_split["train"]):
        notes.append(
            f"Labels: {counted(unlabelled, 'clip')} of train without a label, so a run would leave them out or stop. "
            "Put a table with two columns (file names and classes) beside the clips, or put the clips of each class "
            "into one folder, and run init again for another study, which also proposes splits; or fill in label and "
            "split of clips.csv."
        )
    trained = [clip.label for clip in by_split["train"] if clip.label]
    if trained and len(set(trained)) < 2:
        notes.append(
            f"Labels: all clips of train have the class {trained[0]}; a classifier needs at least two classes."
        )
    rare = sorted({label for label in trained if trained.count(label) < FEW})
    if rare:
        notes.append(f"{counted(len(rare), 'class')} with fewer than {FEW} clips in train; the first is {rare[0]}.")
    unseen = sorted({clip.label for clip in clips if clip.label} - set(trained))
    if trained and unseen:
        notes.append(f"No clip of train has the class {', '.join(unseen[:5])}, so it will never be predicted.")
    notes += warn_of_alike(clip.label for clip in clips if clip.label)
    if not pose and not any(clip.keypoints for clip in clips):
        notes.append(
            "Keypoints: there are none, so the streams of skeletons, joints and depth are left out. init finds "
            f"keypoints in the videos with --pose {' or --pose '.join(POSE_METHODS)}; they need packages: "
            f"{' or '.join(install_hint(method.extra) for method in POSE_METHODS.values())}."
        )
    if pose and (missing := missing_packages(POSE_METHODS[pose])):
        notes.append(f"{POSE_METHODS[pose].title}, which finds the keypoints, {missing}.")
    if any(clip.subject is None for clip in clips):
        unknown = sum(clip.subject is None for clip in clips)
        notes.append(
            f"Subjects: the subject of {counted(unknown, 'clip')} is unknown; fill in the column subject if you can."
        )
    notes += people_warnings(people)
    if shared_people(people, ["test"], TRAINED):
        notes.append("So config.yaml has allow_shared_subjects: true; remove it when each person is in one split.")
    for split, what in (
        ("train", "for training, so no run can start; write train into the column split of some clips"),
        ("val", "for validation, so the last epoch is kept"),
        ("test", "for testing, so the submission will be empty"),
    ):
        if not by_split[split]:
            notes.append(f"Splits: there are no clips {what}.")
    return notes


def _manifest(clips: Sequence[FoundClip], study: Path, folder: Path, video: bool, keypoints: bool) -> str:
    """The text of clips.csv, with files relative to the study."""
    kinds = [kind for kind, there in (("video", video), ("keypoints", keypoints)) if there]
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    cut_up = any(clip.frames for clip in clips)
    table.writerow(["clip_id", "split", "subject", "label", *kinds, *(("start", "end") if cut_up else ())])
    for clip_id, clip in zip(clip_ids(list(clips)), clips, strict=True):
        sources = [_relative(getattr(clip, kind), study, folder) for kind in kinds]
        frames = (clip.frames or ("", "")) if cut_up else ()
        table.writerow([clip_id, clip.split, clip.subject or "", clip.label or "", *sources, *frames])
    return text.getvalue()


def _relative(path: PurePosixPath | None, study: Path, folder: Path) -> str:
    if path is None:
        return ""
    relative = Path(os.path.relpath(folder.resolve() / path, study.resolve())).as_posix()
    return relative if relative.startswith("../") else f"./{relative}"  # leading spaces of a cell would be lost
