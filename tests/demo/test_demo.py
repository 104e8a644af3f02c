"""The demo corpus: its layouts, its figure, and that nothing but the gesture tells a clip's class."""

import re
from pathlib import Path

import av
import numpy as np
import pandas as pd
import pytest
from python_calamine import CalamineWorkbook
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import GroupKFold, cross_val_predict

from microgesture.demo import ma52 as drawn_ma52
from microgesture.demo import make_demo
from microgesture.demo import miga as drawn_miga
from microgesture.demo.figure import ARMS, HANDS, HIDDEN, Build, solve
from microgesture.demo.gestures import GESTURES, act, vary
from microgesture.demo.people import Framing, draw_recording, draw_subject, idle, observe, render
from microgesture.demo.sheet import write_sheet
from microgesture.demo.sittings import class_counts, schedule
from microgesture.errors import InputError

SUBJECTS = {"train": 4, "val": 1, "test": 2}
CLIPS = {"train": 24, "val": 8, "test": 12}
MANY = {"train": 72, "val": 10, "test": 26}  # enough to learn from
FEW = {"train": 2, "val": 2, "test": 3}
ONE = {"train": 1, "val": 1, "test": 1}
SKELETONS = {
    "train": "imigue_data_phase1/datasets/imigue_skeleton_train",
    "val": "imigue_data_phase1/datasets/imigue_skeleton_validate",
    "test": "imigue_data_phase2/imigue_skeleton_test",
}
VIDEOS = {
    "train": "imigue_rgb_phase1/train_data",
    "val": "imigue_rgb_phase1/validation_data",
    "test": "imigue_rgb_phase2",
}


