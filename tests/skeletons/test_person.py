import logging

import numpy as np
import pandas as pd
import pytest

from fixtures.release_files import keypoints
from fixtures.skeletons import layout_with
from fixtures.skeletons import named as named_points
from microgesture.config.corpus_format import PERSON_RULES
from microgesture.errors import UnusableClip
from microgesture.modalities.keypoints import select_keypoints
from microgesture.skeletons import reading
from microgesture.skeletons.file_format import People, SkeletonFormat
from microgesture.skeletons.keypoints import present
from microgesture.skeletons.person import CLOSE, Crowd, InFile, Recordings, choose, named, noted, only
from microgesture.skeletons.reading import read_skeletons
from microgesture.skeletons.tracks import Track, follow
from microgesture.storage.clips import SCHEMA, Clips
from microgesture.storage.quarantine import list_keypoints
from microgesture.storage.shards import Shard, write_shard

T, V = 40, 17
SIZE = (640, 480)


def someone(centre, height, shake=0.0, frames=range(T), seed=0):
    rng = np.random.default_rng(seed)
    body_V2 = rng.uniform(-0.5, 0.5, (V, 2)) * (0.5 * height, height)
    keypoints_TVC = np.zeros((T, V, 3), np.float32)
    keypoints_TVC[frames] = 1
    steps_T1 = np.where(np.arange(T) % 2, shake * height, 0)[frames, None]
    keypoints_TVC[frames, :, :2] = body_V2 + np.array(centre) + steps_T1[..., None]
    return keypoints_TVC


# For each rule someone whom it chooses: near, always there, in the middle, and restless.
PEOPLE = {
    "largest": someone((100, 240), 300, frames=range(30), seed=1),
    "longest": someone((560, 100), 40, seed=2),
    "most_central": someone((320, 240), 80, frames=range(34), seed=3),
    "most_moving": someone((560, 400), 60, shake=0.3, frames=range(30), seed=4),
}
STACKED_TPVC = np.stack(list(PEOPLE.values()), 1)
TRACKS = [Track((name,), place, 0, T - 1) for place, name in enumerate(PEOPLE)]


@pytest.mark.parametrize("rule", PERSON_RULES)
def test_each_rule_chooses_the_person_that_it_names(rule):
    choice = choose(STACKED_TPVC, TRACKS, range(T), rule, SIZE)
    assert (choice.track.names, choice.people) == ((rule,), 4)
    np.testing.assert_array_equal(only(STACKED_TPVC, choice.track), PEOPLE[rule])


def test_a_choice_is_close_where_another_is_nearly_as_large():
    for height, close in ((100 * CLOSE - 2, False), (100 * CLOSE + 2, True)):
        both_TPVC = np.stack([someone((100, 100), 100), someone((400, 100), height)], 1)
        assert choose(both_TPVC, TRACKS[:2], range(T), "largest", SIZE).close == close


def test_the_frames_of_the_clip_decide():
    both_TPVC = np.stack([someone((100, 100), 200, frames=range(10)), someone((400, 100), 50)], 1)
    assert choose(both_TPVC, TRACKS[:2], range(10), "largest", SIZE).track.place == 0
    choice = choose(both_TPVC, TRACKS[:2], range(20, 30), "largest", SIZE)
    assert (choice.track.place, choice.people, choice.close) == (1, 1, False)
    for rows_T in (range(20, 30), range(T, T + 5), range(0)):
        with pytest.raises(UnusableClip, match="no person"):
            choose(both_TPVC[:, :1], TRACKS[:1], rows_T, "largest", SIZE)


def test_a_clip_that_ends_beyond_its_file_is_as_long_as_the_file():
    assert choose(STACKED_TPVC, TRACKS, range(3, 2**31 - 2), "longest", SIZE).track == TRACKS[1]


def test_an_id_names_the_person_and_a_wrong_one_the_ids_there():
    assert named(STACKED_TPVC, TRACKS, range(T), "longest").track == TRACKS[1]
    with pytest.raises(UnusableClip, match=r"'ghost'.*longest"):
        named(STACKED_TPVC, TRACKS, range(35, T), "ghost")


def table(**columns):
    rows = pd.DataFrame(
        {"clip_id": ["a", "b"], "skeleton": "x.people", "shard": 0, "status": "ok", "start": 0, **columns}
    )
    return Clips(rows.reindex(columns=SCHEMA.names), (), ())


class PeopleFile(SkeletonFormat):
    """Stands for a format of files with several people: two who cross, in turn first."""

    name, ending = "people", ".people"

    def read(self, path):
        near_TVC, far_TVC = keypoints(T, 137, seed=1), 0.3 * keypoints(T, 137, seed=2)
        far_TVC[..., 2] = 1
        people_TPVC = np.stack([near_TVC, far_TVC], 1).astype(np.float32)
        ids_TP = np.tile(["near", "far"], (T, 1))
        people_TPVC[::2], ids_TP[::2] = people_TPVC[::2, ::-1], ids_TP[::2, ::-1]
        return People(people_TPVC, ids_TP)

    def points(self, path):
        return 137


