"""The card of a folder that is handed over, for people: what it is, what it was trained on and how good it is."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from .. import __version__
from ..config.recogniser import SUMS, Recogniser
from ..storage.clips import Clips, class_counts
from ..storage.markdown import markdown_table
from ..streams.card import git_revision

MEASURES = ("accuracy", "balanced_accuracy", "macro_f1", "top5")


def card_text(recogniser: Recogniser, clips: Clips, fitted_on: Mapping[str, Any], summary: pd.DataFrame) -> str:
    """The card in Markdown; ``fitted_on`` says which clips ``summary``, the ensemble's table, was measured on."""
    train = clips.usable[clips.usable.split == "train"]
    counts = class_counts(train.label.dropna().astype(int).tolist(), len(clips.classes))
    measured = fitted_on.get("split") or f"{fitted_on.get('folds', 0)} folds of people"
    weights = recogniser.fusion.get("weights")
    streams = "\n".join(
        f"* `{member.step.stream}`: {member.step.network.name} on {' and '.join(member.step.inputs)}"
        + (f", weight {weights[member.step.stream]:.3f}" if weights else "")
        for member in recogniser.members
    )
    classes = markdown_table(("class", "training clips"), zip(clips.classes, map(str, counts), strict=True))
    columns = [column for column in ("name", *MEASURES) if column in summary]
    return f"""# Micro-gesture recogniser: {recogniser.ensemble}

Trained by microgesture {__version__} (revision {git_revision() or "unknown"}) on corpus `{recogniser.corpus}`:
{len(train):,} clips of {train.subject.nunique()} people. Use it with

    microgesture predict-videos FOLDER VIDEO... --output RESULTS

## Streams

{streams}

## How good it is

On {measured} ({fitted_on.get("clips", 0)} cut clips with a gesture each; in a long video, where gestures have to be
found first, less is to be expected):

{markdown_table(columns, summary[columns].astype(str).to_numpy().tolist())}
## Classes

{classes}
## Licence and terms of the data

The code is under Apache-2.0. The weights were learnt from `{recogniser.corpus}`, whose own terms go with them: iMiGUE,
MA-52 and SMG are given out for research that is not commercial, and weights learnt from them may be used for nothing
else. A drawn demo has no terms. Nobody's emotion, health or honesty follows from a gesture that was found: do not
judge people by it.

`{SUMS}` has the checksums of all files; a folder in which one differs is refused.
"""
