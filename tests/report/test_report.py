import copy
import json
import os
import re
import subprocess
import sys
from base64 import b64decode
from dataclasses import replace
from xml.etree import ElementTree

import cv2
import numpy as np
import pandas as pd
import pytest
import yaml
from scipy.special import softmax
from sklearn.metrics import accuracy_score, balanced_accuracy_score, confusion_matrix, precision_recall_fscore_support

from fixtures.made_up_run import STREAMS, made_up_card, made_up_results, write_results
from fixtures.page_reader import read_page, rows, section
from fixtures.project import ROOT, TINY
from microgesture.ensembles.ensemble import run_ensemble
from microgesture.ensembles.fusion import Fitting
from microgesture.errors import InputError, UnusableClip
from microgesture.measures.baselines import wilson_interval
from microgesture.measures.metrics import expected_calibration_error
from microgesture.report.files import write_pdf
from microgesture.report.measures import confused_pairs, missed_by_all, orders, reliability
from microgesture.report.page import render, write_report
from microgesture.report.results import read_jobs, read_results
from microgesture.storage.scores import Scores, write_scores
from microgesture.storage.shards import write_shard
from microgesture.workflow.plan import Plan

SECTIONS = ["streams", "weights", "ablation", "classes", "confusion", "calibration", "learning", "missed", "people"]
SECTIONS += ["time", "methods", "settings"]
MEASURED = {"streams", "classes", "confusion", "calibration", "missed", "people"}  # what needs clips with labels
HOSTILE = '</script><script>alert("&amp;")</script><img src=https://there/a.png onerror=alert(1)> {{ 7 * 7 }} \' "é"'


@pytest.fixture(scope="module")
def made_up():
    return made_up_results()


@pytest.fixture(scope="module")
def page(made_up):
    return read_page(render(*made_up))


def fused(results, without=None):
    """The ensemble's probabilities, computed stream by stream."""
    said, weights = results.held_out, results.held_out.fusions[0].rule.weights_S.copy()
    if without is not None:
        weights[without] = 0
    parts = zip(weights, said.logits_SNK, said.fusions[0].temperatures_S, strict=True)
    return sum(weight * softmax(logits_NK / t, axis=1) for weight, logits_NK, t in parts) / weights.sum()


def test_every_section_is_there_and_linked(page):
    assert [element.attributes["id"] for element in page.all("section")] == SECTIONS
    assert [link.attributes["href"] for link in page.all("nav")[0].all("a")] == [f"#{name}" for name in SECTIONS]


def test_streams_and_ensemble_are_as_scikit_learn_measures_them(made_up, page):
    results = made_up[1]
    said = [*results.held_out.logits_SNK, fused(results)]
    for row, said_NK in zip(rows(section(page, "streams").all("table")[0])[:-2], said, strict=True):
        predicted_N, labels_N = said_NK.argmax(1), results.held_out.labels_N
        f1_K = precision_recall_fscore_support(labels_N, predicted_N)[2]
        assert row["top 1"] == pytest.approx(accuracy_score(labels_N, predicted_N), abs=1e-5)
        assert row["macro F1"] == row["F1 of present classes"] == pytest.approx(f1_K.mean(), abs=1e-5)
        assert row["balanced"] == pytest.approx(balanced_accuracy_score(labels_N, predicted_N), abs=1e-5)
    shown = {each.all("dt")[0].text: each.all("dd")[0].text for each in page.all("header")[0].all("div")}
    assert shown["accuracy (top 1)"].startswith(f"{row['top 1']:.1%} ")


def test_leaving_a_stream_out_is_computed_anew(made_up, page):
    results = made_up[1]
    labels_N = results.held_out.labels_N
    whole = (fused(results).argmax(1) == labels_N).mean()
    for number, row in enumerate(rows(section(page, "weights").all("table")[0])):
        rest = (fused(results, number).argmax(1) == labels_N).mean()
        assert row["stream"] == STREAMS[number]
        assert row["weight"] == pytest.approx(results.held_out.fusions[0].rule.weights_S[number], abs=1e-5)
        assert row["ensemble without it"] == pytest.approx(rest, abs=1e-5)
        assert row["contribution"] == pytest.approx(whole - rest, abs=1e-5)


