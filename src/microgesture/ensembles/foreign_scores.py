"""Import of scores that other projects stored as pickles.

``tools/test.py --dump`` of open-mmlab/mmaction2 1.x writes a list with a dictionary for each sample, with the keys
``pred_score`` (in 1.0 ``pred_scores``, a dictionary with the key ``item``) and ``gt_label``. ``tools/test.py --out`` of
kennymckormick/pyskl writes a list of arrays. Networks with two heads have a dictionary of scores, such as ``rgb`` and
``pose``. None of these files contains ids: the samples are in the order of the annotation file.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from ..errors import InputError
from ..storage.clips import Clips
from ..storage.names import composed
from ..storage.pickles import Numbers, read_numbers
from ..storage.scores import Scores, write_scores


@dataclass(frozen=True)
class Imported:
    """The number of clips with scores, the kind of scores, the number of equal labels, and of clips without scores."""

    clips: int
    kind: str
    labels: int
    missing: int


def read_ids(path: Path | str) -> list[str]:
    """The clip ids of an annotation file, in its order.

    A JSON file contains a list of names. Any other file has a name at the start of each line, as in ``0187_0.mp4 8``.
    Folders and suffixes of the names are removed. Raises ``InputError`` if there is no name, or if one occurs twice.
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
        raise InputError(f"{path} is not a list of clips ({error})") from None
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        raise InputError(f"{path} is not a list of clips; write one name per line, or a JSON list of names")
    ids = [composed(PurePosixPath(name).stem) for name in names]
    seen: dict[str, int] = {}
    for number, clip_id in enumerate(ids, 1):
        if clip_id in seen:
            raise InputError(
                f"{path} has clip {clip_id} twice, as names {seen[clip_id]} and {number}; keep one of them"
            )
        seen[clip_id] = number
    return ids


def import_scores(file: Path, clips: Clips, ids: Sequence[str], output: Path, part: str | None = None) -> Imported:
    """Convert the scores in a pickle to a score file; the samples are the clips ``ids``, in this order.

    ``part`` is the name of one head of a network with several. If all rows are probabilities, their logarithms are
    stored; otherwise the scores are stored as logits. Usable clips of the same splits that are not in the file get a
    reason.

    Raises ``InputError`` if the file is not a plain pickle of scores, if the number of samples or of classes is wrong,
    if an id is unknown, if a score is not finite, or if a label in the file differs from that of the clip, since the
    samples are then in another order.
    """
    samples = _samples(read_numbers(file), file)
    if len(samples) != len(ids):
        raise InputError(
            f"{file} has {len(samples)} samples, but there are {len(ids)} ids; use the list that it was made with"
        )
    table = clips.table.set_index("clip_id")
    if unknown := [clip_id for clip_id in ids if clip_id not in table.index]:
        raise InputError(f"{len(unknown)} of the {len(ids)} ids are not clips of this corpus, first {unknown[0]}")
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
    raise InputError(f"{file} holds neither a list of samples nor an array of shape (samples, classes)")


def _row(sample: Any, part: str | None, classes: int, where: str) -> np.ndarray:
    """The scores (K,) of a sample."""
    scores = _item(_first(sample, "pred_score", "pred_scores", otherwise=sample))
    if isinstance(scores, dict):
        if part not in scores:
            raise InputError(
                f"{where} has parts {', '.join(map(str, list(scores)[:10]))}; name one of them with --part"
            )
        scores = scores[part]
    elif part is not None:
        raise InputError(f"{where} has no parts; omit --part")
    row = _numbers(scores)
    if row is None or row.size != classes or row.ndim > 2 or row.shape[-1] != classes:
        what = "no numbers" if row is None else f"scores of shape {row.shape}"
        raise InputError(f"{where} has {what} instead of {classes} numbers, one for each class and averaged over views")
    if not np.isfinite(row).all():
        raise InputError(f"{where} has scores that are not finite; create the file again")
    return row.reshape(classes)


def _same_label(sample: Any, label: Any, where: str) -> bool:
    """Whether both the sample and the clip have a label; raises ``InputError`` if the labels differ."""
    given = _numbers(_item(_first(sample, "gt_label", "gt_labels", otherwise=None)))
    if given is None or given.size != 1 or not np.isfinite(given).all() or not isinstance(label, int | np.integer):
        return False
    if int(given.item()) != int(label):
        raise InputError(
            f"{where} has label {int(given.item())}, and the clip has {int(label)}: the samples are in another order "
            "than the ids, or the classes are numbered differently; use the list that the file was made with"
        )
    return True


def _first(sample: Any, *keys: str, otherwise: Any) -> Any:
    return next((sample[key] for key in keys if isinstance(sample, dict) and key in sample), otherwise)


def _item(value: Any) -> Any:
    return value["item"] if isinstance(value, dict) and "item" in value else value


def _numbers(value: Any) -> np.ndarray | None:
    """The value as an array of float64, or None if it is not numeric."""
    if isinstance(value, Numbers) and value.array is not None:
        return value.array.astype(np.float64)
    if isinstance(value, int | float) or (
        isinstance(value, list) and all(isinstance(one, int | float) for one in value)
    ):
        try:
            return np.array(value, np.float64)
        except OverflowError:  # a whole number above the largest float
            return None
    return None
