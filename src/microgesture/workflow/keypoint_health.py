"""Checks of the files of keypoints of a corpus: their layouts, whether they fit their videos, and who is in them."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from ..config.whole import Config
from ..corpora import measured_clips
from ..errors import UnusableClip
from ..skeletons.layouts import Skeleton
from ..skeletons.person import Choice, Crowd, InFile, meant
from ..skeletons.plausibility import Doubt, Rules
from ..skeletons.reading import each_compared, sample, skeleton_layout
from ..storage.clips import Clips, folder_of, frames_of
from .findings import Finding
from .keypoint_layouts import layouts_found, units_differ
from .listings import declared


def keypoint_health(name: str, config: Config, listed: Clips, kinds: Sequence[str]) -> Iterator[Finding]:
    """Check the layouts of all files of a corpus, and compare a few files with their videos.

    ``kinds`` are the modalities that the run makes.
    """
    corpus = config.corpora[name]
    folder = folder_of(corpus.root)
    rules = Rules.of(corpus, corpus.keypoints)
    chosen = config.keypoints.selection if "keypoints" in kinds else None
    for text, stops in layouts_found(listed.usable.skeleton.dropna().unique().tolist(), folder, rules, chosen):
        yield Finding(f"corpus {name}", text, stops)
    yield from _keypoints_compared(name, listed, folder, rules, corpus.person)
    if "face" in kinds:
        yield from _faces_found(name, listed, folder, rules, config.max_quarantined)


def sampled_keypoints(name: str, config: Config) -> Iterator[Finding]:
    """Compare a few files of keypoints of a corpus with their videos; no other file is opened.

    Nothing is compared if keypoints will be found in the videos. Raises ``InputError`` as ``corpora.declare`` does.
    """
    corpus = config.corpora[name]
    if corpus.pose or (listing := declared(config, name)) is None:
        return
    folder = folder_of(corpus.root)
    files = set(sample((row.skeleton for row in listing.rows if row.skeleton), folder))
    part = replace(listing, rows=[row for row in listing.rows if row.skeleton in files])
    if part.rows:
        listed = measured_clips(name, part, corpus.root, config.shards, corpus.end_tolerance, corpus.fps)
        yield from _keypoints_compared(name, listed, folder, Rules.of(corpus, corpus.keypoints), corpus.person)


def _keypoints_compared(name: str, listed: Clips, folder: Path, rules: Rules, person: str) -> Iterator[Finding]:
    """Compare a few files of keypoints with their videos; one finding for each kind of doubt, and one for people."""
    files = sample(listed.usable.skeleton.dropna(), folder)
    found: dict[str, list[Doubt]] = {}
    skeletons: list[tuple[str, Skeleton]] = []
    choices: list[Choice | UnusableClip] = []
    for path, read, doubts in each_compared(files, listed.table, folder, rules):
        skeletons += [(path, read)] if isinstance(read, Skeleton) else []
        choices += _choices(listed, path, read, person)
        for doubt in doubts:
            text = str(read) if doubt.refused else f"{path}: {doubt.text}"
            found.setdefault(doubt.kind, []).append(doubt._replace(text=text))
    for doubts in found.values():
        refused = sum(doubt.refused for doubt in doubts)
        verdict = "cannot be used" if refused else "are doubtful"
        yield Finding(
            f"corpus {name}",
            f"{len(doubts)} of {len(files)} files of keypoints that were looked at {verdict}: {doubts[0].text}",
            stops=2 * refused > len(files),
        )
    yield from _people_found(name, person, choices)
    if (text := units_differ(skeletons)) is not None:
        yield Finding(f"corpus {name}", text)


def _choices(listed: Clips, path: str, read: object, person: str) -> Iterator[Choice | UnusableClip]:
    """The chosen person of each clip of a file with several people, or why none can be chosen."""
    if not isinstance(read, Crowd):
        return
    keypoints_TPVC, tracks = read.followed.keypoints_TPVC, read.followed.tracks
    for row in listed.usable[listed.usable.skeleton == path].itertuples():
        rows_T = frames_of(row, row.skeleton_start)
        try:
            yield meant(keypoints_TPVC, tracks, InFile.of(row), rows_T, person)
        except UnusableClip as reason:
            yield reason


def _people_found(name: str, person: str, choices: Sequence[Choice | UnusableClip]) -> Iterator[Finding]:
    lost = [choice for choice in choices if isinstance(choice, UnusableClip)]
    several = [choice for choice in choices if isinstance(choice, Choice) and choice.people > 1]
    if several:
        close = sum(choice.close for choice in several)
        told = f"; in {close} of them another is nearly chosen, see microgesture view" if close else ""
        yield Finding(
            f"corpus {name}",
            f"{len(several)} of {len(choices)} clips that were looked at have several people; person: {person} "
            f"chooses one{told}",
        )
    if lost:
        yield Finding(
            f"corpus {name}",
            f"{len(lost)} of {len(choices)} clips that were looked at cannot be used: {lost[0]}",
            stops=2 * len(lost) > len(choices),
        )


def _faces_found(name: str, listed: Clips, folder: Path, rules: Rules, limit: float) -> Iterator[Finding]:
    files = listed.usable.skeleton
    layouts = {file: skeleton_layout(folder / file, rules.layout) for file in files.dropna().unique()}
    without = [file for file, layout in layouts.items() if "nose tip" not in layout.names]
    count = int(files.isin(without).sum())
    if count:
        yield Finding(
            f"corpus {name}",
            f"{count} of {len(files)} clips have no face: skeleton files such as {without[0]} have no face landmarks; "
            "those of OpenPose with 137 points and of COCO-WholeBody have them",
            stops=count > limit * len(files),
        )
