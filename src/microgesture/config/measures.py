"""Settings of what is measured: rows of the ablation table, and labels of test clips."""

from pydantic import Field

from .base import Name, Settings


class AblationRow(Settings):
    """One row of the ablation table."""

    name: Name = Field(description="a stream or an ensemble; all on one corpus")
    versus: Name | None = Field(None, description="the row above that this one is compared with, clip by clip")


class GroundTruth(Settings):
    """Labels of test clips; only the table in ``results/cross_subject`` reads them, and nothing is made from it."""

    file: str = Field(description="a CSV with a row for each clip")
    id_column: str = Field("clip_id", description="its column with the clips' ids")
    label_column: str = Field("label", description="its column with their classes, written as in a submission")


class AblationStep(Settings):
    """Rows of the ablation table."""

    rows: tuple[AblationRow, ...] = Field(min_length=1)
    folds: int = Field(0, ge=0, description="parts of the people that the rows are measured on; 0: on val")


class CrossSubjectStep(GroundTruth):
    """Rows of the ablation table to measure on the test split."""

    rows: tuple[AblationRow, ...] = Field(min_length=1)
