import copy
import re
from dataclasses import replace
from itertools import pairwise

import av
import cv2
import numpy as np
import pandas as pd
import pytest
import yaml

from fixtures.project import TINY
from fixtures.skeletons import layout_with
from fixtures.training_clips import FRAME, draw_keypoints, film
from microgesture.cli import main
from microgesture.config.view import HeatmapView, ViewStep
from microgesture.errors import InputError, UnusableClip
from microgesture.skeletons.person import Crowd, noted
from microgesture.skeletons.selections import selection_named
from microgesture.skeletons.tracks import Followed, Track
from microgesture.storage.clips import SCHEMA, Clips, write_clips
from microgesture.storage.scores import Prediction, write_predictions
from microgesture.storage.shards import Noted, Shard, write_shard
from microgesture.view.choice import chosen_clips, file_name, find_clip, write_views
from microgesture.view.clip import Source, moments, rows_of, times_of, words_about, write_view
from microgesture.view.sheet import Row, Words, contact_sheet, video_pictures
from microgesture.workflow.plan import Plan

KINDS = ("keypoints", "rgb", "taylor", "flow", "depth", "face")
STEP = ViewStep(
    kinds=KINDS,
    selection="36",
    margin=0.2,
    heatmaps={kind: HeatmapView(size=16, sigma=0.6, margin=None) for kind in ("joint", "limb")},
    ensemble="final",
    frames=4,
    cell=48,
)
FRAMES = 6


def table(clip_ids, splits, labels, subjects=None, **columns):
    """A whole clips table of corpus ``imigue`` with the classes wave, nod and $x$."""
    rows = pd.DataFrame({"clip_id": clip_ids, "split": splits})
    filled = {
        "corpus": "imigue",
        "recording": "r",
        "start": 0,
        "end": FRAMES - 1,
        "n_frames": FRAMES,
        "frames": None,
        "subject": subjects or "s",
        "video": None,
        "video_start": 0,
        "skeleton": None,
        "skeleton_start": 0,
        "fps": 25.0,
        "width": FRAME[0],
        "height": FRAME[1],
        "shard": 0,
        "status": "ok",
        "reason": None,
    }
    rows = rows.assign(**filled | columns)
    rows["label"] = pd.array(labels, "Int32")
    return Clips(rows.reindex(columns=SCHEMA.names), ("wave", "nod", "$x$"), ("1", "2", "3"))


CLIPS = table(
    ["good", "bare", "bad", "late", "test"],
    ["val", "val", "train", "train", "test"],
    [0, 1, 1, 0, None],
    status=["ok", "ok", "quarantined", "ok", "ok"],
    reason=[None, None, "its video is gone", None, None],
)


@pytest.fixture
def shards(tmp_path):
    """Shards of every kind: ``good`` and ``test`` have all, ``bare`` has no keypoints, ``late`` is in none."""
    generator = np.random.default_rng(0)
    keypoints_TVC = draw_keypoints(0, 0, FRAMES)
    made = {
        "keypoints": keypoints_TVC,
        "rgb": film(keypoints_TVC, 32),
        "taylor": generator.integers(0, 256, (FRAMES, 32, 32, 3), np.uint8),
        "flow": generator.integers(-90, 90, (FRAMES, 32, 32, 2), np.int16),
        "depth": generator.integers(0, 256, (FRAMES, 32, 32), np.uint8),
        "face": generator.integers(0, 256, (FRAMES, 112, 112, 3), np.uint8),
    }
    paths = {}
    for kind, frames in made.items():
        paths[kind] = tmp_path / f"results/{kind}/imigue/0000.arrow"
        paths[kind].parent.mkdir(parents=True)
        bare = UnusableClip("the skeleton file is empty") if kind == "keypoints" else frames
        write_shard(paths[kind], [("good", frames), ("bare", bare), ("test", frames)], "zstd")
    return paths


@pytest.fixture
def source(shards):
    said = {"good": Prediction(np.array([0.7, 0.2, 0.1]), 3), "test": Prediction(np.array([0.1, 0.1, 0.8]), 3)}
    return Source(CLIPS, {kind: Shard(path) for kind, path in shards.items()}, said)


def row_of(clip_id, clips=CLIPS):
    return next(row for row in clips.table.itertuples() if row.clip_id == clip_id)


