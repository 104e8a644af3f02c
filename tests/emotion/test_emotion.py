"""Training, prediction, measures and submission of emotions."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

from fixtures.emotion_videos import SOURCES, a_corpus, a_step, has_won
from microgesture.emotion.measure import compare_rows, measure_rows, weighted_auc
from microgesture.emotion.predict import predict_emotion, read_probabilities, write_probabilities
from microgesture.emotion.submission import write_emotion_submission
from microgesture.emotion.train import deal_people, learnt_from, train_emotion
from microgesture.errors import InputError

CPU = torch.device("cpu")


def run(folder, table, videos, step):
    """Train and predict; the probabilities of held-out and test videos, and the card."""
    folder.mkdir(exist_ok=True)
    train_emotion(table, videos, step, folder / "model.safetensors", folder / "card.json", CPU)
    files = folder / "held_out.csv", folder / "test.csv"
    predict_emotion(table, videos, step, folder / "model.safetensors", *files, CPU)
    return *map(read_probabilities, files), json.loads((folder / "card.json").read_text())


def share_right(said):
    return np.mean([(probability >= 0.5) == has_won(video_id) for video_id, probability in said.items()])


def test_what_can_be_told_is_learnt_and_told_of_new_people(tmp_path):
    held_out, test, card = run(tmp_path, *a_corpus(), a_step())
    assert share_right(held_out) == share_right(test) == 1
    assert card["held_out_balanced_accuracy"] == 1
    assert list(test) == [f"{number:04d}" for number in range(12, 18)]


@pytest.mark.parametrize("source", SOURCES)
def test_only_the_source_that_tells_is_of_use(tmp_path, source):
    table, videos = a_corpus(telling=(source,))
    assert share_right(run(tmp_path / "it", table, videos, a_step((source,)))[1]) == 1
    others = tuple(other for other in SOURCES if other not in (source, "face"))
    assert share_right(run(tmp_path / "others", table, videos, a_step(others))[1]) < 1


def test_the_same_seed_gives_the_same_bytes_in_any_order_and_another_does_not(tmp_path):
    table, videos = a_corpus()
    step = a_step(("context", "gestures"), epochs=2, token_dropout=0.3)
    run(tmp_path / "one", table, videos, step)
    run(tmp_path / "again", table, dict(reversed(videos.items())), step)
    run(tmp_path / "other", table, videos, step.model_copy(update={"seed": 1}))
    for name in ("model.safetensors", "held_out.csv", "test.csv"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "again" / name).read_bytes()
        assert (tmp_path / "one" / name).read_bytes() != (tmp_path / "other" / name).read_bytes()


def test_nothing_of_test_videos_reaches_what_is_learnt(tmp_path):
    table, videos = a_corpus()
    step = a_step(("context", "gestures"), epochs=2)
    run(tmp_path / "one", table, videos, step)
    planted = table.assign(
        label=[label or ("lose" if has_won(v) else "win") for v, label in table[["video_id", "label"]].to_numpy()]
    )
    spoilt = {
        v: replace(video, context_ND=-video.context_ND) if v in set(table.video_id[table.split == "test"]) else video
        for v, video in videos.items()
    }
    run(tmp_path / "planted", planted, spoilt, step)
    assert (tmp_path / "one/model.safetensors").read_bytes() == (tmp_path / "planted/model.safetensors").read_bytes()
    assert (tmp_path / "one/held_out.csv").read_bytes() == (tmp_path / "planted/held_out.csv").read_bytes()


def test_nobody_is_held_out_from_networks_that_know_them():
    table, _ = a_corpus(people=12)
    learnt = learnt_from(table)
    fold_N = deal_people(learnt, 4, seed=0)
    assert learnt.assign(fold=fold_N).groupby("subject").fold.nunique().max() == 1
    assert set(fold_N) == {0, 1, 2, 3}
    assert (learnt.assign(fold=fold_N).groupby("fold").label.nunique() == 2).all()
    with pytest.raises(InputError, match=r" 9 people .*too few for emotion.folds: 10"):
        deal_people(learnt, 10, seed=0)
    with pytest.raises(InputError, match=r" 0 videos, too few for emotion.folds"):
        deal_people(learnt.assign(label="win"), 4, seed=0)


def without(video, *sources):
    """The video without any token of these sources."""
    nan = {name: np.full_like(getattr(video, name), np.nan) for name in ("context_ND", "gestures_NG")}
    return replace(
        video,
        faces=tuple(faces[:0] for faces in video.faces) if "face" in sources else video.faces,
        context_ND=nan["context_ND"] if "context" in sources else video.context_ND,
        gestures_NG=nan["gestures_NG"] if "gestures" in sources else video.gestures_NG,
    )


def test_videos_that_lack_something_work_and_one_without_anything_gets_the_share_of_wins(tmp_path, caplog):
    table, videos = a_corpus()
    table.loc[table.video_id == "0003", "label"] = None
    changes = {
        "0002": ("face",),  # no visible face
        "0005": ("face", "gestures"),  # no keypoints
        "0006": SOURCES,  # nothing, in training
        "0013": ("face",),
        "0015": ("face", "gestures"),
        "0017": SOURCES,
    }
    videos |= {video_id: without(videos[video_id], *sources) for video_id, sources in changes.items()}
    videos["0007"], videos["0016"] = (videos[video_id].part(np.array([0])) for video_id in ("0007", "0016"))
    videos["0014"] = videos["0014"].part(np.array([], int))  # all of its clips were unusable
    held_out, test, card = run(tmp_path, table, videos, a_step())
    assert "0003" not in held_out
    assert share_right({v: held_out[v] for v in ("0002", "0005", "0007")}) == 1
    assert share_right({v: test[v] for v in ("0012", "0013", "0015", "0016")}) == 1
    wins = np.mean(card["share_of_wins"])
    assert test["0017"] == test["0014"] == pytest.approx(wins, abs=1e-5)
    assert held_out["0006"] == pytest.approx(card["share_of_wins"][card["fold_of"]["0006"]], abs=1e-5)
    assert card["videos_without_tokens"] == ["0006", "0014", "0017"]
    assert "3 videos have no token" in caplog.text


def test_weights_of_other_sources_are_refused(tmp_path):
    table, videos = a_corpus()
    run(tmp_path, table, videos, a_step(("context",), epochs=1))
    with pytest.raises(InputError, match="was not trained on gestures"):
        predict_emotion(
            table, videos, a_step(("gestures",)), tmp_path / "model.safetensors", *[tmp_path / "x"] * 2, CPU
        )


def test_the_area_under_the_curve_is_sklearns():
    generator = np.random.default_rng(0)
    win_N = generator.random(30) < 0.6
    says_N = np.round(generator.random(30) + 0.2 * win_N, 1)  # with ties
    times_DN = generator.integers(0, 4, (5, 30))
    times_DN[4, win_N] = 0
    found_D = weighted_auc(says_N, win_N, times_DN)
    for auc, times_N in zip(found_D[:4], times_DN[:4], strict=True):
        assert auc == pytest.approx(roc_auc_score(win_N, says_N, sample_weight=times_N))
    assert np.isnan(found_D[4])


def test_rows_are_measured_and_compared_pairwise():
    generator = np.random.default_rng(1)
    win_N, person_N = np.arange(40) % 2 == 0, np.repeat([f"p{n}" for n in range(10)], 4)
    says = {"poor": generator.random(40), "good": np.clip(win_N + generator.normal(0, 0.4, 40), 0, 1)}
    table = measure_rows(says, {"poor": None, "good": "poor"}, win_N, person_N).set_index("row")
    for row, says_N in says.items():
        assert table.balanced_accuracy[row] == pytest.approx(balanced_accuracy_score(win_N, says_N >= 0.5))
        assert table.auc[row] == pytest.approx(roc_auc_score(win_N, says_N))
        assert table.auc_low[row] <= table.auc[row] <= table.auc_high[row]
    assert table.difference["good"] == pytest.approx(table.balanced_accuracy["good"] - table.balanced_accuracy["poor"])
    assert table.difference_low["good"] > 0
    same = measure_rows({"a": says["good"], "b": says["good"]}, {"b": "a"}, win_N, person_N).set_index("row")
    assert same.loc["b", ["difference", "difference_low", "difference_high"]].tolist() == [0, 0, 0]


def test_the_tables_are_of_held_out_videos_and_with_a_truth_of_test_videos(tmp_path):
    table, _ = a_corpus()
    learnt, tested = learnt_from(table), table[table.split == "test"]
    right = {v: 0.9 if has_won(v) else 0.2 for v in learnt.video_id}
    write_probabilities(tmp_path / "held_out.csv", right)
    outputs = tmp_path / "a.csv", tmp_path / "a.md"
    compare_rows(table, {"all": tmp_path / "held_out.csv"}, {"all": None}, None, *outputs)
    assert pd.read_csv(outputs[0]).loc[0, ["videos", "balanced_accuracy", "auc"]].tolist() == [12, 1, 1]
    assert "12 videos (6 wins, 6 losses) of 6 people" in outputs[1].read_text()

    wrong = {v: 0.2 if has_won(v) else 0.9 for v in tested.video_id}
    write_probabilities(tmp_path / "test.csv", wrong)
    ground_truth = tmp_path / "truth.csv"
    ground_truth.write_text(
        "video_id,win_or_lose\n" + "".join(f"{int(v)},{'win' if has_won(v) else 'Lose'}\n" for v in wrong)
    )
    compare_rows(table, {"all": tmp_path / "test.csv"}, {"all": None}, ground_truth, *outputs)
    assert pd.read_csv(outputs[0]).loc[0, ["videos", "balanced_accuracy", "auc"]].tolist() == [6, 0, 0]
    ground_truth.write_text("video_id,win_or_lose\n99,win\n")
    with pytest.raises(InputError, match="has no label of a test video"):
        compare_rows(table, {"all": tmp_path / "test.csv"}, {"all": None}, ground_truth, *outputs)


def test_the_submission_has_every_test_video_once_in_order_or_as_the_sample_has_them(tmp_path):
    table, _ = a_corpus()
    said = {v: 0.5 if has_won(v) else 0.49 for v in table.video_id[table.split == "test"]}
    probabilities, output, sample = tmp_path / "test.csv", tmp_path / "submission.csv", tmp_path / "sample.csv"
    write_probabilities(probabilities, dict(reversed(said.items())))
    write_emotion_submission(table, probabilities, output, None, ("lose", "win"))
    rows = "".join(f"{v},{'win' if has_won(v) else 'lose'}\n" for v in said)
    assert output.read_text() == f"video_id,label\n{rows}"

    sample.write_text("video_id,prediction\n17,0\n" + "".join(f"{n},0\n" for n in range(12, 17)))
    write_emotion_submission(table, probabilities, output, sample, ("0", "1"))
    assert output.read_text() == "video_id,prediction\n17,1\n12,0\n13,1\n14,0\n15,1\n16,0\n"
    for text, sentence in (("v,l\n12,0\n", "5 ids differ"), ("v,l,x\n12,0,0\n", "two columns")):
        sample.write_text(text)
        with pytest.raises(InputError, match=sentence):
            write_emotion_submission(table, probabilities, output, sample, ("0", "1"))
    sample.write_text("v,l\n" + "".join(f"{n},0\n" for n in (12, 13, 14, 15, 16, 17, 17)))
    with pytest.raises(InputError, match=r"17 .*twice"):
        write_emotion_submission(table, probabilities, output, sample, ("0", "1"))
    write_probabilities(probabilities, {"0012": 0.3})
    with pytest.raises(InputError, match=r"5 test videos .*the first is 0013"):
        write_emotion_submission(table, probabilities, output, None, ("0", "1"))


def test_people_of_test_videos_who_were_trained_on_are_told(tmp_path):
    table, _ = a_corpus()
    tested = table[table.split == "test"]
    write_probabilities(tmp_path / "test.csv", {v: 0.9 for v in tested.video_id})
    lines = [f"{int(v)},{'win' if has_won(v) else 'lose'}\n" for v in tested.video_id]
    (tmp_path / "truth.csv").write_text("video_id,win_or_lose\n" + "".join(lines))
    outputs = tmp_path / "a.csv", tmp_path / "a.md"

    def told(videos):
        compare_rows(videos, {"all": tmp_path / "test.csv"}, {"all": None}, tmp_path / "truth.csv", *outputs)
        return pd.read_csv(outputs[0]).people_in_training.tolist(), outputs[1].read_text()

    people, text = told(table)
    assert people == [0]
    assert "lso in train" not in text
    known = table.subject.replace(table.subject[table.split == "train"].iloc[0], tested.subject.iloc[0].upper())
    people, text = told(table.assign(subject=known))
    assert people == [1]
    assert "Also in train or val: 1 of 3 people" in text
