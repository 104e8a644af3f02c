import csv
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import unicodedata
from functools import partial
from pathlib import Path

import pytest
import yaml

from fixtures.keypoint_files import deeplabcut_csv
from fixtures.release_files import (
    keypoints,
    numbered_frames,
    write_clips,
    write_lines,
    write_npz,
    write_openpose,
    write_video,
    write_xlsx,
)
from microgesture.cli import main
from microgesture.config.whole import load_config
from microgesture.corpora import list_clips
from microgesture.demo.corpus import make_demo
from microgesture.errors import InputError
from microgesture.skeletons.layouts import layout_named
from microgesture.study.names import read_folders
from microgesture.study.start import next_commands, plan_study, start_study
from microgesture.workflow.read_plan import read_plan

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    return write_video(tmp_path_factory.mktemp("video") / "clip.mp4", numbered_frames(10))


@pytest.fixture
def folder(tmp_path, video):
    """Makes a folder of clips with these names."""
    return partial(write_clips, tmp_path / "clips", video)


def started(folder, gpu=False):
    """The study of a folder, its rows by clip, and its plan, which is what a run would refuse."""
    study = folder.parent / "my study"
    said = start_study(study, folder, gpu=gpu)
    rows = {row["clip_id"]: row for row in csv.DictReader((study / "clips.csv").read_text().splitlines())}
    return said, rows, read_plan(study / "config.yaml", (), "results")


def told(rows, *keys):
    return {clip_id: tuple(row[key] for key in keys) for clip_id, row in rows.items()}


def people(rows, split):
    return {row["subject"] for row in rows.values() if row["split"] == split}


def test_split_folders_of_class_folders(folder):
    names = [f"{split}/{label}/{split}{i}{label}.mp4" for split in ("train", "validation", "test")
             for label in ("wave", "nod") for i in range(2)]  # fmt: skip
    _, rows, plan = started(folder(*names))
    assert told(rows, "split", "label")["validation1nod"] == ("val", "nod")
    assert told(rows, "split", "label")["train0wave"] == ("train", "wave")
    assert plan.config.streams.keys() == {"taylor", "flow"}


def test_test_clips_in_no_class_folder_have_no_label(folder):
    names = ["release/train/wave/a.mp4", "release/train/nod/b.mp4", "release/test/c.mp4"]
    _, rows, _ = started(folder(*names))
    assert told(rows, "split", "label") == {"a": ("train", "wave"), "b": ("train", "nod"), "c": ("test", "")}


def test_names_of_files_in_several_folders_are_offered_as_labels(folder):
    offered = "the labels may be the names"
    said, *_ = started(folder(*(f"{part}/{word}_1.mp4" for part in ("learn", "tell") for word in ("wave", "nod"))))
    assert offered in " ".join(said.found)


def test_takes_in_several_folders_are_no_labels(folder):
    said, *_ = started(folder(*(f"{label}/s0{who}_take1.mp4" for label in ("wave", "nod") for who in (1, 2))))
    assert "may be the names" not in " ".join(said.found)


def test_class_folders_of_subject_folders_are_split_by_subject(folder):
    names = [f"{label}/subject {who}/{take}.mp4" for label in ("wave", "nod") for who in range(6) for take in range(2)]
    said, rows, _ = started(folder(*names))
    assert len(rows) == 24
    assert all(people(rows, split) for split in ("train", "val", "test"))
    assert not people(rows, "train") & people(rows, "test")
    assert not people(rows, "train") & people(rows, "val")
    assert not people(rows, "val") & people(rows, "test")
    assert told(rows, "label", "subject")["nod_subject 3_1"] == ("nod", "subject 3")
    assert any("proposed by subject" in line for line in said.missing)
    assert "Subjects are the folders subject 0, subject 1, subject 2, subject 3, subject 4, subject 5." in said.found
    assert "Labels are the folders nod, wave." in said.found


def test_names_of_files_tell_subject_and_label(folder):
    names = [
        f"s{who:02}_{label}_{take:03}.mp4" for who in range(5) for label in ("touch_face", "nod") for take in (1, 2)
    ]
    _, rows, _ = started(folder(*names))
    assert told(rows, "subject", "label")["s03_touch_face_002"] == ("s03", "touch_face")
    assert not people(rows, "train") & people(rows, "test")