@pytest.mark.parametrize(("n_frames", "count"), [(1, 8), (2, 8), (7, 8), (8, 8), (25, 8), (300, 5), (0, 4)])
def test_moments_are_evenly_spaced_from_the_first_frame_to_the_last(n_frames, count):
    frames = moments(n_frames, count).tolist()
    assert len(frames) == max(min(n_frames, count), 1)
    assert frames[0] == 0
    assert frames[-1] == max(n_frames - 1, 0)
    gaps = [after - before for before, after in pairwise(frames)]
    assert not gaps or (max(gaps) - min(gaps) <= 1 and min(gaps) >= 1)


def test_times_are_those_of_the_clip():
    assert times_of(np.array([0, 3]), 25.0) == ["frame 0, 0.00 s", "frame 3, 0.12 s"]
    assert times_of(np.array([5]), float("nan")) == ["frame 5"]


def test_a_whole_clip_has_a_row_for_each_modality(source):
    rows = rows_of(row_of("good"), source, STEP, np.array([0, 2, 5]))
    assert [row.name for row in rows] == ["rgb", "joint", "limb", "taylor", "flow", "depth", "face"]
    assert {row.pictures_THWC.shape for row in rows} == {(3, 48, 48, 3)}
    depth = next(row for row in rows if row.name == "depth").pictures_THWC
    assert (depth[..., 0] == depth[..., 2]).all()


def test_pictures_are_of_the_frames_that_are_asked_for(source):
    each = [rows_of(row_of("good"), source, STEP, np.array([frame])) for frame in range(FRAMES)]
    together = rows_of(row_of("good"), source, STEP, np.arange(FRAMES))
    for place, row in enumerate(together):
        alone = np.concatenate([rows[place].pictures_THWC for rows in each])
        np.testing.assert_array_equal(row.pictures_THWC, alone)
        assert len(np.unique(alone.reshape(FRAMES, -1), axis=0)) == FRAMES


def test_of_several_people_the_one_that_is_meant_has_colours_and_the_others_are_grey(source, tmp_path):
    own_TVC = source.shards["keypoints"].read("good")
    other_TVC = draw_keypoints(1, 0, FRAMES)
    tracks = (Track(("a",), 0, 0, FRAMES - 1), Track(("b",), 1, 2, FRAMES - 1))
    people_TPVC = np.zeros((FRAMES, 2, 137, 3), np.float32)
    for place, alone_TVC in enumerate((own_TVC, other_TVC)):
        people_TPVC[:, place, list(selection_named("36").columns(layout_with(137)))] = alone_TVC
    write_shard(
        tmp_path / "skeletons", [("r.people", noted(Crowd(Followed(people_TPVC, tracks), layout_with(137))))], "zstd"
    )
    note = {"people": 2, "person": "a", "close": True}
    write_shard(tmp_path / "keypoints", [("good", Noted(own_TVC, note))], "zstd")
    shards = {**source.shards, "skeletons": Shard(tmp_path / "skeletons"), "keypoints": Shard(tmp_path / "keypoints")}
    clip = row_of("good", replace(CLIPS, table=CLIPS.table.assign(skeleton="r.people")))
    rows = rows_of(clip, replace(source, shards=shards), STEP, np.array([0, 5]))
    [row] = [row for row in rows if row.name == "people"]
    assert row.pictures_THWC.shape[:2] == (2, STEP.cell)
    assert abs(row.pictures_THWC.shape[2] - STEP.cell * FRAME[0] / FRAME[1]) <= 1
    grey_T = ((np.ptp(row.pictures_THWC, axis=-1) == 0) & (row.pictures_THWC.max(-1) > 0)).any((1, 2))
    assert grey_T.tolist() == [False, True]  # the other one comes with frame 2
    assert (np.ptp(row.pictures_THWC, axis=-1) > 0).any((1, 2)).all()
    assert "a" in row.note
    assert "people" not in [row.name for row in rows_of(row_of("test"), source, STEP, np.array([0]))]


def test_what_a_clip_lacks_is_named_in_its_row(source):
    rows = {row.name: row for row in rows_of(row_of("bare"), source, STEP, np.array([0, 5]))}
    assert rows["rgb"].pictures_THWC is not None
    assert rows["rgb"].note.endswith("keypoints: the skeleton file is empty")
    assert rows["joint"] == Row("joint", None, "the skeleton file is empty")
    assert rows["flow"].pictures_THWC is not None
    rows = rows_of(row_of("late"), source, STEP, np.array([0]))
    assert all("older than the clips table" in row.note for row in rows)
    unmade = Source(CLIPS, {"rgb": source.shards["rgb"]}, None)
    rows = {row.name: row for row in rows_of(row_of("good"), unmade, STEP, np.array([0]))}
    assert rows["rgb"].note.endswith("snakemake --cores all results/keypoints/imigue/0000.arrow")
    assert rows["flow"].pictures_THWC is None
    assert rows["flow"].note.endswith("snakemake --cores all results/flow/imigue/0000.arrow")


