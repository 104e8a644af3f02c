"""Checks of what a configuration says of test clips and classes, so that errors are found before the work."""

from collections.abc import Iterator
from pathlib import Path

from ..config.emotion import EmotionSettings
from ..config.whole import Config
from ..emotion.videos import list_videos, video_key, with_ground_truth
from ..ensembles.submission import check_sample
from ..errors import InputError
from ..measures.class_groups import group_of_classes
from ..measures.ground_truth import check_ground_truth
from ..storage.clips import Clips


def check_given_files(config: Config, corpus: str, clips: Clips) -> Iterator[str]:
    """Yield warnings about the files with labels or ids of a corpus's test clips; the clips need not be opened.

    Raises ``InputError`` if a run could not use one of these files, or the groups of classes.
    """
    try:
        group_of_classes(config.corpora[corpus].class_groups, clips.classes)
    except InputError as error:
        raise InputError(f"corpora.{corpus}.{error}") from None
    truth, sample = config.ground_truth, config.submission.sample
    if corpus == config.streams[config.ensembles[config.submission.ensemble].streams[0]].corpus:
        if truth:
            for warning in check_ground_truth(_there(truth.file), truth.id_column, truth.label_column, clips):
                yield f"ground_truth: {warning}"
        if sample:
            check_sample(clips.table.clip_id[clips.table.split == "test"].tolist(), _there(sample))
    if config.emotion and config.emotion.corpus == corpus:
        _check_emotion(config.emotion, clips, Path(config.corpora[corpus].root))


def _check_emotion(emotion: EmotionSettings, clips: Clips, root: Path) -> None:
    videos = list_videos(clips, root, [_there(path) for path in emotion.labels], emotion.split)
    if emotion.ground_truth:
        with_ground_truth(videos, _there(emotion.ground_truth))
    if emotion.sample:
        check_sample(videos.video_id[videos.split == "test"].tolist(), _there(emotion.sample), video_key)


def _there(path: str) -> Path:
    if not Path(path).is_file():
        raise InputError(f"{path}: no such file; correct its path in the configuration")
    return Path(path)