def test_numbers_alone_are_no_labels_and_no_subjects(folder):
    said, rows, plan = started(folder(*(f"IMG_{i:04}.mp4" for i in range(6))))
    assert set(told(rows, "label", "subject", "split").values()) == {("", "", "train")}
    assert any(line.startswith("Labels: 6 clips of train without") for line in said.missing)
    assert any(line.startswith("Subjects:") and "6 clips" in line for line in said.missing)
    assert plan.config.corpora["mine"].allow_shared_subjects is False


def test_a_table_beside_the_clips_goes_before_folders(folder):
    root = folder(*(f"part{i % 2}/wave/x{i}.mp4" for i in range(6)))
    lines = [f"part{i % 2}\\wave\\x{i}.mp4,{'nod' if i % 3 else 'a, quoted'},P{i},{'dev' if i == 5 else 'Training'}"
             for i in range(6)]  # fmt: skip
    lines = [line.replace("a, quoted", '"a, quoted"') for line in lines]
    write_lines(root / "labels.csv", ["File,Gesture,Participant,Set", *lines, "gone.mp4,nod,P9,train"])
    said, rows, _ = started(root)
    assert told(rows, "label", "subject", "split")["x3"] == ("a, quoted", "P3", "train")
    assert told(rows, "label", "subject", "split")["x4"] == ("nod", "P4", "train")
    assert any(line.startswith("labels.csv: 1 row names no") for line in said.found)
    assert any("labels.csv: 1 row has a split" in line for line in said.found)


def test_a_table_without_column_names(folder):
    root = folder("a.mp4", "b.mp4")
    write_lines(root / "list.csv", ["wave,a", "nod,b"])
    assert told(started(root)[1], "label") == {"a": ("wave",), "b": ("nod",)}


def test_several_rows_for_a_file_are_left_to_people_where_they_tell_no_parts(folder):
    root = folder("a.mp4", "b.mp4")
    write_lines(root / "list.csv", ["file,label,start", "a,wave,0", "a,nod,5", "b,nod,0"])
    said, rows, _ = started(root)
    assert told(rows, "label") == {"a": ("",), "b": ("nod",)}
    assert any("1 file has several rows" in line and "list.csv" in line for line in said.found)


def test_videos_and_keypoints_of_one_name_are_one_clip(folder):
    names = [f"{kind}/train/{label}/{label}{i}{ending}" for label in ("wave", "nod") for i in range(3)
             for kind, ending in (("videos", ".MP4"), ("keypoints", "_openpose.npz"))]  # fmt: skip
    _, rows, plan = started(folder(*names))
    assert set(rows) == {f"{label}{i}" for label in ("wave", "nod") for i in range(3)}
    assert plan.config.streams.keys() == {"skeleton", "bone"}
    assert plan.config.keypoints.selection == "68"


def test_files_of_deeplabcut_belong_to_the_video_in_their_name(folder):
    names = [f"{label}/{label}{number}" for label in ("wave", "nod") for number in (1, 2, 3)]
    root = folder(*(f"{name}.mp4" for name in names))
    for name in names:
        path = root / f"{name}DLC_resnet50_micegestureOct30shuffle1_50000.csv"
        deeplabcut_csv(path, keypoints(10, 25), layout_named("body_25"))
    said, rows, _ = started(root)
    assert said.found[0].startswith("6 clips: 6 with video, 6 with keypoints")
    assert all("DLC" in row["keypoints"] and "DLC" not in clip_id for clip_id, row in rows.items())


def test_keypoints_with_names_of_their_own_are_chosen_by_these_names(folder):
    root = folder()
    names = [f"mark {letter}" for letter in "abcd"]
    for label in ("wave", "nod"):
        points_TVC = keypoints(10, len(names))
        rows = [["scorer", *["net"] * 12], ["bodyparts", *(name for name in names for _ in range(3))]]
        rows.append(["coords", *("x", "y", "likelihood") * len(names)])
        rows += [[t, *frame_VC.ravel().tolist()] for t, frame_VC in enumerate(points_TVC)]
        write_lines(root / label / f"{label}1.csv", [",".join(map(str, row)) for row in rows])
    said, _, plan = started(root)
    assert list(plan.config.keypoints.selection.joints) == names
    assert all((*said.found, *said.missing)), "no encoder is offered without videos, and nothing is said of it"