def test_a_corpus_has_rows_for_what_it_has(source):
    def names(*kinds):
        step = STEP.model_copy(update={"kinds": kinds})
        return [row.name for row in rows_of(row_of("good"), source, step, np.array([0]))]

    assert names("rgb") == ["rgb"]
    assert names("keypoints") == ["keypoints", "joint", "limb"]
    assert names("rgb", "flow") == ["rgb", "flow"]
    assert names() == []


def test_what_is_said_of_a_clip(source):
    def lines(clip_id, told=source):
        return " | ".join(words_about(row_of(clip_id), told, "final").lines)

    assert lines("good") == (
        "wave, split val, subject s, 6 frames at 25 fps | Ensemble final (correct): wave 0.70, nod 0.20, $x$ 0.10"
    )
    assert "class unknown, split test" in lines("test")
    assert "final: $x$ 0.80" in lines("test")
    assert "no prediction for this clip; its networks were trained on it" in lines("late")
    assert "no predictions yet" in lines("good", Source(CLIPS, {}, None))
    wrong = Source(CLIPS, {}, {"good": Prediction(np.array([0.1, 0.9, 0.0]), 3)})
    assert "(wrong): nod 0.90" in lines("good", wrong)
    assert len(words_about(row_of("good"), source, None).lines) == 1


def test_a_class_that_no_font_has_is_called_by_its_target(source, monkeypatch):
    monkeypatch.setattr("microgesture.view.clip.can_write", lambda text: text != "$x$")
    assert "Ensemble final: class 3 0.80" in " | ".join(words_about(row_of("test"), source, "final").lines)


def test_names_in_any_script_are_drawn(shards, tmp_path):
    clips = table(["good", "手/एक"], ["val"] * 2, [0, 1], ["张伟", "أحمد"])
    clips = Clips(clips.table, ("挥手", "تلويح", "façade ḱ"), ("1", "2", "3"))
    for clip_id in clips.table.clip_id:
        write_view(Source(clips, {}, None), clip_id, STEP, tmp_path / "sheet.png", tmp_path / "film.mp4")
        assert cv2.imread(str(tmp_path / "sheet.png")).std() > 0


def test_pictures_stand_on_the_sheet_unchanged_in_order_of_time():
    generator = np.random.default_rng(0)
    rows = [Row(name, generator.integers(0, 256, (3, 40, 40, 3), np.uint8)) for name in ("rgb", "flow")]
    sheet_HWC = contact_sheet(Words("clip", ("a line",)), ["0", "1", "2"], rows)
    places = {}
    for row in rows:
        for column, picture in enumerate(row.pictures_THWC):
            distance = cv2.matchTemplate(sheet_HWC, picture, cv2.TM_SQDIFF)
            y, x = np.unravel_index(distance.argmin(), distance.shape)
            np.testing.assert_array_equal(sheet_HWC[y : y + 40, x : x + 40], picture)
            places[row.name, column] = int(x), int(y)
    assert all(places["rgb", column][0] == places["flow", column][0] for column in range(3))
    assert places["rgb", 0][0] < places["rgb", 1][0] < places["rgb", 2][0]
    assert len({places["rgb", column][1] for column in range(3)}) == 1
    assert places["rgb", 0][1] + 40 <= places["flow", 0][1]


def test_words_make_room_for_themselves_and_a_dollar_is_a_dollar():
    short = contact_sheet(Words("clip", ("a",)), ["0"], [Row("rgb", None, "gone")])
    long = contact_sheet(Words("clip", ("$x$ " + "word " * 80,)), ["0"], [Row("rgb", None, "gone " * 80)])
    assert long.shape[0] > short.shape[0] + 40
    assert (long[:, -12:] == 255).all()  # nothing runs over the edge
    titled = contact_sheet(Words("a long title " * 20, ()), ["0"], [])
    assert (titled[:, -12:] == 255).all()
    timed = contact_sheet(
        Words("clip", ()), ["frame 1024, 40.96 s"] * 3, [Row("rgb", np.zeros((3, 90, 40, 3), np.uint8))]
    )
    black = np.flatnonzero((timed[-20] == 0).all(-1))
    framed = {column + side for column in black.tolist() for side in (-1, 0, 1)}
    between = sorted(set(range(black.min(), black.max())) - framed)
    assert len(black) == 3 * 40
    assert (timed[: -12 - 90 - 2, between] == 255).all()  # no time runs into the next one's
    plain, formula = (contact_sheet(Words("clip", (text,)), [], []) for text in ("x", "$x$"))
    assert (formula < 128).sum() > (plain < 128).sum()


