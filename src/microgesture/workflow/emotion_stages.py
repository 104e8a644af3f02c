"""The stages of emotion recognition, in the order in which they are planned."""

from collections.abc import Collection, Iterator
from pathlib import Path

from ..config.declarations import LAYOUTS
from ..config.emotion import SHARDS, EmotionSettings, EmotionStep, EmotionSubmissionStep, EmotionTableStep, VideosStep
from ..config.layouts import SelectionChoice
from ..config.measures import AblationRow
from ..config.networks import SwinFaceSettings
from ..config.whole import Config
from ..emotion.videos import find_label_files
from ..errors import InputError
from .corpus_stages import selection_text
from .stages import Planned


def emotion_stages(emotion: EmotionSettings, root: str, seed: int, selection: SelectionChoice) -> Iterator[Planned]:
    """The list of videos of the corpus in ``root``, every row of sources, their tables, and the submission."""
    corpus = emotion.corpus
    listing = VideosStep(root=root, labels=emotion.labels, split=emotion.split)
    tables = ["microgesture/tables/imigue_emotion.json"] if emotion.split == "published" else []
    yield Planned("videos", "emotion", listing, ["microgesture.emotion.videos"], [("clips", corpus)], tables=tables)
    for row, sources in emotion.rows.items():
        step = _step_of_row(row, emotion, seed, selection)
        above = [("videos", "emotion"), *((kind, corpus) for kind in emotion.shards_of(row))]
        above += [("embed", getattr(emotion, source)) for source in ("context", "gestures") if source in sources]
        fixed = ["microgesture.emotion.faces"] if step.face and step.face.weights else []
        declared = [selection_text(step.selection)] if step.pose else []
        without = [f"microgesture.checkpoints.{layout}" for layout in LAYOUTS if layout not in SwinFaceSettings.layouts]
        without += [] if step.pose else ["microgesture.emotion.poses"]
        for stage, upstream in (("train", above), ("predict", [*above, ("train_emotion", row)])):
            modules = [f"microgesture.emotion.{stage}", *fixed]
            yield Planned(f"{stage}_emotion", row, step, modules, upstream, without, (), declared)
    rows = [("predict_emotion", row) for row in emotion.rows]
    for stage, ground_truth in (("emotion_ablation", None), ("emotion_cross_subject", emotion.ground_truth)):
        table = EmotionTableStep(
            rows=[AblationRow(name=row, versus=emotion.versus[row]) for row in emotion.rows], ground_truth=ground_truth
        )
        yield Planned(stage, "emotion", table, ["microgesture.emotion.measure"], rows)
    submitting = EmotionSubmissionStep(sample=emotion.sample, targets=emotion.targets)
    predicted = [("predict_emotion", emotion.submitted)]
    yield Planned("emotion_submission", "emotion", submitting, ["microgesture.emotion.submission"], predicted)


def refuse_missing_shards(config: Config, root: str, made: Collection[str]) -> None:
    """Raise ``InputError`` if a source needs a modality that is not among those ``made`` of the corpus in ``root``."""
    corpus = config.emotion.corpus
    for source, kind in SHARDS.items():
        if getattr(config.emotion, source) is not None and kind not in made:
            needed = " and ".join(sorted(config.modality(kind).needs, reverse=True))
            raise InputError(
                f"emotion.{source} needs {needed}, but corpus '{corpus}' ({root}) lacks it; remove emotion.{source}"
            )


def label_files(config: Config, root: str) -> list[str]:
    """The files with labels of emotion of the corpus in ``root``; none if it is synthetic and made with its clips.

    Raises ``InputError`` if there are none.
    """
    emotion = config.emotion
    if config.corpora[emotion.corpus].demo is not None:
        return []
    return [*emotion.labels] or [str(path) for path in find_label_files(Path(root))]


def _step_of_row(row: str, emotion: EmotionSettings, seed: int, selection: SelectionChoice) -> EmotionStep:
    """The step of a row of ``EmotionSettings``, without the settings that its sources do not need."""
    sources = emotion.rows[row]
    return EmotionStep(
        row=row,
        sources=sources,
        **{source: getattr(emotion, source) for source in sources},
        selection=selection if "pose" in sources else None,
        network=emotion.network,
        recipe=emotion.recipe,
        folds=emotion.folds,
        members=emotion.members,
        seed=seed,
    )