def test_classes_and_confusion_are_as_scikit_learn_counts_them(made_up, page):
    results = made_up[1]
    labels_N, predicted_N = results.held_out.labels_N, fused(results).argmax(1)
    precision_K, recall_K, f1_K, clips_K = precision_recall_fscore_support(labels_N, predicted_N)
    shown = rows(section(page, "classes").all("table")[0])
    train = results.clips.table[results.clips.table.split == "train"].label.value_counts()
    for row in shown:
        k = int(row["no."])
        found = [row[name] for name in ("precision", "recall", "F1", "held-out clips", "training clips")]
        assert found == pytest.approx([precision_K[k], recall_K[k], f1_K[k], clips_K[k], train.get(k, 0)], abs=1e-5)
    assert [row["training clips"] for row in shown] == sorted((row["training clips"] for row in shown), reverse=True)
    matrix = next(t for t in section(page, "confusion").all("table") if t.attributes["class"] == "matrix")
    counted = [[int(cell.text or 0) for cell in row.all("td")] for row in matrix.all("tbody")[0].all("tr")]
    np.testing.assert_array_equal(counted, confusion_matrix(labels_N, predicted_N))


def test_an_ensemble_without_a_mistake_is_said_to_have_none_and_nothing_twice(made_up):
    step, results = made_up
    sure_SNK = np.broadcast_to(9.0 * np.eye(6)[results.held_out.labels_N], results.held_out.logits_SNK.shape)
    alone = results.ablation.assign(versus=None, difference=np.nan, difference_low=np.nan, difference_high=np.nan)
    perfect = replace(results, held_out=replace(results.held_out, logits_SNK=sure_SNK), ablation=alone)
    found = read_page(render(step, perfect))
    expected = [name for name in SECTIONS if name not in ("ablation", "missed")]
    assert [element.attributes["id"] for element in found.all("section")] == expected
    assert "Every clip is predicted correctly" in found.all("header")[0].text
    assert "Every clip is predicted correctly" not in read_page(render(*made_up)).all("header")[0].text
    assert "Every clip is predicted correctly" in section(found, "confusion").text
    fewer = replace(perfect, ablation=alone.iloc[1:])
    shown = rows(section(read_page(render(step, fewer)), "ablation").all("table")[0])
    assert [row["row"] for row in shown] == [*STREAMS[1:], "final"]
    assert "compared with" not in shown[0]


def test_people_are_measured_one_by_one(made_up, page):
    results = made_up[1]
    right = pd.Series(fused(results).argmax(1) == results.held_out.labels_N)
    expected = right.groupby("subject " + results.clips.table.subject[: len(right)]).mean()
    shown = rows(section(page, "people").all("table")[0])
    assert {row["person"]: row["final"] for row in shown} == pytest.approx(expected.to_dict(), abs=1e-5)
    assert [row["final"] for row in shown] == sorted(row["final"] for row in shown)


@pytest.mark.parametrize("best", [0, 2])
def test_a_fused_stream_is_drawn_from_what_it_began_with(made_up, best):
    step, results = made_up
    card = results.cards["joint"]
    history = [{**card["history"][0], "learning_rate": 0.0, "train_loss": None}, *card["history"][1:]]
    cards = {"joint": card | {"history": history, "best_epoch": best}}
    found = section(read_page(render(step, replace(results, cards=cards))), "learning")
    assert rows(found.all("table")[0])[0]["epochs"] == 3
    kept = {0: "before epochs 1 to 3", 2: "epoch 2 of 1 to 3"}[best]
    caption = found.all("figcaption")[0].text
    assert caption.startswith("joint (on made up): ")
    assert kept in caption
    dots = [dot.all("title")[0].text for dot in found.all("svg")[0].all("circle")]
    assert sorted(dot.split(": ")[0] for dot in dots if "train loss" in dot) == ["epoch 1", "epoch 2", "epoch 3"]
    kept = [dot.split(" 0.")[0].split(" 2.")[0] for dot in dots if dot.endswith(", kept")]
    assert kept == {0: ["before training: val loss"], 2: ["epoch 2: train loss", "epoch 2: val loss"]}[best]


def test_the_clips_that_all_get_wrong_are_those(made_up, page):
    results = made_up[1]
    wrong_SN = results.held_out.logits_SNK.argmax(2) != results.held_out.labels_N
    expected = {f"c{n}" for n in range(60) if all(wrong_SN[:, n])}
    assert expected
    assert {row["clip"] for row in rows(section(page, "missed").all("table")[0])} == expected


