"""Settings of measurements: rows of the ablation table, and labels of test clips."""

from pydantic import Field

from .base import FilePath, Name, Settings


class AblationRow(Settings):
    """One row of the ablation table."""

    name: Name = Field(description="a stream or an ensemble; all rows are on one corpus")
    versus: Name | None = Field(None, description="a row above, with which this row is compared clip by clip")


class GroundTruth(Settings):
    """Labels of test clips. Only the table in ``results/cross_subject`` is computed from them."""

    file: FilePath = Field(description="CSV file with a row for each clip")
    id_column: str = Field("clip_id", description="column with the ids of the clips")
    label_column: str = Field("label", description="column with the classes, written as in a submission")


class GroupedClasses(Settings):
    """Groups of the classes of a corpus, for metrics."""

    groups: dict[str, tuple[str, ...]] = Field({}, description="the classes of each group; empty: there are no groups")


class AblationStep(GroupedClasses):
    """Rows of the ablation table on held-out clips."""

    rows: tuple[AblationRow, ...] = Field(min_length=1)
    left_out: tuple[Name, ...] = Field((), description="rows without held-out clips: they were also trained on val")
    folds: int = Field(0, ge=0, description="folds of subjects on which the rows are measured; 0: on val")


class CrossSubjectStep(GroundTruth, GroupedClasses):
    """Rows of the ablation table to measure on the test split."""

    rows: tuple[AblationRow, ...] = Field(min_length=1)