def test_keypoints_of_few_clips_are_left_out(folder):
    said, rows, plan = started(folder("a.mp4", "b.mp4", "c.mp4", "a.npz"))
    assert set(rows) == {"a", "b", "c"}
    assert plan.config.streams.keys() == {"taylor", "flow"}
    assert any("only the video of 3 clips" in line for line in said.missing)


def test_keypoints_of_an_unknown_layout_are_left_out(folder):
    root = folder("a.mp4")
    write_npz(root / "a.npz", keypoints(10, 19))
    said, _, plan = started(root)
    assert plan.config.streams.keys() == {"taylor", "flow"}
    assert any("19" in line and "a.npz" in line for line in said.missing)
    (root / "a.mp4").unlink()
    with pytest.raises(InputError, match="19"):
        plan_study(root / "study", root, gpu=False)


def test_the_layout_of_keypoints_is_told(folder):
    """Other layouts than COCO-17 have 17 points too."""
    root = folder("a.mp4")
    write_npz(root / "a.npz", keypoints(10, 17))
    assert any("COCO-17" in line and "keypoints.layout" in line for line in started(root)[0].missing)


def test_what_is_written_is_what_the_reader_reads(folder):
    hostile = ["a, b.mp4", 'say "hi".mp4', " space.mp4", "=1+1.mp4", "-rf.mp4", "ñandú 手.mp4", "{x}.mp4", "#a: b.mp4"]
    root = folder(*(f"train/'wave'/{name}" for name in hostile), *(f"train/- nod: #/{name}" for name in hostile))
    said, rows, _ = started(root)
    table = list_clips("mine", "manifest", root.parent / "my study", 2).table
    assert len(table) == 16 == len(rows)
    assert (table.status == "ok").all(), table.reason.to_list()
    assert (table.n_frames == 10).all()
    assert set(table.label) == {0, 1}
    assert not any("rename" in line for line in said.found)


@pytest.mark.parametrize("name", ["new\nline.mp4", "bell\a.mp4", os.fsdecode(b"latin\xe9.mp4")])
def test_a_name_that_cannot_be_printed_costs_its_clip(folder, name):
    said, rows, _ = started(folder(name, "b.mp4"))
    assert set(rows) == {"b"}
    assert any("rename" in line and line.isprintable() for line in said.found)


def test_hidden_files_links_in_circles_and_the_study_itself_are_left_out(folder):
    root = folder("train/wave/a.mp4", "train/nod/b.mp4", "train/nod/._b.mp4", ".trash/c.mp4", "my study/results/d.mp4")
    (root / "again").symlink_to(root)
    assert len(plan_study(root / "my study", root, gpu=False).manifest.splitlines()) == 3


def test_the_folder_of_the_clips_can_be_the_study(folder):
    root = folder(" a.mp4", "b.mp4")
    start_study(root, root, gpu=False)
    assert (list_clips("mine", "manifest", root, 1).table.video == ["./ a.mp4", "./b.mp4"]).all()


def test_classes_that_tell_sides_apart_are_not_mirrored(folder):
    *_, plan = started(folder("train/left_hand/a.mp4", "train/right hand/b.mp4"))
    assert {recipe.flip for recipe in plan.config.recipes.values()} == {False}


def test_other_classes_are_mirrored(folder):
    *_, plan = started(folder("train/wave/a.mp4", "train/nod/b.mp4"))
    assert {recipe.flip for recipe in plan.config.recipes.values()} == {True}


def test_without_clips_folders_say_nothing():
    assert read_folders([]) == ([], [])


def test_a_gpu_makes_networks_and_frames_larger(folder):
    root = folder("train/wave/a.mp4", "train/nod/b.mp4")
    large = load_config(yaml.safe_load(plan_study(root / "study", root, gpu=True).settings))
    small = started(root)[2].config
    assert large.rgb.size > small.rgb.size
    assert large.recipes["taylor"].frames > small.recipes["taylor"].frames