def test_test_clips_with_known_labels_are_shown_in_every_section_beside_validation():
    step, results = made_up_results(truth=True)
    page = read_page(render(step, results))
    for name in MEASURED:
        headings = [heading.text for heading in section(page, name).all("h3")]
        assert [heading.split(",")[0] for heading in headings] == ["Test split", "Validation split"], name
    labels_N, said_NK = results.on_test.labels_N, results.on_test.fused()
    for table in section(page, "streams").all("table")[:1]:
        *_, final, guessing, constant = rows(table)
        assert final["top 1"] == pytest.approx(accuracy_score(labels_N, said_NK.argmax(1)), abs=1e-5)
        assert (guessing["top 1"], constant["top 1"]) == pytest.approx(
            (1 / len(set(labels_N)), np.bincount(labels_N).max() / 30), abs=1e-4
        )
    shown = {each.all("dt")[0].text: each.all("dd")[0].text for each in page.all("header")[0].all("div")}
    assert shown["accuracy (top 1)"].startswith(f"{final['top 1']:.1%} ")
    matrix = next(t for t in section(page, "confusion").all("table") if t.attributes["class"] == "matrix")
    counted = [[int(cell.text or 0) for cell in row.all("td")] for row in matrix.all("tbody")[0].all("tr")]
    np.testing.assert_array_equal(counted, confusion_matrix(labels_N, said_NK.argmax(1)))


def test_only_people_who_are_in_no_other_split_are_said_to_be():
    step, results = made_up_results(truth=True)
    table = results.clips.table
    apart = replace(results.clips, table=table.assign(subject=table.split + table.subject, recording=table.split))
    for clips, known in ((results.clips, False), (apart, True)):
        text = render(step, replace(results, clips=clips))
        assert ("None of these people is in train or val" in text) == known
        assert ("None of these people was in another split" in text) == known
        assert ("Also in train or val: 6 of 6 people" in text) != known


def test_one_person_has_binomial_intervals_and_no_table_of_people():
    step, results = made_up_results(truth=True, subjects=1)
    page = read_page(render(step, results))
    assert "people" not in [element.attributes["id"] for element in page.all("section")]
    right = int((results.on_test.fused().argmax(1) == results.on_test.labels_N).sum())
    low, high = wilson_interval(right / 30, 30)
    final = next(row for row in section(page, "streams").all("table")[0].all("tr") if "final" in row.text)
    assert f"[{low:.3f}, {high:.3f}]" in final.text
    assert "binomial intervals" in page.all("header")[0].text


def test_streams_that_have_not_learned_are_named_at_the_top(made_up):
    step, results = made_up
    flat = results.cards["rgb"] | {"loss_bounds": [0.0, 0.6]}
    text = render(step, replace(results, cards=results.cards | {"rgb": flat}))
    assert text.count("Stream rgb has learned little") == 1
    assert "has learned little" not in render(*made_up)


def test_learning_curves_explain_only_lines_that_are_there(made_up):
    step, results = made_up
    lines = [
        {**epoch, "val_loss": None, "val_accuracy": None, "val_balanced_accuracy": None}
        for epoch in made_up_card("joint")["history"]
    ]
    cards = {"joint": results.cards["joint"] | {"history": lines}}
    shown = section(read_page(render(step, replace(results, cards=cards))), "learning")
    assert "validation" not in shown.text
    assert len(shown.all("svg")) == 1
    assert len(shown.all("polyline")) == 2  # the loss and the mark of the kept epoch