def test_the_pictures_of_a_video_have_even_sides_and_one_size():
    generator = np.random.default_rng(0)
    rows = [Row(f"row {n}", generator.integers(0, 256, (3, 41, 47, 3), np.uint8)) for n in range(5)]
    pictures = list(video_pictures(Words("clip", ("a",)), ["0", "1", "2"], [*rows, Row("face", None, "gone")]))
    assert len(pictures) == 3
    assert len({picture.shape for picture in pictures}) == 1
    assert pictures[0].shape[0] % 2 == pictures[0].shape[1] % 2 == 0
    for moment, picture in enumerate(pictures):
        for row in rows:
            assert cv2.matchTemplate(picture, row.pictures_THWC[moment], cv2.TM_SQDIFF_NORMED).min() < 1e-6


@pytest.mark.parametrize("clip_id", ["good", "bare"])
def test_files_are_whole_and_always_the_same(source, tmp_path, clip_id):
    for name in ("one", "two"):
        write_view(source, clip_id, STEP, tmp_path / f"{name}.png", tmp_path / f"{name}.mp4")
    for kind in ("png", "mp4"):
        assert (tmp_path / f"one.{kind}").read_bytes() == (tmp_path / f"two.{kind}").read_bytes()
    assert cv2.imread(str(tmp_path / "one.png")).shape[2] == 3
    with av.open(str(tmp_path / "one.mp4")) as video:
        stream = video.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert stream.average_rate == 25
        assert len(list(video.decode(video=0))) == FRAMES


def test_each_class_is_shown_by_clips_of_different_people_and_of_val_first():
    generator = np.random.default_rng(0)
    for _ in range(20):
        count = int(generator.integers(1, 5))
        splits = generator.choice(["train", "val", "test"], 40).tolist()
        labels = [None if split == "test" else int(generator.integers(0, 3)) for split in splits]
        people = [f"s{person}" for person in generator.integers(0, 4, 40)]
        status = generator.choice(["ok", "quarantined"], 40, p=[0.8, 0.2]).tolist()
        clips = table([f"c{n}" for n in range(40)], splits, labels, people, status=status)
        chosen = chosen_clips(clips, count)
        rows = clips.table.set_index("clip_id")
        assert len(set(chosen)) == len(chosen)
        assert [rows.label[clip_id] for clip_id in chosen] == sorted(rows.label[clip_id] for clip_id in chosen)
        usable = rows[(rows.status == "ok") & rows.label.notna()]
        for label, of_class in usable.groupby("label"):
            shown = rows.loc[[clip_id for clip_id in chosen if rows.label[clip_id] == label]]
            assert len(shown) == min(count, len(of_class))
            assert shown.subject.nunique() == min(count, of_class.subject.nunique())
            for person, own in of_class.groupby("subject"):
                mine = shown[shown.subject == person]
                assert (mine.split == "val").sum() == min(len(mine), (own.split == "val").sum())


def test_every_clip_has_a_file_name_of_its_own_that_a_disk_can_have():
    long = "é" * 200
    ids = ["a/b", "a+b", "a\\b", "a~b", long, long + "1", file_name("a+b"), file_name("a+b").replace("+", "/"), "a b.c"]
    names = [file_name(clip_id) for clip_id in ids]
    assert len(set(names)) == len(ids)
    assert all(len(name.encode()) <= 230 and "/" not in name for name in names)
    assert names[0] == "a+b"


