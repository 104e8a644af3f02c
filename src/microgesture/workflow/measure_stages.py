"""The stages that measure streams and ensembles: on held-out clips, and on test clips if their labels are known."""

from collections.abc import Iterable, Mapping

from ..config.measures import AblationRow, AblationStep, CrossSubjectStep
from ..config.whole import Config
from .stages import Planned

Groups = Mapping[str, tuple[str, ...]]


def ablation_stage(
    config: Config, rows: tuple[AblationRow, ...], left_out: tuple[str, ...], corpus: str, groups: Groups
) -> Planned:
    """The stage that measures ``rows`` on held-out clips of a corpus; the rows ``left_out`` have none."""
    step = AblationStep(rows=rows, left_out=left_out, folds=config.folds, groups=groups)
    above = [("clips", corpus), *_predicted(config, rows, "predict_fold" if config.folds else "predict")]
    return Planned("ablation", "ablation", step, ["microgesture.measures.ablation"], above)


def cross_subject_stage(config: Config, rows: tuple[AblationRow, ...], corpus: str, groups: Groups) -> Planned:
    """The stage that measures ``rows`` on the test clips of a corpus with the labels of ``ground_truth``."""
    step = CrossSubjectStep(**config.ground_truth.model_dump(), rows=rows, groups=groups)
    above = [("clips", corpus), *_predicted(config, rows, "predict")]
    return Planned("cross_subject", "cross_subject", step, ["microgesture.measures.cross_subject"], above)


def _predicted(config: Config, rows: Iterable[AblationRow], stage: str) -> list[tuple[str, str]]:
    return [("ensemble" if row.name in config.ensembles else stage, row.name) for row in rows]