def test_every_chart_and_table_is_a_file_that_the_page_leads_to(tmp_path, monkeypatch):
    monkeypatch.setattr("microgesture.report.files.write_pdf", lambda path, svg: path.write_text(svg))
    step, results = made_up_results(truth=True, quarantined=[("made up", "rgb", "c1", "damaged")])
    write_report(tmp_path / "report.html", step, results)
    page = read_page((tmp_path / "report.html").read_text(encoding="utf-8"))
    linked = {link.attributes["href"] for link in page.all("main")[0].all("a")}
    assert linked == {path.relative_to(tmp_path).as_posix() for path in (tmp_path / "report").iterdir()}
    kinds = [name.rpartition(".")[2] for name in linked]
    assert kinds.count("svg") == kinds.count("pdf") == len(page.all("svg")) + 2  # the confusion matrices are tables
    assert kinds.count("csv") == len(page.all("table"))
    table = pd.read_csv(tmp_path / "report/streams_test.csv").set_index("name")
    assert table.accuracy["final"] == accuracy_score(results.on_test.labels_N, results.on_test.fused().argmax(1))
    for path in (tmp_path / "report").glob("*.svg"):
        assert ElementTree.parse(path).getroot().tag.endswith("svg")
        assert "var(" not in path.read_text()
    charts = sorted((tmp_path / "report").glob("*.pdf"))
    for path in (charts[0], next(path for path in charts if path.stem.endswith("matrix"))):
        write_pdf(path, path.read_text())
        assert path.read_bytes().startswith(b"%PDF")
        assert b"/FontFile2" in path.read_bytes()  # text stays text
    methods = (tmp_path / "report/methods.txt").read_text()
    assert section(page, "methods").all("pre")[0].text == methods
    for part in (
        "30 test clips of 6 people",
        f"accuracy was {table.accuracy['final']:.1%}",
        "arXiv 1805.07694",
        "16.7%",
    ):
        assert part in methods


def test_wrong_clips_lead_to_their_videos_only_if_asked_for():
    step, results = made_up_results(skill=0)
    table = results.clips.table.assign(video="a film.mp4", video_start=50)
    results = replace(results, clips=replace(results.clips, table=table))
    assert not section(read_page(render(step, results)), "missed").all("td")[0].all("a")
    page = read_page(render(step.model_copy(update={"videos": "/corpus"}), results))
    (link,) = section(page, "missed").all("td")[0].all("a")
    assert link.attributes["href"] == "file:///corpus/a%20film.mp4#t=2.00,2.40"


def test_a_reliability_diagram_adds_up_to_the_calibration_error(made_up):
    said_NK, labels_N = softmax(made_up[1].held_out.logits_SNK[0], axis=1), made_up[1].held_out.labels_N
    found = reliability(said_NK, labels_N)
    assert found.clips.sum() == len(labels_N)
    error = (found.clips * (found.promised - found.kept).abs()).sum() / len(labels_N)
    assert error == pytest.approx(expected_calibration_error(said_NK, labels_N), abs=1e-12)


def test_orders_are_permutations_and_put_what_is_confused_side_by_side():
    confusion_KK = np.diag([9, 9, 5, 9, 20])
    confusion_KK[[0, 4], [4, 0]] = 8  # 0 and 4 are taken for each other
    confusion_KK[2, 3] = 1
    found = orders(confusion_KK, range(5))
    assert all(sorted(order) == list(range(5)) for order in found.values())
    assert found["number"] == [0, 1, 2, 3, 4]
    assert found["mistakes"] == [0, 4, 2, 1, 3]
    assert found["clips"] == [4, 0, 1, 3, 2]
    assert abs(found["neighbours"].index(0) - found["neighbours"].index(4)) == 1
    assert confused_pairs(confusion_KK)[["true", "predicted", "clips"]].to_numpy().tolist() == [
        [0, 4, 8],
        [4, 0, 8],
        [2, 3, 1],
    ]


def test_the_surest_mistakes_come_first():
    said_SNK = np.array([[[0.6, 0.4], [0.9, 0.1], [0.2, 0.8]], [[0.7, 0.3], [0.8, 0.2], [0.6, 0.4]]])
    assert missed_by_all(np.array([1, 1, 1]), said_SNK).tolist() == [1, 0]


def test_hostile_names_and_reasons_stay_text():
    names = [HOSTILE, "</title>", "-->", "<b>", "", "plain"]
    lines = [("imigue", "rgb", HOSTILE, "</table>" + HOSTILE)]
    step, results = made_up_results(names=names, quarantined=lines)
    results = replace(results, cards={name: card | {"corpus": HOSTILE} for name, card in results.cards.items()})
    found = read_page(render(step, results))  # which fails if a tag is closed that is not open
    assert len(found.all("script")) == 1
    assert not found.all("img")
    listed = rows(section(found, "quarantine").all("table")[1])
    assert listed[0]["clip"] == HOSTILE
    assert listed[0]["reason"] == "</table>" + HOSTILE
    assert HOSTILE in [row["class"] for row in rows(section(found, "classes").all("table")[0])]


