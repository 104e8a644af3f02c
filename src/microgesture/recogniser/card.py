"""The card of an exported recogniser, for readers: what it is, its training data and its accuracy."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from .. import __version__
from ..config.recogniser import SUMS, Recogniser
from ..measures.baselines import in_words
from ..measures.people import people_by_clip
from ..storage.clips import Clips, class_counts
from ..storage.markdown import markdown_table
from ..streams.card import git_revision

MEASURES = ("accuracy", "balanced_accuracy", "macro_f1", "macro_f1_present", "top5")


def card_text(
    recogniser: Recogniser,
    clips: Clips,
    fitted_on: Mapping[str, Any],
    summary: pd.DataFrame,
    test: pd.DataFrame | None = None,
) -> str:
    """Return the card in Markdown; ``fitted_on`` describes the clips on which ``summary`` was measured.

    ``summary`` is the ensemble's table of results, and ``test`` the table of ``run_cross_subject``.
    """
    train = clips.usable[clips.usable.split == "train"]
    counts = class_counts(train.label.dropna().astype(int).tolist(), len(clips.classes))
    weights = recogniser.fusion.get("weights")
    streams = "\n".join(
        f"* `{member.step.stream}`: {member.step.network.name} on {' and '.join(member.step.inputs)}"
        + (f", weight {weights[member.step.stream]:.3f}" if weights else "")
        for member in recogniser.members
    )
    classes = markdown_table(("class", "training clips"), zip(clips.classes, map(str, counts), strict=True))
    return f"""# Micro-gesture recogniser: {recogniser.ensemble}

Trained by microgesture {__version__} (revision {git_revision() or "unknown"}) on corpus `{recogniser.corpus}`:
{len(train):,} clips of {people_by_clip(clips)[train.clip_id].nunique()} people. Use it with

    microgesture predict-videos FOLDER VIDEO... --output RESULTS

## Streams

{streams}

## How good it is

{_accuracy(fitted_on, summary)}
{_on_test(recogniser, test)}## Classes

{classes}
## Licence and terms of the data

The code is under Apache-2.0. The weights were trained on `{recogniser.corpus}`, and the terms of that corpus also apply
to them: iMiGUE, MA-52 and SMG are for non-commercial research only, and so are weights trained on them. The synthetic
demo has no terms. A predicted gesture does not show a person's emotion, health or honesty: do not judge people by it.

`{SUMS}` has the checksums of all files; a folder with a file that differs is refused.
"""


def _accuracy(fitted_on: Mapping[str, Any], summary: pd.DataFrame) -> str:
    """The results on held-out clips, and the accuracies with which they are to be compared."""
    if summary.empty:
        return "Not measured: no clips with labels were held out.\n"
    measured = fitted_on.get("split") or f"{fitted_on.get('folds', 0)} folds by person"
    trivial = [summary[column].iloc[0] for column in ("chance", "most_frequent") if column in summary]
    return f"""On {measured} ({fitted_on.get("clips", 0)} cut clips, each with one gesture). In a long video the
gestures have to be found first, so expect lower values there.{f" {in_words(*trivial)}" if len(trivial) == 2 else ""}

{_measured(summary)}"""


def _on_test(recogniser: Recogniser, table: pd.DataFrame | None) -> str:
    """The results of the ensemble and its streams on test clips; empty if they were not measured."""
    names = [recogniser.ensemble, *(member.step.stream for member in recogniser.members)]
    rows = pd.DataFrame() if table is None else table[table.name.isin(names)]
    if rows.empty:
        return ""
    first = rows.iloc[0]
    shared = f", {first.people_in_training} of whom are also in train or val" if first.people_in_training else ""
    return f"""On test ({first.clips} cut clips of {first.people} people{shared}), whose labels no stage has learned
from. {in_words(first.chance, first.most_frequent)}

{_measured(rows)}
"""


def _measured(table: pd.DataFrame) -> str:
    """The columns of a table that the card shows, in Markdown."""
    columns = [column for column in ("name", *MEASURES) if column in table]
    return markdown_table(columns, table[columns].astype(str).to_numpy().tolist())
