"""The stages of emotion recognition, in the order in which they are planned."""

from collections.abc import Iterator
from pathlib import Path

from ..config.declarations import LAYOUTS
from ..config.emotion import EmotionSettings, EmotionStep, EmotionSubmissionStep, EmotionTableStep, VideosStep
from ..config.measures import AblationRow
from ..config.networks import SwinFaceSettings
from ..config.whole import Config
from ..emotion.videos import find_label_files
from .stages import Planned


def emotion_stages(emotion: EmotionSettings, root: str, seed: int) -> Iterator[Planned]:
    """The list of videos of the corpus in ``root``, every row of sources, their tables, and the submission."""
    corpus = emotion.corpus
    listing = VideosStep(root=root, labels=emotion.labels, split=emotion.split)
    tables = ["microgesture/tables/imigue_emotion.json"] if emotion.split == "published" else []
    yield Planned("videos", "emotion", listing, ["microgesture.emotion.videos"], [("clips", corpus)], tables=tables)
    for row, sources in emotion.rows.items():
        step = _step_of_row(row, emotion, seed)
        above = [("videos", "emotion"), *([("face", corpus)] if "face" in sources else [])]
        above += [("embed", getattr(emotion, source)) for source in ("context", "gestures") if source in sources]
        fixed = ["microgesture.emotion.faces"] if step.face and step.face.weights else []
        other = [f"microgesture.checkpoints.{layout}" for layout in LAYOUTS if layout not in SwinFaceSettings.layouts]
        for stage, upstream in (("train", above), ("predict", [*above, ("train_emotion", row)])):
            yield Planned(f"{stage}_emotion", row, step, [f"microgesture.emotion.{stage}", *fixed], upstream, other)
    rows = [("predict_emotion", row) for row in emotion.rows]
    for stage, ground_truth in (("emotion_ablation", None), ("emotion_cross_subject", emotion.ground_truth)):
        table = EmotionTableStep(
            rows=[AblationRow(name=row, versus=emotion.versus[row]) for row in emotion.rows], ground_truth=ground_truth
        )
        yield Planned(stage, "emotion", table, ["microgesture.emotion.measure"], rows)
    handed_in = EmotionSubmissionStep(sample=emotion.sample, targets=emotion.targets)
    predicted = [("predict_emotion", emotion.submitted)]
    yield Planned("emotion_submission", "emotion", handed_in, ["microgesture.emotion.submission"], predicted)


def label_files(config: Config, root: str) -> list[str]:
    """The files with labels of emotion of the corpus in ``root``; none if it is synthetic and made with its clips.

    Raises ``InputError`` if there are none.
    """
    emotion = config.emotion
    if config.corpora[emotion.corpus].demo is not None:
        return []
    return [*emotion.labels] or [str(path) for path in find_label_files(Path(root))]


def _step_of_row(row: str, emotion: EmotionSettings, seed: int) -> EmotionStep:
    """The step of a row of ``EmotionSettings``, without the settings that its sources do not need."""
    sources = emotion.rows[row]
    return EmotionStep(
        row=row,
        sources=sources,
        **{source: getattr(emotion, source) for source in sources},
        network=emotion.network,
        recipe=emotion.recipe,
        folds=emotion.folds,
        members=emotion.members,
        seed=seed,
    )
