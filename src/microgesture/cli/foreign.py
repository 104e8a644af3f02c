"""The subcommand that imports scores of other projects."""

from pathlib import Path
from typing import Annotated

import typer

from .options import File, Output, say, stage


@stage("import-scores")
def import_scores(
    scores: Annotated[
        Path, typer.Argument(exists=True, dir_okay=False, help="the .pkl file that --dump or --out wrote")
    ],
    clips: File,
    ids: Annotated[
        Path,
        typer.Option(exists=True, dir_okay=False, help="annotation file with the clips in the order of the scores"),
    ],
    output: Output,
    part: Annotated[str | None, typer.Option(help="one of several heads, such as rgb or pose")] = None,
) -> None:
    """Import scores of mmaction2, pyskl or MM-Gesture as scores of a stream.

    The pickle is read without running code in it. It contains no ids: its samples are the clips of the annotation
    file, in the same order. If both files have labels, the labels are compared.
    """
    from ..ensembles.foreign_scores import import_scores as take_over
    from ..ensembles.foreign_scores import read_ids
    from ..storage.clips import read_clips

    done = take_over(scores, read_clips(clips), read_ids(ids), output, part)
    checked = f"the labels of {done.labels} agree" if done.labels else "there are no labels to check the order"
    say(f"{done.clips} clips, read as {done.kind}; {checked}; {done.missing} clips of these splits have no scores")
