"""A demo corpus with emotions: what tells a win from a loss, and how well, and that nothing else does."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from python_calamine import CalamineWorkbook
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.naive_bayes import MultinomialNB

from microgesture.cli import main
from microgesture.config.corpora import Ma52Corpus
from microgesture.corpora import list_clips
from microgesture.demo import make_demo, miga
from microgesture.demo.emotions import express
from microgesture.demo.figure import FACE, KEYPOINTS, Build, solve
from microgesture.demo.gestures import GESTURES, rest
from microgesture.demo.miga import VIDEOS, emotion_truth, plan
from microgesture.emotion.videos import list_videos
from microgesture.errors import InputError

SUBJECTS = {"train": 2, "val": 1, "test": 1}
CLIPS = {"train": 10, "val": 4, "test": 5}
CORNERS, CHEEKS = [FACE + 48, FACE + 54], [FACE + 2, FACE + 14]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("emotions")
    arguments = ("miga", folder / "truth.csv", 4, SUBJECTS, CLIPS, (96, 96))
    make_demo(folder / "miga", *arguments, workers=1, emotion=True, emotion_truth=folder / "emotions.csv")
    return folder


def sittings_of(split: str, seeds: range, subjects: int = 20, clips: int = 280) -> list:
    return [sitting for seed in seeds for sitting in plan(split, seed, subjects, clips, emotion=True)]


def outcomes(sittings: list) -> np.ndarray:
    return np.array([sitting.mood.won for sitting in sittings])


def counts(sittings: list) -> np.ndarray:
    return np.array([np.bincount(sitting.gestures, minlength=len(GESTURES)) for sitting in sittings])


def test_everybody_sits_once_after_a_win_and_once_after_a_loss_in_either_order() -> None:
    sittings = plan("train", 0, 30, 420, emotion=True)
    assert sum(len(sitting.gestures) for sitting in sittings) == 420
    assert [sitting.number for sitting in sittings] == list(VIDEOS["train"][:60])
    table = pd.DataFrame({"subject": [s.subject for s in sittings], "won": outcomes(sittings)})
    assert table.groupby("subject").won.agg(["size", "sum"]).drop_duplicates().to_numpy().tolist() == [[2, 1]]
    assert 5 < table.won[::2].sum() < 25


@pytest.mark.parametrize(("split", "subjects"), [("train", 30), ("val", 5), ("test", 20)])
def test_there_are_ids_of_the_split_for_a_corpus_of_this_size(split: str, subjects: int) -> None:
    numbers = [sitting.number for sitting in plan(split, 0, subjects, 14 * subjects, emotion=True)]
    assert len(set(numbers)) == 2 * subjects
    others = {number for other, numbers in VIDEOS.items() if other != split for number in numbers}
    assert not others & set(numbers)


def test_counted_gestures_tell_about_four_in_five_strangers() -> None:
    accuracies = []
    for seed in range(20):
        train, test = plan("train", seed, 30, 420, emotion=True), plan("test", seed, 20, 280, emotion=True)
        bayes = MultinomialNB(fit_prior=False).fit(counts(train), outcomes(train))
        accuracies.append(bayes.score(counts(test), outcomes(test)))
    assert 0.75 < np.mean(accuracies) < 0.85


def test_every_gesture_is_seen_after_wins_and_after_losses() -> None:
    sittings = plan("train", 0, 30, 420, emotion=True)
    seen_RK, won_R = counts(sittings), outcomes(sittings)
    assert (seen_RK[won_R].sum(axis=0) > 0).all()
    assert (seen_RK[~won_R].sum(axis=0) > 0).all()


@pytest.mark.parametrize("split", ["train", "test"])
def test_the_valence_of_a_face_tells_four_in_five(split: str) -> None:
    sittings = sittings_of(split, range(5))
    valence_R, won_R = np.array([sitting.mood.valence for sitting in sittings]), outcomes(sittings)
    assert 0.75 < ((valence_R > 0) == won_R).mean() < 0.85
    assert abs(valence_R.mean()) < 0.01
    # Who shows much joy shows it whatever the gestures are.
    residual_R = valence_R - np.where(won_R, 1, -1) * np.abs([valence_R[won_R].mean(), valence_R[~won_R].mean()]).mean()
    assert abs(np.corrcoef(residual_R, counts(sittings).sum(axis=1))[0, 1]) < 0.15


def test_id_order_length_and_split_tell_nothing() -> None:
    train, test = sittings_of("train", range(12)), sittings_of("test", range(12, 24))

    def cues(sittings: list) -> np.ndarray:
        return np.array([(s.number, s.session, s.subject, s.mood.frames) for s in sittings], float)

    forest = ExtraTreesClassifier(50, min_samples_leaf=5, random_state=0).fit(cues(train), outcomes(train))
    assert abs(forest.score(cues(test), outcomes(test)) - 0.5) < 3 * 0.5 / np.sqrt(len(test))
    # The control: so little as the number of gestures, that differ by an eighth, does.
    forest.fit(counts(train).sum(axis=1, keepdims=True), outcomes(train))
    assert forest.score(counts(test).sum(axis=1, keepdims=True), outcomes(test)) > 0.5 + 3 * 0.5 / np.sqrt(len(test))


def test_labels_are_told_for_train_and_val_alone(corpus: Path) -> None:
    told = pd.read_csv(corpus / "miga/labels_demo.csv", dtype=str, keep_default_na=False)
    assert list(told.columns) == ["video_id", "label_id", "subject_id", "win_or_lose"]
    for split in SUBJECTS:
        for sitting in plan(split, 4, SUBJECTS[split], CLIPS[split], emotion=True):
            rows = told[told.video_id == str(sitting.number)]
            assert len(rows) == len(sitting.gestures)
            expected = "" if split == "test" else "Win" if sitting.mood.won else "Lose"
            assert set(rows.win_or_lose) == {expected}
    truth = pd.read_csv(corpus / "emotions.csv", dtype=str)
    assert list(truth.columns) == ["video_id", "label"]
    assert truth.video_id.tolist() == ["0054", "0067"]
    assert sorted(truth.label) == ["Lose", "Win"]
    assert truth.equals(emotion_truth(plan("test", 4, 1, 5, emotion=True)).astype(truth.dtypes.to_dict()))


def test_the_corpus_goes_through_the_readers(corpus: Path) -> None:
    clips = list_clips("imigue", "miga", corpus / "miga", 1)
    assert clips.table.groupby("split").size().to_dict() == CLIPS
    assert (clips.table.status == "ok").all()
    videos = list_videos(clips, corpus / "miga", [], "corpus")
    assert videos[videos.split == "test"].label.isna().all()
    assert sorted(videos[videos.split != "test"].label) == ["lose"] * 3 + ["win"] * 3


def test_the_mouth_in_the_keypoints_is_that_of_the_mood(corpus: Path) -> None:
    valences, bows = [], []
    for split, folder in {"train": "imigue_skeleton_train", "val": "imigue_skeleton_validate"}.items():
        for sitting in plan(split, 4, SUBJECTS[split], CLIPS[split], emotion=True):
            (path,) = (corpus / "miga").glob(f"**/{folder}/*/{sitting.number:04d}_openpose.xlsx")
            rows = CalamineWorkbook.from_path(path).get_sheet_by_index(0).to_python()
            points_TVC = np.array(rows, float).reshape(len(rows), KEYPOINTS, 3)
            points_TVC = points_TVC[(points_TVC[:, FACE : FACE + 68, 2] > 0.3).all(axis=1)]
            corners_T, middle_T = (
                points_TVC[:, CORNERS, 1].mean(axis=1),
                points_TVC[:, [FACE + 51, FACE + 57], 1].mean(1),
            )
            bows.append(float(np.median((middle_T - corners_T) / np.ptp(points_TVC[:, CHEEKS, 0], axis=1))))
            valences.append(sitting.mood.valence)
    assert np.corrcoef(valences, bows)[0, 1] > 0.8


def test_with_the_same_gestures_a_mood_changes_the_face_and_nothing_else(tmp_path: Path, monkeypatch) -> None:
    drawn = []
    monkeypatch.setattr(miga, "write_video", lambda path, pictures, fps, quick: drawn.append(np.stack(pictures)))
    (sitting, *_) = plan("val", 2, 1, 6, emotion=True)
    labels, tables = [], []
    for valence in (-1.2, 1.2):
        mood = replace(sitting.mood, won=valence > 0, valence=valence)
        (_, sheet, label), _ = miga.write(tmp_path / str(valence), replace(sitting, mood=mood), 2, (160, 120))
        rows = CalamineWorkbook.from_path(sheet).get_sheet_by_index(0).to_python()
        tables.append(np.array(rows, float).reshape(len(rows), KEYPOINTS, 3))
        labels.append(label.read_bytes())
    assert labels[0] == labels[1]
    changed = set(np.flatnonzero((tables[0] != tables[1]).any(axis=(0, 2))))
    assert set(CORNERS) <= changed <= {15, 16, *range(FACE + 17, FACE + 68)}
    jaw_TVC = tables[0][:, FACE : FACE + 17]
    jaw_NV2 = jaw_TVC[(jaw_TVC[..., 2] > 0).all(axis=1), :, :2]
    (left, top), (right, bottom) = jaw_NV2.min(axis=(0, 1)).astype(int), jaw_NV2.max(axis=(0, 1)).astype(int)
    differs_HW = (drawn[0] != drawn[1]).any(axis=(0, 3))
    face = slice(top - (bottom - top), bottom + 5), slice(left - 5, right + 5)
    assert differs_HW[face].sum() > 100
    differs_HW[face] = False
    assert not differs_HW.any()


def faces(**expression: float) -> np.ndarray:
    """A face (137, 3) that looks straight ahead; y goes down."""
    pose = rest(1)
    for name, value in expression.items():
        getattr(pose, name)[:] = value
    return solve(Build(), pose)[0]


def test_a_smile_lifts_and_widens_the_mouth_and_sorrow_lowers_its_corners() -> None:
    calm, joy, sorrow = faces(), faces(smile_T=1), faces(smile_T=-1, worry_T=1)
    assert (joy[CORNERS, 1] < calm[CORNERS, 1] - 0.02).all()
    assert (sorrow[CORNERS, 1] > calm[CORNERS, 1] + 0.02).all()
    assert np.ptp(joy[CORNERS, 0]) > np.ptp(calm[CORNERS, 0]) > np.ptp(sorrow[CORNERS, 0])
    inner, outer = [FACE + 21, FACE + 22], [FACE + 17, FACE + 26]
    assert (sorrow[inner, 1] < calm[inner, 1] - 0.02).all()
    assert (sorrow[outer, 1] > calm[outer, 1] + 0.02).all()
    opening = [
        points[[FACE + 40, FACE + 41], 1].mean() - points[[FACE + 37, FACE + 38], 1].mean() for points in (calm, joy)
    ]
    assert opening[1] < opening[0]
    still = np.setdiff1d(np.arange(KEYPOINTS), FACE + np.arange(17, 68))
    moved = np.abs(joy - calm).max(axis=1) + np.abs(sorrow - calm).max(axis=1)
    assert set(np.flatnonzero(moved[still] > 0)) <= {15, 16}, "the eyes of the body are the middles of the lids"


def test_expressions_come_and_go_and_speech_says_nothing() -> None:
    smiles, mouths = [], []
    for valence in (-1.0, 1.0):
        pose = rest(400)
        express(np.random.default_rng(0), pose, valence, 1.0, 25)
        smiles.append(pose.smile_T)
        mouths.append(pose.mouth_T)
        assert np.abs(pose.smile_T).max() <= 1
        assert pose.smile_T.std() > 0.1
        assert 0 <= pose.worry_T.min() <= pose.worry_T.max() <= 1
    assert smiles[0].mean() < -0.3
    assert smiles[1].mean() > 0.3
    np.testing.assert_array_equal(*mouths)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"layout": "ma52"}, "'ma52'.* emotions"),
        ({"layout": "smg"}, "'smg'.* emotions"),
        ({"emotion_truth": None}, "emotions.* file"),
        ({"clips": {"train": 4, "val": 1, "test": 2}}, "1 val clips are too few for 2 recordings"),
        ({"subjects": SUBJECTS | {"val": 6}, "clips": CLIPS | {"val": 60}}, "10 ids"),
    ],
)
def test_emotions_that_cannot_be_drawn_are_refused_before_any_work(tmp_path: Path, change: dict, message: str) -> None:
    settings = {"layout": "miga", "subjects": SUBJECTS, "clips": CLIPS, "emotion_truth": tmp_path / "e.csv"} | change
    with pytest.raises(InputError, match=message):
        make_demo(tmp_path / "d", truth=tmp_path / "t", seed=0, frame=(96, 96), workers=1, emotion=True, **settings)
    assert not list(tmp_path.iterdir())


def test_a_corpus_of_another_format_has_no_emotions() -> None:
    demo = {"subjects": SUBJECTS, "clips": CLIPS, "emotion": True}
    with pytest.raises(ValueError, match=r"ma52 has no emotions.*demo\.emotion"):
        Ma52Corpus(format="ma52", demo=demo)


def test_the_command_makes_the_same_bytes(corpus: Path, tmp_path: Path) -> None:
    settings = {"layout": "miga", "seed": 4, "subjects": SUBJECTS, "clips": CLIPS, "frame": (96, 96), "emotion": True}
    paths = {"root": "miga", "truth": "truth.csv", "emotion-truth": "emotions.csv", "output": "files.json"}
    options = [text for name, path in paths.items() for text in (f"--{name}", str(tmp_path / path))]
    with pytest.raises(SystemExit, match="0"):
        main(["demo", "--settings", json.dumps(settings), *options])
    files = json.loads((tmp_path / "files.json").read_text())
    assert len(files) == 3 * 2 * sum(SUBJECTS.values()) + 1
    for name in (*(f"miga/{file}" for file in files), "truth.csv", "emotions.csv"):
        assert (tmp_path / name).read_bytes() == (corpus / name).read_bytes()
