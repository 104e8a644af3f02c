"""Scores that other projects left as pickles, by clip id as here.

Facts: ``tools/test.py --dump`` of open-mmlab/mmaction2 1.x writes a list with a dictionary for each sample:
``pred_score`` (in 1.0 ``pred_scores``, a dictionary with the key ``item``) and ``gt_label``. ``tools/test.py --out`` of
kennymckormick/pyskl writes a list of arrays. Networks with two heads have a dictionary of them, such as ``rgb`` and
``pose``. None of them holds ids: the samples are in the order of the annotation file.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from ..errors import InputError
from ..storage.clips import Clips
from ..storage.pickles import Numbers, read_numbers
from ..storage.scores import Scores, write_scores


@dataclass(frozen=True)
class Imported:
    """How many clips got scores, what these were taken for, for how many the label agreed, and how many have none."""

    clips: int
    kind: str
    labels: int
    missing: int


def read_ids(path: Path | str) -> list[str]:
    """The clip ids of an annotation file, in its order.

    A JSON file has a list of names; any other has a name at the start of each line, as in ``0187_0.mp4 8``. Folders
    before a name and a suffix behind it are left away. Raises ``InputError`` if there is none, or one twice.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
        names = (
            json.loads(text)
            if path.suffix == ".json"
            else [line.split()[0] for line in text.splitlines() if line.strip()]
        )
    except (OSError, ValueError) as error:
        raise InputError(f"{path} is no list of clips ({error})") from None
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        raise InputError(f"{path} is no list of clips; give one name a line, or a JSON list of names")
    ids = [PurePosixPath(name).stem for name in names]
    seen: dict[str, int] = {}
    for number, clip_id in enumerate(ids, 1):
        if clip_id in seen:
            raise InputError(
                f"{path} has clip {clip_id} twice, as names {seen[clip_id]} and {number}; keep one of them"
            )
        seen[clip_id] = number
    return ids


def import_scores(file: Path, clips: Clips, ids: Sequence[str], output: Path, part: str | None = None) -> Imported:
    """Write the scores in a pickle as ours, the samples being the clips ``ids`` in this order.

    ``part`` names one head of a network with several. Rows that are all probabilities become their logarithms, which
    are logits of the same probabilities. Usable clips of the same splits that the file does not have get a reason.

    Raises ``InputError`` if the file is no plain pickle of scores, if the numbers of samples and ids or of classes
    differ, an id is unknown, a score is no finite number, or a label in the file is not the clip's: then the samples
    are in another order.
    """
    samples = _samples(read_numbers(file), file)
    if len(samples) != len(ids):
        raise InputError(
            f"{file} has {len(samples)} samples, and there are {len(ids)} ids; give the list it was made for"
        )
    table = clips.table.set_index("clip_id")
    if unknown := [clip_id for clip_id in ids if clip_id not in table.index]:
        raise InputError(f"{len(unknown)} of the {len(ids)} ids are no clips of this corpus, the first is {unknown[0]}")
    rows_NK = np.empty((len(ids), len(clips.classes)))
    checked = 0
    for number, (sample, clip_id) in enumerate(zip(samples, ids, strict=True)):
        where = f"{file}, sample {number} ({clip_id})"
        rows_NK[number] = _row(sample, part, len(clips.classes), where)
        checked += _same_label(sample, table.label[clip_id], where)
    probable = bool((rows_NK >= 0).all() and np.abs(rows_NK.sum(1) - 1).max() < 1e-3)
    logits_NK = np.log(np.maximum(rows_NK, np.finfo(np.float32).tiny)) if probable else rows_NK
    usable = clips.usable
    others = usable.clip_id[usable.split.isin(set(table.split[list(ids)])) & ~usable.clip_id.isin(ids)]
    reasons = dict.fromkeys(others, f"not among the clips of {file.name}")
    write_scores(output, Scores(dict(zip(ids, logits_NK.astype(np.float32), strict=True)), reasons))
    return Imported(len(ids), "probabilities" if probable else "logits", checked, len(reasons))


def _samples(saved: Any, file: Path) -> Sequence[Any]:
    if isinstance(saved, Numbers) and saved.array is not None and saved.array.ndim == 2:
        return [Numbers(row_K) for row_K in saved.array]
    if isinstance(saved, list | tuple):
        return saved
    raise InputError(f"{file} holds no list of samples and no array of samples by classes")


def _row(sample: Any, part: str | None, classes: int, where: str) -> np.ndarray:
    """A sample's scores (K,)."""
    scores = _item(_first(sample, "pred_score", "pred_scores", otherwise=sample))
    if isinstance(scores, dict):
        if part not in scores:
            raise InputError(
                f"{where} has parts {', '.join(map(str, list(scores)[:10]))}; name one of them with --part"
            )
        scores = scores[part]
    elif part is not None:
        raise InputError(f"{where} has no parts; leave --part away")
    row = _numbers(scores)
    if row is None or row.size != classes or row.ndim > 2 or row.shape[-1] != classes:
        what = "no numbers" if row is None else f"scores of shape {row.shape}"
        raise InputError(f"{where} has {what} instead of {classes}, one for each class and averaged over views")
    if not np.isfinite(row).all():
        raise InputError(f"{where} has scores that are no finite numbers; make the file again")
    return row.reshape(classes)


def _same_label(sample: Any, label: Any, where: str) -> bool:
    """Whether both the sample and the clip have a label; an error if they differ."""
    given = _numbers(_item(_first(sample, "gt_label", "gt_labels", otherwise=None)))
    if given is None or given.size != 1 or not np.isfinite(given).all() or not isinstance(label, int | np.integer):
        return False
    if int(given.item()) != int(label):
        raise InputError(
            f"{where} has label {int(given.item())}, and the clip has {int(label)}: the samples are in another order "
            "than the ids, or the classes are numbered otherwise"
        )
    return True


def _first(sample: Any, *keys: str, otherwise: Any) -> Any:
    return next((sample[key] for key in keys if isinstance(sample, dict) and key in sample), otherwise)


def _item(value: Any) -> Any:
    return value["item"] if isinstance(value, dict) and "item" in value else value


def _numbers(value: Any) -> np.ndarray | None:
    """An array of float64, or None if the value is none."""
    if isinstance(value, Numbers) and value.array is not None:
        return value.array.astype(np.float64)
    if isinstance(value, int | float) or (
        isinstance(value, list) and all(isinstance(one, int | float) for one in value)
    ):
        return np.array(value, np.float64)
    return None