def test_one_subject_everywhere_is_allowed_and_said(folder):
    names = [f"{label}/s1/{label}{i}.mp4" for label in ("wave", "nod") for i in range(5)]
    said, rows, plan = started(folder(*names))
    assert plan.config.corpora["mine"].allow_shared_subjects
    assert {row["split"] for row in rows.values()} == {"train", "val", "test"}
    assert any("proposed by clip" in line and "all clips are of one subject" in line for line in said.missing)


@pytest.mark.parametrize("there", ["clips.csv", "config.yaml", "notes.txt"])
def test_nothing_is_overwritten_or_mixed_with_other_work(folder, there):
    root = folder("a.mp4")
    study = root.parent / "study"
    study.mkdir()
    (study / there).write_text("mine")
    with pytest.raises(InputError, match=r"(clips\.csv|config\.yaml|study) exists already"):
        start_study(study, root, gpu=False)
    assert [path.name for path in study.iterdir()] == [there]
    assert (study / there).read_text() == "mine"


def test_an_empty_folder_or_the_one_around_the_clips_can_be_the_study(folder):
    root = folder("wave/a.mp4", "nod/b.mp4")
    (root.parent / "empty").mkdir()
    start_study(root.parent / "empty", root, gpu=False)
    shutil.rmtree(root.parent / "empty")
    start_study(root.parent, root, gpu=False)
    assert (list_clips("mine", "manifest", root.parent, 1).table.status == "ok").all()


@pytest.mark.parametrize(
    ("layout", "settings"), [("miga", "mm_gesture"), ("ma52", "mm_gesture"), ("smg", "multitrack")]
)
def test_a_published_release_is_no_folder_of_loose_clips(tmp_path, layout, settings):
    root, people = tmp_path / "it's data", {"train": 1, "val": 1, "test": 1}
    clips = {split: 3 for split in people}
    make_demo(root, layout, tmp_path / "truth.csv", 1, people, clips, frame=(64, 64), workers=1)
    with pytest.raises(InputError, match=f"config/{settings}.yaml") as refused:
        start_study(tmp_path / "study", root, gpu=False)
    assert not (tmp_path / "study").exists()
    command = shlex.split(str(refused.value).partition("run snakemake with ")[2].partition(". If")[0])
    config = yaml.safe_load((ROOT / command[1]).read_text())
    ((corpus, given),) = json.loads(command[3].removeprefix("corpora=")).items()
    assert config["corpora"][corpus]["format"] == layout
    assert Path(given["root"]).samefile(root)


@pytest.mark.parametrize("splits", [("train",), ("train", "val"), ("train", "val", "test")])
def test_each_split_without_clips_is_told_of(folder, splits):
    names = [
        f"{split}/{label}/{split}{label}{n}.mp4" for split in splits for label in ("wave", "nod") for n in range(2)
    ]
    said, rows, _ = started(folder(*names))
    assert {row["split"] for row in rows.values()} == set(splits)
    told_of = [line for line in said.missing if line.startswith("Splits: there are no clips")]
    assert len(told_of) == 3 - len(splits)
    assert all(said.found)
    assert all(said.missing)


def test_few_people_are_split_into_parts_of_about_a_fifth(folder):
    names = [f"{label}/s{who}/{take}.mp4" for label in ("wave", "nod") for who in range(6) for take in range(2)]
    _, rows, _ = started(folder(*names))
    assert [len(people(rows, split)) for split in ("train", "val", "test")] == [4, 1, 1]


def test_a_workbook_of_names_and_classes_is_no_clip(folder):
    root = folder("a.mp4", "b.mp4", "c.mp4")
    write_xlsx(root / "annotation.xlsx", [["Clip", "Class ID", "who"], ["a.mp4", 3, "x"], ["b.mp4", "nod", "y"]])
    said, rows, _ = started(root)
    assert told(rows, "label") == {"a": ("3",), "b": ("nod",), "c": ("",)}
    assert any("annotation.xlsx" in line and "the label of 2 clips" in line for line in said.found)