def test_people_and_filled_points_are_counted_by_corpus():
    columns = ["corpus", "clip_id", "people", "person", "close", "filled"]
    lines = [("a", "c1", 3, "p", True, 0.5), ("a", "c2", 1, "q", False, 0.1), ("b", "c3", None, None, None, 0.25)]
    step, results = made_up_results()
    found = section(
        read_page(render(step, replace(results, keypoints=pd.DataFrame(lines, columns=columns)))), "keypoints"
    )
    counted, close = (rows(table) for table in found.all("table"))
    assert [list(row.values()) for row in counted] == [["a", 1, 1, 0.3, 0.5], ["b", 0, 0, 0.25, 0.25]]
    assert [list(row.values()) for row in close] == [["a", "c1", 3, "p"]]
    empty = pd.DataFrame(columns=columns)
    assert "keypoints" not in [
        part.attributes.get("id") for part in read_page(render(step, replace(results, keypoints=empty))).all("section")
    ]


def attributes(element):
    for child in element.children:
        if not isinstance(child, str):
            yield from child.attributes.items()
            yield from attributes(child)


def test_nothing_on_the_page_leads_out_of_it(made_up, page):
    for name, value in attributes(page):
        if name in ("src", "href", "action", "srcset", "data", "xlink:href", "poster"):
            assert value.startswith(("#", "data:", "report/")), (name, value)
        assert not name.startswith("on")
    text = render(*made_up)
    for leading_out in ("http:", "https:", "//", "@import", "url(", "fetch(", "XMLHttpRequest"):
        assert leading_out not in text, leading_out


@pytest.fixture(scope="module")
def shard_files(tmp_path_factory, made_up):
    """Shards of rgb in which each clip is one colour; those of the first have none of the first clip that all miss."""
    folder = tmp_path_factory.mktemp("rgb")
    table = made_up[1].clips.table
    frames = {clip_id: np.full((9, 32, 48, 3), (n * 2, 40, 200), np.uint8) for n, clip_id in enumerate(table.clip_id)}
    frames[missed(made_up)[0]] = UnusableClip("the video is damaged")
    write_shard(folder / "0000.arrow", frames.items(), "jpeg")
    return [folder / "0000.arrow"]


def missed(made_up):
    return [row["clip"] for row in rows(section(read_page(render(*made_up)), "missed").all("table")[0])]


def test_frames_are_shown_only_if_they_may_be(tmp_path, made_up, shard_files):
    step, results = made_up
    options, files = write_results(tmp_path, step, results)
    pages = {}
    for frames in (False, True):
        asked = step.model_copy(update={"frames": frames})
        pages[frames] = render(asked, read_results(asked, files=files + shard_files, **options))
    assert not read_page(pages[False]).all("img")
    assert "image/jpeg" not in pages[False]
    figures = section(read_page(pages[True]), "missed").all("figure")
    expected = missed(made_up)
    assert expected[0] not in " ".join(figure.text for figure in figures)
    assert [figure.text.split(": ")[0] for figure in figures] == expected[1:13]
    assert len(read_page(pages[True]).all("img")) == len(figures) > 0
    for figure, clip_id in zip(figures, expected[1:], strict=False):
        picture = figure.all("img")[0].attributes
        encoded = b64decode(picture["src"].removeprefix("data:image/jpeg;base64,"))
        bgr_HWC = cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_COLOR)
        assert bgr_HWC.shape[:2] == (int(picture["height"]), int(picture["width"])) == (120, 5 * 180)
        np.testing.assert_allclose(bgr_HWC.mean((0, 1)), (200, 40, 2 * int(clip_id[1:])), atol=4)


def test_frames_are_those_of_the_submissions_corpus_where_it_has_video(tmp_path):
    raw = yaml.safe_load((ROOT / "config.yaml").read_text())
    assert Plan(raw).framed is None
    shown = Plan(raw | {"report": {"frames": True}})
    assert shown.framed == "imigue"
    assert shown.step("report", "report") != Plan(raw).step("report", "report")
    assert shown.step("submission", "final") == Plan(raw).step("submission", "final")
    of_joints = copy.deepcopy(TINY) | {"report": {"frames": True}}
    of_joints["streams"] = {"joint": of_joints["streams"]["joint"]}
    of_joints["ensembles"] = {"final": {"streams": ["joint"]}}
    assert Plan(of_joints).kinds("imigue") == ["keypoints", "rgb"]
    (tmp_path / "clips.csv").write_text("clip_id,split,subject,label,keypoints\n")
    of_joints["corpora"]["imigue"] = {"format": "manifest", "root": str(tmp_path)}
    assert Plan(of_joints).framed is None


