"""Subcommands that show the network inputs of clips."""

from pathlib import Path
from typing import Annotated

import typer

from ..config.base import parse_step
from ..config.view import ViewStep
from ..errors import InputError
from .options import File, Output, SettingsText, by_kind, say, stage
from .upkeep import ConfigChanges, ConfigFile, configuration_of, plan_of, results_of, run_of


@stage("view")
def view(
    clip_id: Annotated[str, typer.Argument(help="id of a clip, as in results/clips and results/submission.csv")],
    study: Annotated[Path, typer.Option(exists=True, file_okay=False, help="folder of the study")] = Path(),
    configfile: ConfigFile = None,
    config: ConfigChanges = None,
    corpus: Annotated[str | None, typer.Option(help="corpus of the clip, if several have it")] = None,
    output: Annotated[Path | None, typer.Option(help="PNG to write; CLIP_ID.png by default")] = None,
    video: Annotated[Path | None, typer.Option(help="mp4 to write as well")] = None,
    frames: Annotated[int | None, typer.Option(min=2, help="moments on the sheet")] = None,
    cell: Annotated[int | None, typer.Option(min=32, help="height of each picture in pixels")] = None,
) -> None:
    """Draw a contact sheet of a clip: a row over time for each modality of its corpus, and the predictions.

    A modality that does not exist for this clip is named in its row.
    """
    from ..storage.shards import Shard
    from ..view.choice import file_name, find_clip, prediction_files, read_all_predictions, shard_files
    from ..view.clip import Source, write_view

    results, file = results_of(study), configuration_of(study, configfile)
    plan = plan_of(study, configfile, config)
    if corpus is not None and corpus not in plan.config.corpora:
        known = ", ".join(plan.config.corpora)
        raise InputError(f"there is no corpus '{corpus}' in {file}; choose one of {known}")
    found, clips = find_clip(results, [corpus] if corpus else plan.config.corpora, clip_id)
    asked = {"frames": frames, "cell": cell}
    step = parse_step(ViewStep, plan.step("view", found).settings)
    step = step.model_copy(update={key: value for key, value in asked.items() if value})
    number = int(clips.table.set_index("clip_id").shard[clip_id])
    shards = by_kind(shard_files(results, found, ("skeletons", *step.kinds), number))
    if step.kinds and set(shards) <= {"skeletons"}:
        targets = " ".join(f"results/{kind}/{found}/{number:04d}.arrow" for kind in step.kinds)
        raise InputError(
            f"{results} has no network inputs of clip {clip_id}; make them with: {run_of(study, configfile)} --cores "
            f"all {targets}"
        )
    opened = {kind: Shard(path) for kind, (path,) in shards.items()}
    predictions = read_all_predictions(prediction_files(results, step.ensemble))
    output = output or Path(f"{file_name(clip_id)}.png")
    write_view(Source(clips, opened, predictions), clip_id, step, output, video)
    say(" and ".join(str(path) for path in (output, video) if path))


@stage("views", ViewStep)
def views(
    settings: SettingsText,
    clips: File,
    output: Output,
    files: Annotated[
        list[Path] | None, typer.Argument(exists=True, dir_okay=False, help="shards, and predictions of an ensemble")
    ] = None,
) -> None:
    """Draw contact sheets and videos of a few clips of every class into a folder."""
    from ..storage.clips import read_clips
    from ..view.choice import write_views

    step = parse_step(ViewStep, settings)
    shards = by_kind([path for path in files or [] if path.suffix == ".arrow"])
    write_views(read_clips(clips), shards, [path for path in files or [] if path.suffix == ".parquet"], step, output)
