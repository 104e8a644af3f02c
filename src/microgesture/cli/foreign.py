"""The subcommand that takes over what other projects left."""

from pathlib import Path
from typing import Annotated

import typer

from .options import File, Output, stage


@stage("import-scores")
def import_scores(
    scores: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="what --dump or --out wrote, a .pkl")],
    clips: File,
    ids: Annotated[Path, typer.Option(exists=True, dir_okay=False, help="annotation file that the scores follow")],
    output: Output,
    part: Annotated[str | None, typer.Option(help="one of several heads, such as rgb or pose")] = None,
) -> None:
    """Take over the scores of mmaction2, pyskl or MM-Gesture as those of a stream.

    The pickle is read without running anything in it. It holds no ids: the samples are the clips of the annotation
    file, in its order, and where both have labels they are compared.
    """
    from ..ensembles.foreign_scores import import_scores as take_over
    from ..ensembles.foreign_scores import read_ids
    from ..storage.clips import read_clips

    done = take_over(scores, read_clips(clips), read_ids(ids), output, part)
    checked = f"the labels of {done.labels} agree" if done.labels else "no labels to check the order by"
    typer.echo(f"{done.clips} clips, taken for {done.kind}; {checked}; {done.missing} clips of these splits have none")
