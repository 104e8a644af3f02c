"""The stage of the report: its ensemble, its streams and its inputs."""

from collections.abc import Iterable

from ..config.modalities import MODALITIES
from ..config.report import ReportStep
from ..config.whole import Config
from .stages import Planned

LISTED = {"corpora", "folds", "recipes", *MODALITIES, "ensembles", "emotion"}
PAGE = tuple(f"microgesture/report/page.{part}" for part in ("html", "css", "js"))
MODULES = ("microgesture.report.page", "microgesture.report.results")


def shown_ensemble(config: Config) -> str:
    """The ensemble that the report shows: the submitted one, or its calibration_from if it was trained on val."""
    name = config.submission.ensemble
    while config.learns_from_val(name) and (calibration_from := config.ensembles[name].calibration_from):
        name = calibration_from
    return name


def reported_streams(config: Config, rows: Iterable[str]) -> list[str]:
    """The streams whose training the report shows: all that the submission, ``rows`` and emotion use."""
    waiting = [config.submission.ensemble, shown_ensemble(config), *rows]
    waiting += config.emotion.streams if config.emotion else []
    found: set[str] = set()
    while waiting:
        name = waiting.pop()
        found.add(name)
        waiting += [above for above in config.above(name) if above not in found]
    return [name for name in config.streams if name in found]


def report_stage(config: Config, streams: Iterable[str], framed: str | None, root: str) -> Planned:
    """The stage that writes the report, with the training of ``streams`` and frames of the corpus ``framed``.

    ``root`` is the folder of the submission's corpus.
    """
    shown, submitted = shown_ensemble(config), config.submission.ensemble
    corpus = config.streams[config.ensembles[submitted].streams[0]].corpus
    step = ReportStep(
        submitted=submitted,
        measured=shown,
        streams=config.ensembles[shown].streams,
        folds=config.folds,
        frames=framed is not None,
        submitted_streams=config.ensembles[submitted].streams,
        ground_truth=config.ground_truth,
        videos=root if config.report.videos else None,
        groups=config.corpora[corpus].class_groups,
        configuration=config.model_dump(mode="json", include=LISTED, exclude_none=True),
    )
    above = [
        ("ensemble", step.measured),
        ("ensemble", step.submitted),
        ("submission", step.submitted),
        ("ablation", "ablation"),
    ]
    above += [("train", stream) for stream in streams]
    above += [("cross_subject", "cross_subject")] if config.ground_truth else []
    above += [("emotion_ablation", "emotion"), ("emotion_cross_subject", "emotion")] if config.emotion else []
    above += [("rgb", framed)] if framed else []
    modules = [*MODULES, *{config.ensembles[name].rule.module for name in (shown, submitted)}]
    return Planned("report", "report", step, modules, above, tables=PAGE)