@pytest.mark.parametrize("clips", [0, 1])
def test_without_clips_to_measure_on_the_page_says_so(clips):
    step, results = made_up_results()
    few = replace(
        results.held_out,
        clip_ids=results.held_out.clip_ids[:clips],
        labels_N=results.held_out.labels_N[:clips],
        logits_SNK=results.held_out.logits_SNK[:, :clips],
        fold_N=results.held_out.fold_N[:clips],
    )
    found = read_page(render(step, replace(results, held_out=few, ablation=results.ablation.iloc[:0])))
    assert MEASURED.isdisjoint(element.attributes["id"] for element in found.all("section")) == (clips == 0)
    assert not any(element.text == "" for element in found.all("section"))
    assert ("there is no accuracy" in found.text) == (clips == 0)
    assert "nan" not in found.all("main")[0].text.lower()
    assert all(table.all("td") for table in found.all("table"))


@pytest.mark.slow
def test_a_corpus_of_41000_clips_and_52_classes_fits_into_5_mb():
    lines = [("made up", "rgb", f"c{n}", "the video is damaged " * 5) for n in range(900)]
    names = [f"class {k} with quite a long name, as some have" for k in range(52)]
    found = made_up_results(20_500, 52, tuple(f"stream{n}" for n in range(7)), names, lines, subjects=205, skill=-9)
    assert len(found[1].clips.table) == 41_000
    text = render(*found)
    assert len(text.encode()) < 5_000_000
    page = read_page(text)
    assert len(rows(section(page, "missed").all("table")[0])) == 500
    assert len(rows(section(page, "quarantine").all("table")[1])) == 500
    assert "900 clips" in section(page, "quarantine").text


@pytest.mark.slow
def test_the_command_writes_the_same_bytes_whatever_the_order_of_hashes(tmp_path, made_up):
    step, results = made_up
    options, files = write_results(tmp_path, step, results)
    output = tmp_path / "report.html"
    command = [sys.executable, "-m", "microgesture", "report", "--settings", step.model_dump_json()]
    for name, path in (options | {"output": output}).items():
        command += [f"--{name}", path]
    subprocess.run([*command, *files], check=True, env=os.environ | {"PYTHONHASHSEED": "1"})
    assert output.read_text(encoding="utf-8") == render(step, read_results(step, files=files, **options))
    shown, read = (section(read_page(text), "streams").text for text in (render(*made_up), output.read_text()))
    assert shown == read


def test_missing_scores_are_named(tmp_path, made_up):
    options, files = write_results(tmp_path, *made_up)
    with pytest.raises(InputError, match=r"needs the scores rgb/val\.parquet"):
        read_results(made_up[0], files=[path for path in files if path.parent.name != "rgb"], **options)


def test_time_is_read_from_benchmarks_and_from_cards_where_there_is_none(tmp_path):
    (tmp_path / "rgb" / "imigue").mkdir(parents=True)
    (tmp_path / "rgb" / "imigue" / "0000.tsv").write_text("s\th:m:s\tmax_rss\n6.5\t0:00:06\t160.5\n")
    (tmp_path / "rgb" / "imigue" / "0001.tsv").write_text("s\th:m:s\tmax_rss\n0.5\t0:00:00\t-\n")
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "joint.tsv").write_text("s\th:m:s\tmax_rss\n60\t0:01:00\t700\n")
    jobs = read_jobs(tmp_path, {"joint": {"seconds": 59.0}, "rgb": {"seconds": 30.0}})
    expected = [("rgb", "imigue", 6.5, 160.5), ("rgb", "imigue", 0.5, None), ("train", "joint", 60.0, 700.0)]
    expected.append(("train", "rgb", 30.0, None))
    columns = ["stage", "of", "seconds", "megabytes"]
    pd.testing.assert_frame_equal(jobs, pd.DataFrame(expected, columns=columns), check_dtype=False)