@pytest.fixture
def stored(tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "format_of", lambda path: PeopleFile())
    monkeypatch.setattr(reading, "each_clip_isolated", lambda ids, start, *_: ((name, start()(name)) for name in ids))
    (tmp_path / "x.people").touch()
    read_skeletons(table(), 0, tmp_path, tmp_path / "skeletons.arrow", tmp_path / "scratch")
    return tmp_path / "skeletons.arrow"


@pytest.mark.parametrize(
    ("person", "ids", "names", "people"),
    [("largest", None, ["near", "near"], 2), ("who", ["far", "near"], ["far", "near"], 2)],
)
def test_clips_have_the_person_that_is_meant(stored, tmp_path, person, ids, names, people):
    clips = table(n_frames=[10, 20], skeleton_start=[0, 5], person=ids)
    select_keypoints(clips, 0, stored, tmp_path / "out", tmp_path / "scratch2", "36", person=person)
    made, true = Shard(tmp_path / "out"), dict(zip(("near", "far"), np.moveaxis(_true(), 1, 0), strict=True))
    for clip_id, name, rows in (("a", names[0], slice(0, 10)), ("b", names[1], slice(5, 25))):
        assert made.note(clip_id) == {"person": name, "people": people, "close": False}
        np.testing.assert_allclose(made.read(clip_id)[:, 0], true[name][rows, 0], rtol=1e-6)


def _true():
    people = PeopleFile().read(None)
    straight_TPVC = people.keypoints_TPVC.copy()
    straight_TPVC[::2] = straight_TPVC[::2, ::-1]
    return straight_TPVC


def test_a_clip_without_its_person_is_unusable_alone(stored, tmp_path):
    clips = table(n_frames=10, skeleton_start=0, person=["far", "nobody"])
    select_keypoints(clips, 0, stored, tmp_path / "out", tmp_path / "scratch2", "36", person="who")
    assert list(Shard(tmp_path / "out").reasons) == ["b"]
    assert "'nobody'" in Shard(tmp_path / "out").reason("b")


def test_a_file_of_one_person_has_no_choice_but_also_no_ids(tmp_path):
    write_shard(tmp_path / "s.arrow", [("one.npz", keypoints(5, 137))], "zstd")
    recordings = Recordings(Shard(tmp_path / "s.arrow"), "who")
    assert recordings.choice(InFile("one.npz", None, None), range(5)) is None
    with pytest.raises(UnusableClip, match="who"):
        recordings.choice(InFile("one.npz", "2", None), range(5))


def test_exchanged_ids_of_a_file_are_told(stored, caplog, tmp_path, monkeypatch):
    def read(self, path, plain=PeopleFile.read):
        people = plain(self, path)
        people.ids_TP[20:] = np.where(people.ids_TP[20:] == "near", "far", "near")
        return people

    monkeypatch.setattr(PeopleFile, "read", read)
    with caplog.at_level(logging.WARNING):
        read_skeletons(table(), 0, tmp_path, tmp_path / "again.arrow", tmp_path / "scratch3")
    assert "20" in caplog.text
    assert Shard(tmp_path / "again.arrow").note("x.people")["mended"] == [20]


def test_filling_is_counted_for_each_clip(tmp_path):
    recording_TVC = keypoints(30, 137)
    recording_TVC[5:7] = 0
    write_shard(tmp_path / "s.arrow", [("x.people", noted(named_points(recording_TVC)))], "zstd")
    clips = table(n_frames=[10, 10], skeleton_start=[0, 15])
    for name, how in (("off", {}), ("on", {"fill_gaps": 2, "smoothing": 5})):
        select_keypoints(clips, 0, tmp_path / "s.arrow", tmp_path / name, tmp_path / "scratch", "36", **how)
    off, on = Shard(tmp_path / "off"), Shard(tmp_path / "on")
    assert [off.note(clip) for clip in "ab"] == [{}, {}]
    assert [on.note(clip) for clip in "ab"] == [{"filled": 0.2}, {"filled": 0.0}]
    assert present(on.read("a")).all()
    assert not np.array_equal(on.read("b"), off.read("b"))


def test_what_is_told_of_each_clip_is_listed(stored, tmp_path):
    shard, clips = tmp_path / "keypoints/mine/0000.arrow", table(n_frames=[10, 20], skeleton_start=[0, 5])
    select_keypoints(clips, 0, stored, shard, tmp_path / "scratch2", "36", fill_gaps=3)
    list_keypoints(
        [tmp_path / "mine.parquet", stored.parent / "skeletons/mine/0.arrow", shard], tmp_path / "listed.csv"
    )
    told = pd.read_csv(tmp_path / "listed.csv", dtype=str).to_dict("records")
    assert told == [
        {"corpus": "mine", "clip_id": clip, "people": "2", "person": "near", "close": "False", "filled": "0.0"}
        for clip in "ab"
    ]


def test_people_survive_storage(tmp_path):
    followed = follow(PeopleFile().read(None))
    write_shard(tmp_path / "s.arrow", [("f", noted(Crowd(followed, layout_with(137))))], "zstd")
    recordings = Recordings(Shard(tmp_path / "s.arrow"), "largest")
    choice = recordings.choice(InFile("f", None, None), range(T))
    np.testing.assert_array_equal(recordings.alone("f", choice.track).keypoints_TVC, _true()[:, 0])
