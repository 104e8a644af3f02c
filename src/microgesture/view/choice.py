"""Which clips get a sheet, and the files of results that it is made from."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from operator import itemgetter
from pathlib import Path

import pandas as pd

from ..config.view import ViewStep
from ..errors import InputError
from ..measures.people import person_of
from ..progress import progress
from ..storage.clips import Clips, natural_key, read_clips
from ..storage.files import write_csv
from ..storage.scores import Prediction, read_predictions
from ..storage.shards import Shard
from .clip import Source, write_view

PREDICTED = ("held_out.parquet", "val.parquet", "test.parquet")  # of an ensemble; the first that has a clip counts


def find_clip(results: Path, corpora: Iterable[str], clip_id: str) -> tuple[str, Clips]:
    """The corpus that has a clip, and all of its clips.

    Raises ``InputError`` if no corpus has it, naming the clips that are called alike, if several have, or if it is
    quarantined.
    """
    tables = {corpus: results / f"clips/{corpus}.parquet" for corpus in corpora}
    listed = {corpus: read_clips(path) for corpus, path in tables.items() if path.exists()}
    if not listed:
        raise InputError(f"no clips are listed in {results / 'clips'}; name --results, or run: snakemake --cores all")
    found = [corpus for corpus, clips in listed.items() if clip_id in set(clips.table.clip_id)]
    if len(found) > 1:
        raise InputError(f"clip {clip_id} is in {' and in '.join(found)}; say which is meant with --corpus")
    if not found:
        known = [known for clips in listed.values() for known in clips.table.clip_id]
        near = get_close_matches(clip_id, known, 3) or known[:3]
        raise InputError(f"there is no clip {clip_id} in {', '.join(listed)}; there are such as {', '.join(near)}")
    (corpus,) = found
    row = listed[corpus].table.set_index("clip_id").loc[clip_id]
    if row.status != "ok":
        raise InputError(f"clip {clip_id} of {corpus} is quarantined, so there is nothing to show of it: {row.reason}")
    return corpus, listed[corpus]


def shard_files(results: Path, corpus: str, kinds: Iterable[str], shard: int) -> list[Path]:
    """The shards of a number that have been made."""
    paths = [results / f"{kind}/{corpus}/{shard:04d}.arrow" for kind in kinds]
    return [path for path in paths if path.exists()]


def prediction_files(results: Path, ensemble: str | None) -> list[Path]:
    """The files of an ensemble's predictions that have been made."""
    paths = [results / f"ensembles/{ensemble}/{name}" for name in PREDICTED] if ensemble else []
    return [path for path in paths if path.exists()]


def read_all_predictions(paths: Iterable[Path]) -> dict[str, Prediction] | None:
    """What an ensemble says of clips, from several of its files; held-out predictions go before others.

    None if there are no files.
    """
    ordered = sorted(paths, key=lambda path: PREDICTED.index(path.name))
    together: dict[str, Prediction] = {}
    for path in ordered:
        together = read_predictions(path) | together
    return together if ordered else None


def chosen_clips(clips: Clips, count: int) -> list[str]:
    """``count`` usable clips of each class that has so many, class by class, else all.

    Of different people where there are enough, and of val before train: networks have not learnt from it.
    """
    known = clips.usable[clips.usable.label.notna()]
    rows = zip(known.clip_id, known.label.astype(int), person_of(known), known.split, strict=True)
    ordered = sorted(rows, key=lambda row: (row[3] != "val", natural_key(row[0])))
    shown: Counter[tuple[int, str]] = Counter()
    of_class: dict[int, list[tuple[int, str]]] = defaultdict(list)
    for clip_id, label, person, _ in ordered:
        of_class[label].append((shown[label, person], clip_id))
        shown[label, person] += 1
    # A person's second clip comes after everybody's first one.
    turns = {label: sorted(listed, key=itemgetter(0)) for label, listed in of_class.items()}
    return [clip_id for label in sorted(turns) for _, clip_id in turns[label][:count]]


def write_views(
    clips: Clips, shards: Mapping[str, list[Path]], predictions: Iterable[Path], step: ViewStep, folder: Path
) -> None:
    """Write a sheet and a video of some clips of every class, and ``views.csv``, which says what they show."""
    said = read_all_predictions(predictions)
    opened = {kind: {int(path.stem): Shard(path) for path in paths} for kind, paths in shards.items()}
    rows = clips.table.set_index("clip_id")
    written = []
    for clip_id in progress(chosen := chosen_clips(clips, step.clips), f"views {folder.name}", total=len(chosen)):
        clip = rows.loc[clip_id]
        held = {kind: numbered[clip.shard] for kind, numbered in opened.items() if clip.shard in numbered}
        sheet, video = (folder / f"{file_name(clip_id)}.{kind}" for kind in ("png", "mp4"))
        write_view(Source(clips, held, said), clip_id, step, sheet, video)
        named = {"clip_id": clip_id, "class": clips.classes[int(clip.label)], "split": clip.split}
        written.append({**named, "sheet": sheet.name, "video": video.name})
    write_csv(folder / "views.csv", pd.DataFrame(written, columns=["clip_id", "class", "split", "sheet", "video"]))


def file_name(clip_id: str) -> str:
    """A clip's id as part of a file's name: a slash in it, as from a file in a folder, becomes a plus."""
    return clip_id.replace("/", "+").replace("\\", "+")