def test_a_workbook_of_keypoints_is_a_clip(tmp_path):
    (tmp_path / "clips/wave").mkdir(parents=True)
    (tmp_path / "clips/nod").mkdir()
    for label in ("wave", "nod"):
        write_openpose(tmp_path / f"clips/{label}/{label}1.xlsx", keypoints(4, 137))
    assert set(started(tmp_path / "clips")[1]) == {"wave1", "nod1"}


@pytest.mark.parametrize(("separator", "name"), [(";", "list.csv"), ("\t", "list.tsv"), (" ", "train_list.txt")])
def test_tables_with_other_separators_and_names(folder, separator, name):
    root = folder("x/a.mp4", "x/b.mp4")
    write_lines(root / name, [separator.join(row) for row in (["x/a.mp4", "wave"], ["x/b.mp4", "nod"])])
    assert told(started(root)[1], "label", "split") == {"a": ("wave", "train"), "b": ("nod", "train")}


def test_the_other_column_of_two_is_the_label_whatever_it_is_called(folder):
    root = folder("a.mp4", "b.mp4")
    write_lines(root / "list.csv", ["recording;what happens", "a;wave, slowly", "b;nod"])
    assert told(started(root)[1], "label") == {"a": ("wave, slowly",), "b": ("nod",)}


def test_without_labels_it_says_what_to_do_first(folder, capsys):
    root = folder("a.mp4", "b.mp4")
    with pytest.raises(SystemExit, match="0"):
        main(["init", str(root.parent / "study"), "--from", str(root)])
    printed = capsys.readouterr().out
    assert "labels are filled in" in printed
    assert "ground_truth" not in yaml.safe_load((root.parent / "study/config.yaml").read_text())


@pytest.mark.parametrize(("unlabelled", "can_start"), [(1, True), (2, False)])
def test_a_run_can_start_if_98_percent_of_the_training_clips_have_labels(folder, unlabelled, can_start):
    root = folder(*(f"train/{n:02}.mp4" for n in range(50)))
    labels = ["" if n < unlabelled else "ab"[n % 2] for n in range(50)]
    write_lines(root / "list.csv", ["file,label", *(f"{n:02},{label}" for n, label in enumerate(labels))])
    assert plan_study(root.parent / "study", root, gpu=False).can_start == can_start


def test_keypoints_to_be_found_in_the_videos(folder):
    root = folder("wave/a.mp4", "nod/b.mp4")
    started = plan_study(root / "study", root, gpu=False, pose="rtmw")
    config = load_config(yaml.safe_load(started.settings))
    assert config.corpora["mine"].pose == "rtmw"
    assert config.streams.keys() == {"skeleton", "bone"}
    assert started.manifest.startswith("clip_id,split,subject,label,video\n")
    with pytest.raises(InputError, match="--pose"):
        plan_study(root / "study", folder("wave/a.npz", "nod/b.npz"), gpu=False, pose="mediapipe")


def test_a_folder_without_clips_is_refused(tmp_path):
    with pytest.raises(InputError, match="no clips in it"):
        start_study(tmp_path / "study", tmp_path, gpu=False)
    with pytest.raises(InputError, match="no such folder"):
        start_study(tmp_path / "study", tmp_path / "nowhere", gpu=False)
    assert not (tmp_path / "study").exists()


def test_order_of_the_files_on_disk_does_not_count(folder, monkeypatch):
    root = folder(*(f"{label}/s{who}/{take}.mp4" for label in ("wave", "nod") for who in range(4) for take in range(2)))
    before = plan_study(root.parent / "study", root, gpu=False)
    walk = os.walk

    def turned(*arguments, **options):
        for top, folders, files in walk(*arguments, **options):
            folders.reverse()
            yield top, folders, files[::-1]

    monkeypatch.setattr(os, "walk", turned)
    assert plan_study(root.parent / "study", root, gpu=False) == before


def run(command):
    done = subprocess.run(
        f"{sys.executable} -m {command}",
        shell=True,
        cwd=ROOT,
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT / "src"),
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_command_prints_what_to_do_next_and_spares_a_study_that_is_there(folder, capsys):
    root = folder(*(f"s{who}_{label}_{i}.mp4" for who in range(5) for label in ("wave", "nod") for i in range(2)))
    study = root.parent / "my study"
    with pytest.raises(SystemExit, match="0"):
        main(["init", str(study), "--from", str(root)])
    printed = capsys.readouterr().out
    commands = next_commands(study)
    assert all(command in printed for command in commands)
    assert read_plan(study / "config.yaml", (), "results").config.ground_truth.file == str(study / "clips.csv")
    assert main(["init", str(study), "--from", str(root)]) == 1


