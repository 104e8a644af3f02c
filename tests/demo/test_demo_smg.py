"""A demo corpus in the layout of SMG: its files, its joints in space, and that the reader takes it."""

import re
from pathlib import Path

import av
import numpy as np
import pandas as pd
import pytest

from microgesture.corpora import list_clips
from microgesture.demo import make_demo
from microgesture.demo.gestures import GESTURES
from microgesture.demo.smg import FPS, plan
from microgesture.errors import InputError

SUBJECTS = {"train": 2, "val": 1, "test": 1}
CLIPS = {"train": 12, "val": 6, "test": 6}
SKELETONS = {
    "train": "smg_data_phase1/smg_skeleton_train",
    "val": "smg_data_phase1/smg_skeleton_validate",
    "test": "smg_data_phase2/smg_skeleton_test",
}
VIDEOS = {
    "train": "SMG_RGB_Phase1/smg_rgb_train",
    "val": "SMG_RGB_Phase1/smg_rgb_validate",
    "test": "SMG_RGB_Phase2/smg_rgb_test",
}
SAMPLES = {"train": ("Sample0001", "Sample0002"), "val": ("Sample0031",), "test": ("Sample0036",)}
SHOULDERS, LEGS = (4, 8), (13, 14, 15, 17, 18, 19)
FRAME = (128, 96)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("smg")
    make_demo(folder / "smg", "smg", folder / "truth.csv", 6, SUBJECTS, CLIPS, FRAME, workers=2)
    return folder


def read(corpus: Path, split: str, sample: str, kind: str) -> np.ndarray:
    return np.loadtxt(corpus / "smg" / SKELETONS[split] / sample / f"{sample}_{kind}.csv", delimiter=",", ndmin=2)


def samples() -> list[tuple[str, str]]:
    return [(split, sample) for split, names in SAMPLES.items() for sample in names]


def test_each_sample_has_a_folder_of_its_split_with_the_releases_files(corpus: Path) -> None:
    found = {path.relative_to(corpus / "smg").as_posix() for path in (corpus / "smg").rglob("*") if path.is_file()}
    expected = {
        f"{SKELETONS[split]}/{sample}/{sample}_{kind}.csv"
        for split, sample in samples()
        for kind in ("skeleton", "data", "finelabels")
    } | {f"{VIDEOS[split]}/{sample}/{sample}_color.mp4" for split, sample in samples()}
    assert found == expected


@pytest.mark.parametrize(("split", "sample"), samples())
def test_skeleton_video_and_data_file_are_of_one_length(corpus: Path, split: str, sample: str) -> None:
    skeleton_TN = read(corpus, split, sample, "skeleton")
    (frames, fps, _), *others = read(corpus, split, sample, "data")
    with av.open(str(corpus / "smg" / VIDEOS[split] / sample / f"{sample}_color.mp4")) as file:
        assert file.streams.video[0].average_rate == fps == FPS
        pictures = [frame.to_ndarray(format="rgb24") for frame in file.decode(video=0)]
    assert not others
    assert skeleton_TN.shape == (len(pictures), 275) == (frames, 275)
    assert pictures[0].shape == (FRAME[1], FRAME[0], 3)
    labels = read(corpus, split, sample, "finelabels")
    assert (labels[:, 1] < labels[:, 2]).all()
    assert labels[:, 2].max() <= frames


@pytest.mark.parametrize(("split", "sample"), samples())
def test_joints_are_metres_of_a_person_whom_a_pinhole_camera_sees_at_the_pixels(corpus, split, sample) -> None:
    joints_TVX = read(corpus, split, sample, "skeleton").reshape(-1, 25, 11)
    seen_TV = joints_TVX[..., 2] != 0
    assert not joints_TVX[~seen_TV].any()
    assert 0.9 < seen_TV.mean() < 1
    metres_N3, pixels_N2 = joints_TVX[seen_TV][:, :3], joints_TVX[seen_TV][:, 7:9]
    assert 1.5 < np.median(metres_N3[:, 2]) < 3.5
    # One focal length for both axes and one centre, found by least squares, put every joint where its pixel is.
    ray_N2 = metres_N3[:, :2] / metres_N3[:, 2:] * (1, -1)
    ones, zeros = np.ones(len(ray_N2)), np.zeros(len(ray_N2))
    design = np.concatenate([np.stack([ray_N2[:, 0], ones, zeros], 1), np.stack([ray_N2[:, 1], zeros, ones], 1)])
    observed = np.concatenate([pixels_N2[:, 0], pixels_N2[:, 1]])
    (focal, *_), *_ = np.linalg.lstsq(design, observed, rcond=None)
    np.testing.assert_allclose(design @ np.linalg.lstsq(design, observed, rcond=None)[0], observed, atol=0.1)
    assert focal > 0
    both_T = seen_TV[:, SHOULDERS].all(axis=1)
    left_T3, right_T3 = (joints_TVX[both_T, joint, :3] for joint in SHOULDERS)
    width_T = np.linalg.norm(left_T3 - right_T3, axis=1)
    assert 0.28 < np.median(width_T) < 0.46
    assert (left_T3[:, 0] > right_T3[:, 0]).mean() > 0.95, "the person's left is at the right of the picture"
    head_T, base_T = joints_TVX[:, 3, 1], joints_TVX[:, 0, 1]
    assert (head_T > base_T)[seen_TV[:, 3] & seen_TV[:, 0]].all(), "metres go up"