def test_the_report_follows_all_that_it_shows_and_nothing_follows_it():
    raw = yaml.safe_load((ROOT / "config.yaml").read_text())
    before = Plan(raw).step("report", "report")
    for path in ("streams.flow.network.width", "taylor.terms", "ensembles.final.weights", "submission.sample"):
        changed = json.loads(json.dumps(raw))
        *parents, last = path.split(".")
        inner = changed
        for parent in parents:
            inner = inner[parent]
        inner[last] = {"terms": 2, "width": 8, "weights": "equal", "sample": "sample.csv"}[last]
        assert Plan(changed).step("report", "report").stamp != before.stamp, path
    assert Plan(raw | {"threads": 8}).step("report", "report") == before


def test_folds_are_shown_as_the_ensemble_measured_them(tmp_path):
    step, results = made_up_results()
    options, files = write_results(tmp_path, step, results)
    said = dict(zip(STREAMS, results.held_out.logits_SNK.astype(np.float32), strict=True))
    val, train = [f"c{n}" for n in range(60)], [f"c{n}" for n in range(61, 120, 2)]
    folds, splits = {}, {}
    for stream, logits_NK in said.items():
        known = dict(zip(val, logits_NK, strict=True)) | dict(zip(train, logits_NK[1::2], strict=True))
        parts = [dict(list(known.items())[fold::2]) for fold in range(2)]
        folds[stream] = [tmp_path / stream / f"fold{fold}.parquet" for fold in range(2)]
        for path, part in zip(folds[stream], parts, strict=True):
            write_scores(path, Scores(part, {}))
        test = {f"c{n}": np.zeros(6, np.float32) for n in range(60, 120, 2)}
        write_scores(tmp_path / stream / "test.parquet", Scores(test, {}))
        splits[stream] = {split: tmp_path / stream / f"{split}.parquet" for split in ("val", "test")}
    outputs = {split: tmp_path / f"{split}.parquet" for split in ("val", "test")}
    written = [tmp_path / name for name in ("held_out.parquet", "fusion.json", "summary.csv")]
    run_ensemble("final", results.clips, splits, folds, outputs, *written, Fitting("search"))
    summary = pd.read_csv(tmp_path / "summary.csv").set_index("name")
    step = step.model_copy(update={"folds": 2})
    files += [path for paths in folds.values() for path in paths]
    page = read_page(render(step, read_results(step, files=files, **options)))
    for row in rows(section(page, "streams").all("table")[0])[:-2]:
        assert row["top 1"] == pytest.approx(summary.accuracy[row["stream"]], abs=1e-4)
        assert row["macro F1"] == pytest.approx(summary.macro_f1[row["stream"]], abs=1e-4)
    for row in rows(section(page, "weights").all("table")[0]):
        assert row["ensemble without it"] == pytest.approx(summary.without[row["stream"]], abs=1e-4)
    for caption in section(page, "calibration").all("figcaption")[: len(STREAMS)]:
        stream, before, after = re.fullmatch(r"(\w+): error ([\d.]+), calibrated ([\d.]+)", caption.text).groups()
        expected = summary.loc[stream, ["ece_before", "ece"]].to_list()
        assert [float(before), float(after)] == pytest.approx(expected, abs=6e-4)  # rounded twice
    assert f"{summary.clips.final} clips" in page.all("header")[0].text


def test_people_on_both_sides_are_told_at_the_top_and_beside_every_result_on_test(made_up):
    step, results = made_up
    shared = results.ablation.assign(people_in_training=2, versus="joint")
    videos = pd.DataFrame({"row": ["face"], "videos": [7], "balanced_accuracy": 0.5, "people_in_training": 2})
    ends = [f"{name}_{end}" for name in ("balanced_accuracy", "auc", "accuracy") for end in ("low", "high")]
    videos = videos.reindex(columns=[*videos, "auc", "accuracy", "versus", "difference", *ends])
    page = read_page(render(step, replace(results, cross_subject=shared, emotion=videos, emotion_on_test=videos)))
    warnings = [p.text for p in page.all("header")[0].all("p") if p.attributes.get("class") == "warning"]
    assert sum("is in test and in train or val" in warning for warning in warnings) == 1
    assert sum("is in train and in val" in warning for warning in warnings) == 1
    headings = [heading.text for heading in page.all("h3") if heading.text.startswith(("Test clips", "Test videos"))]
    assert len(headings) == 2
    assert all("people who are also in train or val: 2" in heading for heading in headings)
    held_out = [heading.text for heading in page.all("h3") if heading.text.startswith("Held-out clips")]
    assert not any("also in train" in heading for heading in held_out)