def test_all_paths_that_it_prints_work_in_every_folder(folder, capsys, monkeypatch):
    root = folder("wave/a.mp4", "nod/b.mp4")
    monkeypatch.chdir(root.parent)
    with pytest.raises(SystemExit, match="0"):
        main(["init", "study", "--from", root.name])
    named = [word for word in re.findall(r"\S*study\S*", capsys.readouterr().out) if "/" in word]
    assert len(named) >= 5
    assert all(word.lstrip("`").startswith(str(root.parent / "study")) for word in named)


@pytest.mark.slow
def test_the_commands_that_it_proposes_lead_from_clips_to_a_report(folder):
    root = folder(*(f"{label}/s{who}_{label}.mp4" for who in range(6) for label in ("wave", "nod")))
    study = root.parent / "my study"
    assert start_study(study, root, gpu=False).can_start
    settings = study / "config.yaml"
    settings.write_text(
        re.sub(r"epochs: \d+", "epochs: 1", settings.read_text()).replace("warmup_epochs: 1", "warmup_epochs: 0")
    )
    checked, made = next_commands(study)
    assert "Nothing would stop a run" in run(checked)
    run(made)
    test = {row["clip_id"] for row in csv.DictReader((study / "clips.csv").open()) if row["split"] == "test"}
    assert {row["Id"] for row in csv.DictReader((study / "results/submission.csv").open())} == test
    report = (study / "results/report.html").read_text()
    assert not [stream for stream in ("taylor", "flow") if stream not in report]
    assert (study / "results/cross_subject/ablation.csv").exists()


APART = unicodedata.normalize("NFD", "Zoë")


@pytest.mark.parametrize("table", ["labels.csv", "labels.xlsx"])
def test_a_table_and_file_names_in_other_unicode_forms_meet(folder, table):
    root = folder(f"{APART}.mp4", "nod.mp4")
    cells = [["file", "label", "subject"], ["Zoë.mp4", APART, APART], ["nod.mp4", "nod", "P2"]]
    write = write_xlsx if table.endswith("xlsx") else lambda path, rows: write_lines(path, map(",".join, rows))
    write(root / table, cells)
    _, rows, plan = started(root)
    assert told(rows, "label", "subject") == {"Zoë": ("Zoë", "Zoë"), "nod": ("nod", "P2")}
    listed = list_clips("mine", "manifest", Path(plan.config.corpora["mine"].root), 1, allow_shared_subjects=True)
    assert (listed.table.status == "ok").all()


def test_folders_in_other_unicode_forms_are_one_class(folder):
    _, rows, _ = started(folder(f"train/{APART}/a.mp4", "train/Zoë/b.mp4", "train/nod/c.mp4", "test/Zoë/d.mp4"))
    assert {row["label"] for row in rows.values()} == {"Zoë", "nod"}


def test_a_person_under_two_names_is_in_one_split_and_named(folder):
    names = [f"{label}/{who}/{take}.mp4" for label in ("wave", "nod") for who in ("S01", "s1", "S2", "s3", "S4", "S5")
             for take in range(2)]  # fmt: skip
    said, rows, _ = started(folder(*names))
    assert len({row["split"] for row in rows.values() if row["subject"] in ("S01", "s1")}) == 1
    assert any(line.startswith("Subjects 'S01' and 's1' count as one person") for line in said.missing)
    assert "5 subjects" in said.found[0]


def test_parts_of_a_recording_without_subject_in_two_splits_are_told(folder):
    root = folder("a.mp4", "b.mp4")
    write_lines(
        root / "labels.csv",
        ["file,start,end,label,split", "a.mp4,0,3,wave,train", "a.mp4,4,8,nod,test", "b.mp4,0,3,nod,train"],
    )
    said, _, plan = started(root)
    assert any("Recording a is in test and in train or val (1 of 1 people)" in line for line in said.missing)
    assert plan.config.corpora["mine"].allow_shared_subjects
