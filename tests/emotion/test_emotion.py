"""Training, prediction, measures and submission of emotions."""

import json
import math
from dataclasses import replace
from importlib.metadata import version

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.special import expit
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

from fixtures.emotion_videos import SOURCES, a_corpus, a_step, has_won
from fixtures.reference_training import move
from microgesture.emotion.forecast import new_network
from microgesture.emotion.measure import compare_rows, measure_rows, weighted_auc
from microgesture.emotion.predict import predict_emotion, read_probabilities, write_probabilities
from microgesture.emotion.submission import write_emotion_submission
from microgesture.emotion.tokens import Video, together
from microgesture.emotion.train import deal_people, learn, learnt_from, train_emotion
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
    assert (card["videos"], card["people"], card["subjects_known"]) == ({"win": 6, "lose": 6}, 6, True)
    assert 0 < card["seconds"] < 1000
    assert card["libraries"]["torch"] == version("torch")
    assert np.shape(card["train_loss"]) == (3, 1, 12)  # folds, members, epochs
    assert card["train_loss"][0][0][-1] < card["train_loss"][0][0][0]
    network = new_network(a_corpus()[1], a_step())
    assert card["parameters"] == sum(parameter.numel() for parameter in network.parameters())
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


def told(video_id, value=0.0):
    """A video of one clip."""
    return Video(video_id, np.array([0.5], np.float32), context_ND=np.array([[value, 1.0]], np.float32))


def test_wins_and_losses_count_the_same_however_many_they_are():
    table = pd.DataFrame({"video_id": list("abcdefghij"), "label": ["win"] * 9 + ["lose"]})
    videos = {video_id: told(video_id) for video_id in table.video_id}  # which tell nothing
    step = a_step(("context",), epochs=80, batch_size=10, learning_rate=0.05, token_dropout=0)
    network, _ = learn(table, videos, step, CPU, (0, 0, 0))
    with torch.no_grad():
        said = network.eval()(together([videos["a"]], ("context",), CPU)).sigmoid().item()
    assert said == pytest.approx(0.5, abs=0.05)  # not 0.9


def test_the_loss_of_an_epoch_is_the_mean_of_its_videos():
    table = pd.DataFrame({"video_id": list("abcde"), "label": ["win", "win", "lose", "win", "lose"]})
    videos = {video_id: told(video_id, n) for n, video_id in enumerate(table.video_id)}
    step = a_step(("context",), epochs=1, batch_size=2, learning_rate=1e-12, token_dropout=0)
    network, (loss,) = learn(table, videos, step, CPU, (7, 1, 0))
    with torch.no_grad():
        odds_N = network.eval()(together(list(videos.values()), ("context",), CPU)).double().numpy()
    win_N = (table.label == "win").to_numpy()
    weight_N = np.where(win_N, 5 / (2 * 3), 5 / (2 * 2))
    expected = -(weight_N * np.log(np.where(win_N, expit(odds_N), expit(-odds_N)))).sum() / 5
    assert loss == pytest.approx(expected, rel=1e-5)


def one_cycle(done, steps, most):
    """The rate of a step: up to the most within three tenths of the steps and down to almost nothing, as cosines."""
    top, first = 0.3 * steps - 1, most / 25
    if done <= top:
        return first + (most - first) * (1 - math.cos(math.pi * done / top)) / 2
    return first / 1e4 + (most - first / 1e4) * (1 + math.cos(math.pi * (done - top) / (steps - 1 - top))) / 2


def a_sure_network(videos, step):
    """One whose first gradients are larger than the limit."""
    network = new_network(videos, step)
    with torch.no_grad():
        network.head[-1].weight *= 20
    return network


def test_learning_takes_the_steps_of_plain_learning(monkeypatch):
    monkeypatch.setattr("microgesture.emotion.train.new_network", a_sure_network)
    table = pd.DataFrame({"video_id": list("abcde"), "label": ["win", "win", "lose", "win", "lose"]})
    videos = {video_id: told(video_id, n) for n, video_id in enumerate(table.video_id)}
    recipe = {"epochs": 30, "batch_size": 5, "learning_rate": 0.02, "weight_decay": 0.5, "token_dropout": 0}
    step = a_step(("context",), **recipe)
    numbers = (7, 1, 0)
    network, history = learn(table, videos, step, CPU, numbers)

    torch.manual_seed(int(np.random.default_rng(list(numbers)).integers(2**31)))
    plain = a_sure_network(videos, step).train()
    tokens, win_N = together(list(videos.values()), ("context",), CPU), torch.tensor([1.0, 1, 0, 1, 0])
    weight_N = torch.where(win_N == 1, 5 / (2 * 3), 5 / (2 * 2))
    slots = {name: {} for name, _ in plain.named_parameters()}
    losses, clipped = [], 0
    for done in range(30):
        odds_N = plain(tokens)
        p_N = torch.where(win_N == 1, odds_N, -odds_N).sigmoid()
        loss = (weight_N * -p_N.log()).mean()
        gradients = torch.autograd.grad(loss, list(plain.parameters()))
        norm = torch.stack([gradient.square().sum() for gradient in gradients]).sum().sqrt()
        clipped += int(norm > 1)
        with torch.no_grad():
            for (name, parameter), gradient in zip(plain.named_parameters(), gradients, strict=True):
                decay = 0.5 if parameter.dim() > 1 else 0
                move(parameter, gradient / max(1, norm), one_cycle(done, 30, 0.02), decay, slots[name], "adamw")
        losses.append(loss.item())
    assert 0 < clipped < 30
    np.testing.assert_allclose(history, losses, rtol=1e-3)
    for name, parameter in plain.named_parameters():
        torch.testing.assert_close(network.get_parameter(name), parameter, rtol=2e-3, atol=1e-4)


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


def test_draws_with_wins_alone_do_not_count_for_balanced_accuracy():
    """One person only wins, the other only loses, and all are predicted to win: 0.5 whenever both are drawn."""
    win_N, person_N = np.array([True, True, False]), np.array(["a", "a", "b"])
    found = measure_rows({"win": np.full(3, 0.9)}, {"win": None}, win_N, person_N).iloc[0]
    assert (found.balanced_accuracy_low, found.balanced_accuracy, found.balanced_accuracy_high) == (0.5, 0.5, 0.5)
    assert (found.accuracy_low, found.accuracy_high) == (0, 1)


def test_the_tables_are_of_held_out_videos_and_with_a_truth_of_test_videos(tmp_path):
    table, _ = a_corpus()
    learnt, tested = learnt_from(table), table[table.split == "test"]
    right = {v: 0.9 if has_won(v) else 0.2 for v in learnt.video_id}
    write_probabilities(tmp_path / "held_out.csv", right)
    outputs = tmp_path / "a.csv", tmp_path / "a.md"
    compare_rows(table, {"all": tmp_path / "held_out.csv"}, {"all": None}, None, *outputs)
    assert pd.read_csv(outputs[0]).loc[0, ["videos", "balanced_accuracy", "auc"]].tolist() == [12, 1, 1]
    assert "12 videos (6 wins, 6 losses) of 6 people" in outputs[1].read_text()
    assert "| all | 1.000 [1.000, 1.000] |" in outputs[1].read_text()

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