def test_the_folder_of_views_says_what_it_holds(shards, tmp_path):
    predictions = tmp_path / "results/ensembles/final/val.parquet"
    write_predictions(predictions, ["good"], np.array([[0.7, 0.2, 0.1]]), np.array([2]))
    clips = table(["good", "bare", "a/b"], ["val"] * 3, [0, 1, 2])
    folder = tmp_path / "views"
    write_views(clips, {kind: [path] for kind, path in shards.items()}, [predictions], STEP, folder)
    listed = pd.read_csv(folder / "views.csv")
    assert listed.clip_id.tolist() == ["good", "bare", "a/b"]
    assert listed["class"].tolist() == ["wave", "nod", "$x$"]
    assert listed.sheet.tolist() == ["good.png", "bare.png", "a+b.png"]
    assert sorted(path.name for path in folder.iterdir()) == sorted([*listed.sheet, *listed.video, "views.csv"])


@pytest.fixture
def results(shards, tmp_path, monkeypatch):
    """A folder with results of one clip table, and the configuration beside it."""
    write_clips(tmp_path / "results/clips/imigue.parquet", CLIPS)
    write_predictions(
        tmp_path / "results/ensembles/final/test.parquet", ["test"], np.array([[0.1, 0.1, 0.8]]), np.array([2])
    )
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(TINY))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_command_finds_the_clip_in_the_results_of_the_current_folder(results, capsys):
    with pytest.raises(SystemExit, match="0"):
        main(["view", "test", "--video", "film.mp4", "--cell", "32"])
    assert (results / "test.png").exists()
    assert (results / "film.mp4").exists()
    small = cv2.imread(str(results / "test.png"))
    with pytest.raises(SystemExit, match="0"):
        main(["view", "test", "--output", "large.png", "--cell", "200"])
    assert cv2.imread(str(results / "large.png")).shape[0] > small.shape[0] + 3 * 60


def test_a_clip_that_is_not_there_is_a_sentence(results, capsys):
    assert main(["view", "god"]) == 1
    assert re.search("no clip god in imigue.* good$", capsys.readouterr().err.strip())
    assert main(["view", "good", "--corpus", "ma52"]) == 1
    assert "there is no corpus 'ma52'" in capsys.readouterr().err
    (results / "elsewhere").mkdir()
    assert main(["view", "good", "--study", "elsewhere", "--configfile", "config.yaml"]) == 1
    printed = capsys.readouterr().err
    assert "snakemake --cores all" in printed
    assert "set --study" in printed


def test_a_quarantined_clip_says_why(results, capsys):
    assert main(["view", "bad"]) == 1
    assert re.search("clip bad of imigue is quarantined.*: its video is gone", capsys.readouterr().err)
    assert not list(results.glob("*.png"))


def test_what_has_to_be_made_first_is_a_command(results, shards, capsys, monkeypatch):
    for path in shards.values():
        path.unlink()
    assert main(["view", "good"]) == 1
    made = " ".join(f"results/{kind}/imigue/0000.arrow" for kind in ("keypoints", "rgb", "flow"))
    printed = capsys.readouterr().err
    assert "clip good" in printed
    assert f"snakemake --cores all {made}" in printed
    monkeypatch.chdir(results.parent)
    assert main(["view", "good", "--study", str(results)]) == 1
    assert f"snakemake --directory {results} --cores all {made}" in capsys.readouterr().err


def test_results_of_another_configuration_are_told(results, capsys):
    write_shard(results / "results/keypoints/imigue/0000.arrow", [("good", np.ones((FRAMES, 22, 3)))], "raw")
    assert main(["view", "good"]) == 1
    assert re.search(r"keypoints/imigue/0000\.arrow has 22 .* has 36.*--configfile", capsys.readouterr().err)


def test_a_clip_of_two_corpora_has_to_be_said_which(results):
    write_clips(results / "results/clips/other.parquet", CLIPS)
    with pytest.raises(InputError, match=r"good is in imigue and in other.*--corpus"):
        find_clip(results / "results", ["imigue", "other"], "good")
    assert find_clip(results / "results", ["other"], "good")[0] == "other"


def test_only_sheets_depend_on_their_settings():
    def stamps(**changes):
        plan = Plan(copy.deepcopy(TINY) | changes)
        return {key: step.stamp for key, step in plan._steps.items()}

    before, after = stamps(), stamps(view={"clips": 3})
    assert {key for key in before if before[key] != after[key]} == {("view", "imigue")}


def test_heatmaps_are_shown_as_the_first_stream_sees_them():
    plan = Plan(copy.deepcopy(TINY))
    step = ViewStep.model_validate_json(plan.step("view", "imigue").settings)
    assert step.heatmaps == {"joint": HeatmapView(size=16, sigma=0.6, margin=None)}
    assert step.kinds == ("keypoints", "rgb", "flow")
    assert step.ensemble == "final"
