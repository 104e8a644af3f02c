"""What ``doctor`` says of the layouts of a corpus's files of keypoints, before anything is computed from them."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from ..config.layouts import SelectionChoice
from ..errors import UnusableClip
from ..skeletons.files import format_of
from ..skeletons.files.whole import WholeFormat
from ..skeletons.keypoints import in_space
from ..skeletons.layouts import Layout, Skeleton
from ..skeletons.plausibility import Rules
from ..skeletons.reading import sample, skeleton_layout
from ..skeletons.selections import advice, selection_named

OTHER_UNIT = 5  # ratio of the sizes of people that no two people have, but metres, centimetres and inches do


def layouts_found(
    paths: Sequence[str], folder: Path, rules: Rules, choice: SelectionChoice | None
) -> Iterator[tuple[str, bool]]:
    """Yield sentences about the layouts of skeleton files, each with whether it would stop a run.

    Files that would have to be read as a whole are only looked at in a sample. ``choice`` is the selection of
    keypoints, None if no stream needs one.
    """
    cheap = [path for path in paths if _is_cheap(folder / path)]
    found: dict[tuple[str, ...], tuple[Layout, list[str]]] = {}
    for path in sorted({*cheap, *sample(set(paths) - set(cheap), folder)}):
        try:
            layout = skeleton_layout(folder / path, rules.layout)
        except UnusableClip:
            continue  # a warning names each such file
        found.setdefault(layout.names, (layout, []))[1].append(path)
    counts = sorted(found.values(), key=lambda of: -len(of[1]))
    if not counts:
        return
    yield f"keypoints are {' and '.join(_told(layout, files, folder, rules) for layout, files in counts)}", False
    if len(counts) > 1:
        layout, files = counts[-1]
        text = f"warning: files of keypoints have {len(counts)} layouts, {layout.title} first in {files[0]}"
        yield f"{text}; check that they belong together", False
    selection = selection_named(choice) if choice else None
    for layout, files in counts if selection else ():
        if selection.columns(layout) is None:
            lacking = selection.lacking(layout)
            text = f"{layout.title} lacks {len(lacking)} joints of selection {selection.name}, such as {lacking[0]}"
            yield f"{text}; {advice(layout)}", 2 * len(files) > len(paths)


def _is_cheap(path: Path) -> bool:
    try:
        return not isinstance(format_of(path), WholeFormat)
    except UnusableClip:
        return False


def _told(layout: Layout, files: Sequence[str], folder: Path, rules: Rules) -> str:
    entry = format_of(folder / files[0])
    how = "as keypoints.layout says" if rules.layout is not None else "as all files of this format"
    if rules.layout is None and entry.layout is None:
        named = entry.names(folder / files[0]) is not None
        how = "by the names in the files" if named else f"by their number, {layout.points}; else set keypoints.layout"
    return f"those of {layout.title} in {len(files)} files ({how})"


def units_differ(skeletons: Sequence[tuple[str, Skeleton]]) -> str | None:
    """Return a sentence if people in space have sizes in some files as if in another unit; None if not."""
    sizes = {path: size for path, skeleton in skeletons if skeleton.projected and (size := _size(skeleton))}
    if not sizes or max(sizes.values()) <= OTHER_UNIT * min(sizes.values()):
        return None
    small, large = min(sizes, key=sizes.__getitem__), max(sizes, key=sizes.__getitem__)
    times = f"{sizes[large] / sizes[small]:.0f} times as large"
    return f"warning: people are {times} in {large} as in {small}; give all files the same unit"


def _size(skeleton: Skeleton) -> float | None:
    """Return the median over frames of the greatest distance of a point from the mean of all points."""
    space_TVC = in_space(skeleton.keypoints_TVC)
    found_TV = space_TVC[..., 3] > 0
    sizes = [
        np.linalg.norm(frame_VC[found_V, :3] - frame_VC[found_V, :3].mean(0), axis=1).max()
        for frame_VC, found_V in zip(space_TVC, found_TV, strict=True)
        if found_V.any()
    ]
    return float(np.median(sizes)) if sizes else None