def test_legs_that_are_only_inferred_are_noisier_than_the_trunk(corpus: Path) -> None:
    joints_TVX = read(corpus, "train", "Sample0001", "skeleton").reshape(-1, 25, 11)
    steps_TV = np.linalg.norm(np.diff(joints_TVX[..., :3], axis=0), axis=2)
    there_TV = (joints_TVX[1:, :, 2] != 0) & (joints_TVX[:-1, :, 2] != 0)
    typical_V = np.array([np.median(steps_TV[there_TV[:, joint], joint]) for joint in range(25)])
    assert typical_V[list(LEGS)].min() > 2 * typical_V[[0, 1, 2, 3, 20]].max()


def test_only_gestures_that_smg_has_are_drawn_with_their_shares_renormalised() -> None:
    sittings = plan("train", 0, 30, 660)
    assert [sitting.number for sitting in sittings] == list(range(1, 31))
    drawn = np.bincount([gesture for s in sittings for gesture in s.gestures], minlength=len(GESTURES))
    share = np.array([gesture.share if gesture.smg else 0 for gesture in GESTURES])
    np.testing.assert_allclose(drawn, 660 * share / share.sum(), atol=1)
    assert drawn.sum() == 660
    assert {GESTURES[place].smg for place in np.flatnonzero(drawn)} == {3, 6, 8, 12, 17}


def test_test_labels_are_only_in_the_truth_file(corpus: Path) -> None:
    assert set(read(corpus, "test", "Sample0036", "finelabels")[:, 0]) == {1}
    assert set(read(corpus, "train", "Sample0001", "finelabels")[:, 0]) > {6, 17}
    truth = pd.read_csv(corpus / "truth.csv")
    assert truth.Id.tolist() == [f"Sample0036_{row}" for row in range(CLIPS["test"])]
    (sitting,) = plan("test", 6, 1, CLIPS["test"])
    assert truth.Target.tolist() == [GESTURES[gesture].smg for gesture in sitting.gestures]


def test_the_reader_takes_it(corpus: Path) -> None:
    clips = list_clips("smg", "smg", corpus / "smg", 2)
    table = clips.table
    assert table.groupby("split").size().to_dict() == CLIPS
    assert (table.status == "ok").all()
    assert set(table.fps) == {FPS}
    assert set(table[table.split == "test"].clip_id) == set(pd.read_csv(corpus / "truth.csv").Id)
    for split, sample in samples():
        rows = table[table.recording == sample]
        labels = read(corpus, split, sample, "finelabels").astype(int)
        assert set(rows.split) == {split}
        assert rows.start.tolist() == labels[:, 1].tolist()
        assert rows.end.tolist() == (labels[:, 2] - 1).tolist()
        if split != "test":
            assert rows.label.tolist() == (labels[:, 0] - 1).tolist()


def test_equal_seeds_give_equal_bytes_whatever_the_number_of_workers(corpus: Path, tmp_path: Path) -> None:
    files = make_demo(tmp_path / "smg", "smg", tmp_path / "truth.csv", 6, SUBJECTS, CLIPS, FRAME, workers=1)
    for path in [*files, tmp_path / "truth.csv"]:
        assert path.read_bytes() == (corpus / path.relative_to(tmp_path)).read_bytes()


def test_more_people_than_smg_has_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=re.escape("5 ids; lower subjects.test")):
        make_demo(tmp_path, "smg", tmp_path / "t", 0, SUBJECTS | {"test": 6}, CLIPS, FRAME, workers=1)