@pytest.fixture(scope="module")
def miga(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("demo")
    make_demo(root / "miga", "miga", root / "truth.csv", 5, SUBJECTS, CLIPS, (128, 96), workers=2)
    return root


@pytest.fixture(scope="module")
def large_miga(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("demo")
    make_demo(root / "miga", "miga", root / "truth.csv", 5, SUBJECTS, MANY, (128, 96), workers=2)
    return root


@pytest.fixture(scope="module")
def ma52(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("demo")
    make_demo(
        root / "ma52", "ma52", root / "truth.csv", 5, ONE, {"train": 9, "val": 8, "test": 8}, (96, 128), workers=1
    )
    return root


def labels(root: Path, split: str) -> dict[str, np.ndarray]:
    files = sorted((root / "miga" / SKELETONS[split]).glob("*/*_label.csv"))
    return {file.parent.name: np.loadtxt(file, delimiter=",", dtype=int, ndmin=2) for file in files}


def frames_of(path: Path) -> tuple[np.ndarray, float]:
    with av.open(str(path)) as file:
        rate = float(file.streams.video[0].average_rate)
        return np.stack([frame.to_ndarray(format="rgb24") for frame in file.decode(video=0)]), rate


def sitting_person(seed: int = 3, size: tuple[int, int] = (320, 240)):
    rng = np.random.default_rng(seed)
    return rng, draw_recording(rng, draw_subject(rng), size, Framing((0.25, 0.26), (0.44, 0.45)))


def test_miga_holds_one_video_one_sheet_and_one_label_file_per_recording(miga: Path) -> None:
    found = {str(path.relative_to(miga / "miga")) for path in (miga / "miga").rglob("*") if path.is_file()}
    expected = set()
    for split in SKELETONS:
        for video in labels(miga, split):
            assert re.fullmatch(r"\d{4}", video)
            expected |= {f"{SKELETONS[split]}/{video}/{video}_{kind}" for kind in ("openpose.xlsx", "label.csv")}
            expected.add(f"{VIDEOS[split]}/{video}/{video}.mp4")
    expected.add("labels_demo.csv")
    assert found == expected


def test_miga_tells_who_is_in_each_recording_and_no_label(miga: Path) -> None:
    told = pd.read_csv(miga / "miga/labels_demo.csv")
    assert list(told.columns) == ["video_id", "label_id", "subject_id"]
    for split in SKELETONS:
        for sitting in drawn_miga.plan(split, 5, SUBJECTS[split], CLIPS[split]):
            rows = told[told.video_id == sitting.number]
            assert set(rows.subject_id) == {sitting.subject}
            assert list(rows.label_id) == list(range(1, len(sitting.gestures) + 1))


@pytest.mark.parametrize("split", ["val", "test"])
def test_miga_sheet_has_411_numbers_for_every_frame_of_the_25_fps_video(miga: Path, split: str) -> None:
    for video, rows in labels(miga, split).items():
        pictures_THWC, rate = frames_of(miga / "miga" / VIDEOS[split] / video / f"{video}.mp4")
        sheet = CalamineWorkbook.from_path(miga / "miga" / SKELETONS[split] / video / f"{video}_openpose.xlsx")
        table = np.array(sheet.get_sheet_by_index(0).to_python(skip_empty_area=False), dtype=float)
        assert rate == drawn_miga.FPS == 25
        assert table.shape == (len(pictures_THWC), 411)
        confidence_TV = table[:, 2::3]
        assert confidence_TV.min() == 0
        assert confidence_TV.max() <= 1
        assert not table.reshape(-1, 137, 3)[confidence_TV == 0].any()
        assert rows[:, 2].max() < len(pictures_THWC)


def test_miga_labels_are_inclusive_ordered_and_sometimes_overlap(miga: Path) -> None:
    rows = [rows for split in SKELETONS for rows in labels(miga, split).values()]
    for recording in rows:
        assert (recording[:, 1] < recording[:, 2]).all()
        assert (np.diff(recording[:, 1]) > 0).all()
    gaps = np.concatenate([recording[1:, 1] - recording[:-1, 2] for recording in rows])
    assert (gaps <= 0).any()
    assert (gaps > 1).any()


def test_miga_test_labels_are_only_in_the_truth_file(miga: Path) -> None:
    hidden = labels(miga, "test")
    assert {value for rows in hidden.values() for value in rows[:, 0]} == {1}
    truth = pd.read_csv(miga / "truth.csv")
    assert truth.Id.tolist() == [f"{video}_{row}" for video, rows in hidden.items() for row in range(len(rows))]
    assert truth.Target.value_counts().to_dict() == {
        drawn_miga.target(gesture): count for gesture, count in zip(GESTURES, class_counts(CLIPS["test"]), strict=True)
    }
    assert 31 in truth.Target.tolist()
    known = np.concatenate([rows[:, 0] for rows in labels(miga, "train").values()])
    assert set(known) == {8, 12, 17, 23, 24, 28, 31, 99}


def test_ma52_lists_name_every_clip_and_end_their_lines_as_the_release_does(ma52: Path) -> None:
    for split, count in (("train", 9), ("val", 8), ("test", 8)):
        content = (ma52 / "ma52" / f"{split}_list_videos.txt").read_bytes()
        assert content.count(b"\r\n") == content.count(b"\n") == (count - 1 if split == "test" else count)
        assert content.endswith(b"\r\n") != (split == "test")
        rows = [line.split() for line in content.decode().splitlines()]
        assert {name for name, _ in rows} == {path.name for path in (ma52 / "ma52" / f"videos_{split}").iterdir()}
        pattern = r"test\d{4}\.mp4" if split == "test" else r"\d{4}_\d{2}_\d{4}\.mp4"
        assert all(re.fullmatch(pattern, name) for name, _ in rows)
        assert {label for _, label in rows} <= ({"0"} if split == "test" else {str(g.ma52) for g in GESTURES})
    truth = pd.read_csv(ma52 / "truth.csv")
    assert truth.Id.tolist() == [f"test{place:04d}" for place in range(8)]
    assert set(truth.Target) <= {gesture.ma52 for gesture in GESTURES}
    pictures_THWC, rate = frames_of(next((ma52 / "ma52" / "videos_train").iterdir()))
    assert rate == drawn_ma52.FPS == 30
    assert pictures_THWC.shape[1:] == (128, 96, 3)


@pytest.mark.slow
def test_equal_seeds_give_equal_bytes_whatever_the_number_of_workers(tmp_path: Path) -> None:
    written = {}
    for name, seed, workers in (("one", 1, 1), ("two", 1, 2), ("other", 2, 1)):
        root = tmp_path / name
        files = make_demo(root / "d", "miga", root / "truth.csv", seed, ONE, FEW, (64, 64), workers)
        written[name] = {str(path.relative_to(root)): path.read_bytes() for path in [*files, root / "truth.csv"]}
    assert written["one"] == written["two"]
    assert written["one"].keys() == written["other"].keys()
    assert not any(written["one"][name] == written["other"][name] for name in written["one"] if "mp4" in name)


@pytest.mark.parametrize("layout", [drawn_miga, drawn_ma52], ids=["miga", "ma52"])
def test_every_subject_is_in_one_split_and_shows_the_same_mixture(layout) -> None:
    people = {}
    for split, subjects, clips in (("train", 9, 260), ("val", 4, 90), ("test", 5, 119)):
        sittings = layout.plan(split, 0, subjects, clips)
        people[split] = {sitting.subject for sitting in sittings}
        mixtures = np.array([np.bincount(sitting.gestures, minlength=len(GESTURES)) for sitting in sittings])
        assert len(people[split]) == subjects
        assert mixtures.sum(axis=0).tolist() == class_counts(clips)
        assert np.ptp(mixtures, axis=0).max() <= 1
    assert not people["train"] & people["val"] | people["train"] & people["test"] | people["val"] & people["test"]


def test_class_counts_have_a_long_tail_and_sum_up() -> None:
    for clips in (1, 7, 90, 260, 1001):
        assert sum(class_counts(clips)) == clips
    assert min(class_counts(90)) >= 5
    assert max(class_counts(260)) > 3 * min(class_counts(260))


def leak_score(features: np.ndarray, classes: np.ndarray, groups: np.ndarray) -> float:
    """Balanced accuracy on people that the classifier has not seen."""
    forest = ExtraTreesClassifier(15, min_samples_leaf=3, class_weight="balanced", random_state=0)
    return balanced_accuracy_score(
        classes, cross_val_predict(forest, features, classes, groups=groups, cv=GroupKFold(3))
    )


@pytest.mark.slow
def test_length_colour_and_position_do_not_tell_the_class(large_miga: Path) -> None:
    truth = pd.read_csv(large_miga / "truth.csv").set_index("Id").Target
    features, classes, groups = [], [], []
    for split in SKELETONS:
        people = {f"{s.number:04d}": s.subject for s in drawn_miga.plan(split, 5, SUBJECTS[split], MANY[split])}
        for video, rows in labels(large_miga, split).items():
            pictures_THWC, _ = frames_of(large_miga / "miga" / VIDEOS[split] / video / f"{video}.mp4")
            for row, (raw, start, end) in enumerate(rows):
                colour = pictures_THWC[start : end + 1].mean(axis=(0, 1, 2))
                features.append([end - start + 1, *colour, row, start / len(pictures_THWC)])
                classes.append(truth[f"{video}_{row}"] if split == "test" else 31 if raw == 99 else raw - 1)
                groups.append(people[video])
    features, classes, groups = np.array(features), np.array(classes), np.array(groups)
    rng = np.random.default_rng(0)
    chance = [leak_score(features, rng.permutation(classes), groups) for _ in range(25)]
    limit = np.mean(chance) + 2.5 * np.std(chance)
    assert leak_score(features, classes, groups) < limit
    # The control: were some classes' clips a few frames longer than others', or their pictures brighter, it would show.
    place = np.unique(classes, return_inverse=True)[1]
    for column, step in ((0, 2.5), (2, 12)):
        leaking = features.copy()
        leaking[:, column] += step * place
        assert leak_score(leaking, classes, groups) > limit


def test_lengths_and_rests_ignore_the_class() -> None:
    one = schedule(np.random.default_rng(4), [0] * 30, (14, 34))
    mixed = schedule(np.random.default_rng(4), [place % 8 for place in range(30)], (14, 34))
    assert [(p.start, p.end) for p in one] == [(p.start, p.end) for p in mixed]
    lengths = [p.end - p.start + 1 for p in one]
    assert min(lengths) >= 14
    assert max(lengths) <= 34


@pytest.mark.parametrize("gesture", GESTURES, ids=lambda gesture: gesture.name)
def test_arms_keep_their_length_and_hands_stay_at_the_wrists(gesture) -> None:
    build = Build(upper_arm=0.8, forearm=0.7)
    pose = act(idle(np.random.default_rng(0), 30, 25), build, [(gesture, 0, 29, vary(np.random.default_rng(1)))], 25)
    points_TN3 = solve(build, pose)
    for side, (shoulder, elbow, wrist) in enumerate(ARMS):
        np.testing.assert_allclose(
            np.linalg.norm(points_TN3[:, shoulder] - points_TN3[:, elbow], axis=1), 0.8, atol=1e-9
        )
        np.testing.assert_allclose(np.linalg.norm(points_TN3[:, elbow] - points_TN3[:, wrist], axis=1), 0.7, atol=1e-9)
        np.testing.assert_array_equal(points_TN3[:, wrist], points_TN3[:, HANDS[side]])


def test_keypoints_are_in_openpose_order_with_the_persons_left_at_the_right() -> None:
    rng, recording = sitting_person()
    _, points_TVC = render(recording, idle(rng, 5, 25), (320, 240))
    x, y = points_TVC[..., 0], points_TVC[..., 1]
    assert (x[:, 2] < x[:, 1]).all()
    assert (x[:, 1] < x[:, 5]).all()
    assert (x[:, 17] < x[:, 15]).all()
    assert (x[:, 15] < x[:, 16]).all()
    assert (x[:, 16] < x[:, 18]).all()
    face = points_TVC[:, 25:95]
    assert (np.diff(face[:, 3:14, 0]) > 0).all(), "jaw from the person's right to left"
    assert (face[:, 8, 1] > face[:, 57, 1]).all(), "chin below the lower lip"
    assert (face[:, 57, 1] > face[:, 51, 1]).all(), "lower below upper lip"
    assert (face[:, 51, 1] > face[:, 33, 1]).all(), "mouth below the nose"
    assert (face[:, 33, 1] > face[:, 37, 1]).all(), "nose below the eyes"
    assert (face[:, 37, 1] > face[:, 19, 1]).all(), "eyes below the brows"
    np.testing.assert_array_equal(points_TVC[:, 95, :2], points_TVC[:, 7, :2])
    np.testing.assert_array_equal(points_TVC[:, 116, :2], points_TVC[:, 4, :2])
    assert not points_TVC[:, HIDDEN].any()
    assert (y[:, 4] > y[:, 2]).all()


@pytest.mark.parametrize("side", [0, 1])
def test_the_picture_changes_where_the_keypoints_say_a_hand_moved(side: int) -> None:
    rng, recording = sitting_person()
    pose = idle(rng, 2, 25)
    for name in vars(pose):
        getattr(pose, name)[1] = getattr(pose, name)[0]
    pose.curls_T25[1, side] += 0.5
    (before, after), points_TVC = render(recording, pose, (320, 240))
    rows, columns = np.nonzero(np.abs(before.astype(int) - after).max(axis=2) > 8)
    hand = points_TVC[:, HANDS[side] : HANDS[side] + 21].reshape(-1, 3)
    hand = hand[hand[:, 2] > 0]
    assert len(rows) > 10
    width = 0.1 * recording.camera.scale
    assert columns.min() > hand[:, 0].min() - width
    assert columns.max() < hand[:, 0].max() + width
    assert rows.min() > hand[:, 1].min() - width
    assert rows.max() < hand[:, 1].max() + width


def test_observed_keypoints_are_noisy_sometimes_missing_and_know_how_sure_they_are() -> None:
    rng, recording = sitting_person()
    _, true_TVC = render(recording, idle(rng, 400, 25), (320, 240))
    seen_TVC = observe(rng, true_TVC, recording.camera.scale)
    there = seen_TVC[..., 2] > 0
    assert not seen_TVC[~there].any()
    assert not there[:, HIDDEN].any()
    assert 0.02 < 1 - there[:, :8].mean() < 0.3
    error = np.hypot(*(seen_TVC - true_TVC)[..., :2].transpose(2, 0, 1)) / recording.camera.scale
    confidence = seen_TVC[..., 2]
    body = there & (np.arange(137) < 95)
    assert 0.008 < np.sqrt((error[body & (confidence > 0.7)] ** 2).mean() / 2) < 0.02
    assert error[body & (confidence < 0.5)].mean() > 1.5 * error[body & (confidence > 0.9)].mean()


@pytest.mark.parametrize("shape", [(1, 1), (3, 27), (5, 703)])
def test_a_sheet_is_read_back_as_it_was_written(tmp_path: Path, shape: tuple[int, int]) -> None:
    table = np.round(np.random.default_rng(0).normal(0, 300, shape), 3)
    write_sheet(tmp_path / "table.xlsx", table)
    rows = CalamineWorkbook.from_path(tmp_path / "table.xlsx").get_sheet_by_index(0).to_python()
    np.testing.assert_array_equal(np.array(rows, dtype=float), table)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"layout": "kinetics"}, "'kinetics'"),
        ({"frame": (127, 96)}, "127 x 96"),
        ({"clips": {"train": 1, "val": 2, "test": 2}, "subjects": {"train": 2, "val": 1, "test": 1}}, "too few"),
        ({"subjects": {"train": 1, "val": 40, "test": 1}, "clips": {"train": 9, "val": 90, "test": 9}}, "subjects.val"),
        ({"clips": {"train": 1, "val": 2}}, "train, val, test"),
    ],
)
def test_settings_that_cannot_be_met_are_refused_before_any_work(tmp_path: Path, change: dict, message: str) -> None:
    settings = {"layout": "miga", "subjects": ONE, "clips": FEW, "frame": (128, 96)} | change
    with pytest.raises(InputError, match=re.escape(message)):
        make_demo(tmp_path / "d", truth=tmp_path / "truth.csv", seed=0, workers=1, **settings)
    assert not list(tmp_path.iterdir())
