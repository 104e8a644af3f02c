"""The clips that get a contact sheet, and the result files that it is made from."""

import hashlib
import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path

import pandas as pd

from ..config.view import ViewStep
from ..errors import InputError
from ..measures.people import people_by_clip
from ..progress import progress
from ..storage.clips import Clips, natural_key, read_clips
from ..storage.csv_files import without_formulas
from ..storage.files import write_csv
from ..storage.scores import Prediction, read_predictions
from ..storage.shards import Shard
from .clip import Source, write_view

LONGEST_NAME = 200  # bytes; file systems allow 255
PREDICTED = ("held_out.parquet", "val.parquet", "test.parquet")  # of an ensemble, in order of precedence


def find_clip(results: Path, corpora: Iterable[str], clip_id: str) -> tuple[str, Clips]:
    """Find the corpus that has a clip; returns its name and its clips.

    Raises ``InputError`` if no corpus has the clip (the message names clips with similar ids), if several corpora have
    it, or if it is quarantined.
    """
    tables = {corpus: results / f"clips/{corpus}.parquet" for corpus in corpora}
    listed = {corpus: read_clips(path) for corpus, path in tables.items() if path.exists()}
    if not listed:
        raise InputError(
            f"there are no clips tables in {results / 'clips'}; set --study, or run: snakemake --cores all"
        )
    found = [corpus for corpus, clips in listed.items() if clip_id in set(clips.table.clip_id)]
    if len(found) > 1:
        raise InputError(f"clip {clip_id} is in {' and in '.join(found)}; choose one with --corpus")
    if not found:
        known = [known for clips in listed.values() for known in clips.table.clip_id]
        near = get_close_matches(clip_id, known, 3) or known[:3]
        raise InputError(
            f"there is no clip {clip_id} in {', '.join(listed)}; there are, for example, {', '.join(near)}"
        )
    (corpus,) = found
    row = listed[corpus].table.set_index("clip_id").loc[clip_id]
    if row.status != "ok":
        raise InputError(f"clip {clip_id} of {corpus} is quarantined, so it cannot be shown: {row.reason}")
    return corpus, listed[corpus]


def shard_files(results: Path, corpus: str, kinds: Iterable[str], shard: int) -> list[Path]:
    """The existing shard files of a corpus with this shard number, of the given kinds."""
    paths = [results / f"{kind}/{corpus}/{shard:04d}.arrow" for kind in kinds]
    return [path for path in paths if path.exists()]


def prediction_files(results: Path, ensemble: str | None) -> list[Path]:
    """The existing prediction files of an ensemble."""
    paths = [results / f"ensembles/{ensemble}/{name}" for name in PREDICTED] if ensemble else []
    return [path for path in paths if path.exists()]


def read_all_predictions(paths: Iterable[Path]) -> dict[str, Prediction] | None:
    """Read an ensemble's predictions by clip id; held-out predictions take precedence over others.

    Returns None if there are no files.
    """
    ordered = sorted(paths, key=lambda path: PREDICTED.index(path.name))
    together: dict[str, Prediction] = {}
    for path in ordered:
        together = read_predictions(path) | together
    return together if ordered else None


def chosen_clips(clips: Clips, count: int) -> list[str]:
    """Choose up to ``count`` usable labelled clips of each class; returns their ids, class by class.

    Clips of different people are preferred, then clips of val over those of train, on which the networks were trained.
    """
    known = clips.usable[clips.usable.label.notna()]
    person = people_by_clip(clips)[known.clip_id].to_numpy()
    known = known.assign(person=person, later=known.split != "val", order=known.clip_id.map(natural_key))
    known = known.sort_values(["later", "order"])
    # The second clip of a person comes after the first clips of all people.
    known["turn"] = known.groupby(["label", "person"]).cumcount()
    return known.sort_values(["label", "turn"], kind="stable").groupby("label").head(count).clip_id.tolist()


def write_views(
    clips: Clips, shards: Mapping[str, list[Path]], predictions: Iterable[Path], step: ViewStep, folder: Path
) -> None:
    """Write a sheet and a video of some clips of every class, and ``views.csv``, which lists them."""
    predicted = read_all_predictions(predictions)
    opened = {kind: {int(path.stem): Shard(path) for path in paths} for kind, paths in shards.items()}
    rows = clips.table.set_index("clip_id")
    written = []
    for clip_id in progress(chosen := chosen_clips(clips, step.clips), f"views {folder.name}", total=len(chosen)):
        clip = rows.loc[clip_id]
        held = {kind: numbered[clip.shard] for kind, numbered in opened.items() if clip.shard in numbered}
        sheet, video = (folder / f"{file_name(clip_id)}.{kind}" for kind in ("png", "mp4"))
        write_view(Source(clips, held, predicted), clip_id, step, sheet, video)
        named = {"clip_id": clip_id, "class": clips.classes[int(clip.label)], "split": clip.split}
        written.append({**named, "sheet": sheet.name, "video": video.name})
    listed = pd.DataFrame(written, columns=["clip_id", "class", "split", "sheet", "video"])
    write_csv(folder / "views.csv", without_formulas(listed))


def file_name(clip_id: str) -> str:
    """A clip's id as part of a file name: each slash or backslash becomes a plus sign.

    If another id could have the same name, or if the name would be too long, it ends in a digest of the id.
    """
    name = re.sub(r"[/\\]", "+", clip_id)
    if len(name.encode()) <= LONGEST_NAME and not re.search(r"[+\\~]", clip_id):
        return name
    short = name.encode()[: LONGEST_NAME // 2].decode(errors="ignore")
    return f"{short}~{hashlib.sha256(clip_id.encode()).hexdigest()[:16]}"
