"""What the report of a configuration shows, and from which streams."""

from collections.abc import Iterable

from ..config.modalities import MODALITIES
from ..config.report import ReportStep
from ..config.whole import Config
from .stages import Planned

LISTED = {"corpora", "folds", "recipes", *MODALITIES, "ensembles", "emotion"}
PAGE = tuple(f"microgesture/report/page.{part}" for part in ("html", "css", "js"))
MODULES = ("microgesture.report.page", "microgesture.report.results")


def shown_ensemble(config: Config) -> str:
    """The ensemble that the report shows: the submitted one, or the one it is calibrated from if it learnt from val."""
    name = config.submission.ensemble
    while config.learns_from_val(name) and (calibration_from := config.ensembles[name].calibration_from):
        name = calibration_from
    return name


def reported_streams(config: Config, rows: Iterable[str]) -> list[str]:
    """The streams whose training the report shows: all that the submission, ``rows`` and emotion are made from."""
    waiting = [config.submission.ensemble, shown_ensemble(config), *rows]
    waiting += config.emotion.streams if config.emotion else []
    found: set[str] = set()
    while waiting:
        name = waiting.pop()
        found.add(name)
        waiting += [above for above in config.above(name) if above not in found]
    return [name for name in config.streams if name in found]


def report_stage(config: Config, streams: Iterable[str], framed: str | None) -> Planned:
    """Writing the report, which shows the training of ``streams`` and frames of the corpus ``framed``, if any."""
    shown = shown_ensemble(config)
    step = ReportStep(
        submitted=config.submission.ensemble,
        measured=shown,
        streams=config.ensembles[shown].streams,
        folds=config.folds,
        frames=framed is not None,
        configuration=config.model_dump(mode="json", include=LISTED, exclude_none=True),
    )
    above = [("ensemble", step.measured), ("submission", step.submitted), ("ablation", "ablation")]
    above += [("train", stream) for stream in streams]
    above += [("cross_subject", "cross_subject")] if config.ground_truth else []
    above += [("emotion_ablation", "emotion"), ("emotion_cross_subject", "emotion")] if config.emotion else []
    above += [("rgb", framed)] if framed else []
    modules = [*MODULES, config.ensembles[shown].rule.module]
    return Planned("report", "report", step, modules, above, tables=PAGE)
