import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score, top_k_accuracy_score

from fixtures.made_up_scores import as_scores, made_up_stream
from microgesture.measures.ablation import (
    DRAWS,
    MEASURED,
    ablation_table,
    draw_people,
    everybody_and_draws,
    make_ablation,
    run_ablation,
)
from microgesture.measures.baselines import wilson_interval
from microgesture.storage.clips import Clips
from microgesture.storage.scores import Scores, write_predictions, write_scores

CLASSES = tuple(f"class {k}" for k in range(8))


def two_rows(seed=0, clips=90, people=6):
    """What a good and a poor row say, the labels, and the people, who do not do equally much."""
    good_NK, labels_N = made_up_stream(seed, clips, 8, skill=2.0)
    poor_NK, _ = made_up_stream(seed + 1, clips, 8, skill=1.0)
    person_N = np.random.default_rng(seed).integers(0, people, clips) ** 2 % people
    return {"poor": poor_NK, "good": good_NK}, labels_N, person_N


def sklearn_metrics(scores_NK, labels_N):
    predicted_N = scores_NK.argmax(1)
    return {
        "accuracy": accuracy_score(labels_N, predicted_N),
        "balanced_accuracy": balanced_accuracy_score(labels_N, predicted_N),
        "macro_f1": f1_score(labels_N, predicted_N, average="macro"),
        "macro_f1_present": f1_score(labels_N, predicted_N, labels=np.unique(labels_N), average="macro"),
        "top5": top_k_accuracy_score(labels_N, scores_NK, k=5, labels=range(8)),
    }


@pytest.mark.filterwarnings("ignore:y_pred contains classes not in y_true")
def test_intervals_are_those_of_a_loop_over_resampled_clips():
    said, labels_N, person_N = two_rows()
    table = make_ablation({"poor": None, "good": "poor"}, said, labels_N, person_N, draws=40, seed=3).set_index("name")
    people = np.unique(person_N)
    resampled = [
        np.concatenate(
            [np.flatnonzero(person_N == people[p]) for p in range(len(people)) for _ in range(int(times_P[p]))]
        )
        for times_P in draw_people(len(people), 40, seed=3)
    ]
    drawn = {
        name: pd.DataFrame([sklearn_metrics(said_NK[rows], labels_N[rows]) for rows in resampled])
        for name, said_NK in said.items()
    }
    for name, said_NK in said.items():
        for metric, value in sklearn_metrics(said_NK, labels_N).items():
            ends = np.quantile(drawn[name][metric], [0.025, 0.975])
            found = table.loc[name, [metric, f"{metric}_low", f"{metric}_high"]].astype(float)
            np.testing.assert_allclose(found, [value, *ends], rtol=1e-12, err_msg=metric)
    gains = drawn["good"].accuracy - drawn["poor"].accuracy
    np.testing.assert_allclose(
        table.loc["good", ["difference", "difference_low", "difference_high"]].astype(float),
        [table.accuracy["good"] - table.accuracy["poor"], *np.quantile(gains, [0.025, 0.975])],
        rtol=1e-12,
    )


def test_every_draw_has_as_many_people_and_all_are_alike():
    times_DP = draw_people(5, 20_000, seed=0)
    assert (times_DP.sum(1) == 5).all()
    np.testing.assert_allclose(times_DP.mean(0), 1, atol=0.03)
    np.testing.assert_allclose(times_DP.var(0), 1 - 1 / 5, atol=0.03)  # of a multinomial
    np.testing.assert_array_equal(times_DP, draw_people(5, 20_000, seed=0))
    # The tables of streams and of emotion use the same draws, in which everybody counts once first.
    np.testing.assert_array_equal(everybody_and_draws(5), [[1] * 5, *draw_people(5, DRAWS, seed=0)])
    assert draw_people(0, 3, seed=0).shape == (3, 0)


def test_the_spread_is_that_of_the_mean_over_equally_active_people():
    generator = np.random.default_rng(0)
    person_N = np.repeat(np.arange(40), 25)
    right_N = generator.random(1000) < generator.uniform(0.4, 0.9, 40)[person_N]
    labels_N = np.zeros(1000, int)
    said = {"row": np.stack([right_N, ~right_N], 1).astype(float)}
    line = make_ablation({"row": None}, said, labels_N, person_N, draws=4000).iloc[0]
    error = right_N.reshape(40, 25).mean(1).std() / np.sqrt(40)
    assert line.accuracy == right_N.mean()
    assert (line.accuracy_high - line.accuracy_low) / 2 == pytest.approx(1.96 * error, rel=0.1)


@given(st.integers(0, 1000))
@settings(max_examples=10, deadline=None)
def test_rows_that_say_the_same_do_not_differ(seed):
    said, labels_N, person_N = two_rows(seed)
    twice = {"one": said["good"], "other": 5 * said["good"] - 2}
    line = make_ablation({"one": None, "other": "one"}, twice, labels_N, person_N, draws=50).iloc[1]
    assert line[["difference", "difference_low", "difference_high"]].tolist() == [0, 0, 0]


def test_the_order_of_clips_changes_nothing():
    said, labels_N, person_N = two_rows()
    order = np.random.default_rng(0).permutation(90)
    mixed = {name: said_NK[order] for name, said_NK in said.items()}
    rows = {"poor": None, "good": "poor"}
    pd.testing.assert_frame_equal(
        make_ablation(rows, said, labels_N, person_N), make_ablation(rows, mixed, labels_N[order], person_N[order])
    )


def test_one_person_gives_binomial_intervals_of_fractions_alone():
    said, labels_N, _ = two_rows()
    table = make_ablation({"poor": None, "good": "poor"}, said, labels_N, np.zeros(90, int))
    known = {name.rpartition("_")[0] for name in table.filter(regex="_(low|high)$").dropna(axis=1)}
    assert known == {"accuracy", "top5"}
    assert (table.accuracy_low, table.accuracy_high)[0].tolist() == [
        wilson_interval(value, 90)[0] for value in table.accuracy
    ]
    assert f"| {table.macro_f1[0]:.3f} |" in ablation_table(table)


def test_the_groups_of_classes_are_measured_beside_the_classes(tmp_path):
    said, labels_N, _ = two_rows()
    write_scores(tmp_path / "val.parquet", as_scores(said["good"]))
    groups = {"one": CLASSES[:3], "two": CLASSES[3:]}
    outputs = [tmp_path / "ablation.csv", tmp_path / "ablation.md"]
    files = {"good": [tmp_path / "val.parquet"]}
    run_ablation(corpus(6, labels_N), {"good": None}, files, 0, *outputs, groups=groups)
    line = pd.read_csv(outputs[0]).iloc[0]
    group_K = np.array([0] * 3 + [1] * 5)
    group_N = softmax(said["good"], axis=1) @ np.eye(2)[group_K]
    assert line.group_accuracy == round((group_N.argmax(1) == group_K[labels_N]).mean(), 4)
    assert line.f1_mean_low < line.f1_mean < line.f1_mean_high
    assert "sum of the probabilities of its classes" in outputs[1].read_text()


def test_real_gains_are_bold():
    table = pd.DataFrame({"name": list("abcde"), "versus": [None, "a", "a", "a", "a"]})
    for metric in MEASURED:
        table = table.assign(**{metric: 0.71349, f"{metric}_low": 0.69, f"{metric}_high": 0.7351})
    ends = {"difference": [None, 0.012, -0.004, -0.02, 0.01], "difference_low": [None, 0.002, -0.01, -0.03, 0.0]}
    lines = ablation_table(table.assign(**ends, difference_high=[None, 0.021, 0.001, -0.01, 0.02])).splitlines()
    assert lines[0].startswith("|  | accuracy | balanced | macro F1 |")
    assert lines[2] == f"| a |{' 0.713 [0.690, 0.735] |' * len(MEASURED)}  |"
    assert lines[3].endswith("| **+0.012 [+0.002, +0.021]** over a |")
    assert lines[4].endswith("| -0.004 [-0.010, +0.001] over a |")
    assert lines[5].endswith("| **-0.020 [-0.030, -0.010]** over a |")
    assert lines[6].endswith("| +0.010 [+0.000, +0.020] over a |")


def corpus(subjects=6, labels_N=None):
    """Clips c0 ... c89 of train and val, then two of test without label."""
    table = pd.DataFrame({"clip_id": [f"c{n}" for n in range(92)], "status": "ok"})
    table["split"] = ["train"] * 60 + ["val"] * 30 + ["test"] * 2
    table["subject"] = [f"s{n % subjects}" for n in range(92)]
    table["recording"] = [f"r{n}" for n in range(92)]
    table["label"] = pd.array([None] * 92 if labels_N is None else [*labels_N, None, None], "Int32")
    return Clips(table, CLASSES, CLASSES)


def test_all_rows_are_measured_on_the_clips_that_all_have(tmp_path):
    said, labels_N, _ = two_rows()
    scores = as_scores(said["poor"], unusable=[5, 70])
    for fold in range(2):
        ids = {f"c{n}" for n in range(fold, 90, 2)}
        part = {clip_id: logits_K for clip_id, logits_K in scores.log_probabilities.items() if clip_id in ids}
        write_scores(tmp_path / f"fold{fold}.parquet", Scores(part, {}))
    ids = [f"c{n}" for n in range(89, -1, -1)]  # an ensemble's clips lie in an order of their own
    write_predictions(tmp_path / "held_out.parquet", ids, said["good"][::-1], np.ones(90, int))
    files = {"poor": [tmp_path / "fold0.parquet", tmp_path / "fold1.parquet"], "good": [tmp_path / "held_out.parquet"]}
    outputs = [tmp_path / "ablation.csv", tmp_path / "ablation.md"]
    run_ablation(corpus(6, labels_N), {"poor": None, "good": "poor"}, files, 2, *outputs)
    table = pd.read_csv(outputs[0]).set_index("name")
    kept = np.delete(np.arange(90), [5, 70])
    assert table.clips.tolist() == [88, 88]
    for name, said_NK in said.items():
        for metric, value in sklearn_metrics(said_NK[kept], labels_N[kept]).items():
            assert table.loc[name, metric] == round(value, 4)
    text = outputs[1].read_text()
    assert "Held-out clips of train and val, 2 folds of 6 subjects, 88 clips; 2 " in text
    assert "fitted on other people" in text
    assert text.count("\n| ") == 4


def test_without_folds_the_table_speaks_of_val(tmp_path):
    said, labels_N, _ = two_rows()
    write_scores(tmp_path / "val.parquet", Scores({f"c{n}": said["good"][n] for n in range(60, 90)}, {}))
    outputs = [tmp_path / "ablation.csv", tmp_path / "ablation.md"]
    run_ablation(corpus(1, labels_N), {"good": None}, {"good": [tmp_path / "val.parquet"]}, 0, *outputs, ["again"])
    assert pd.read_csv(outputs[0]).clips.tolist() == [30]
    text = outputs[1].read_text()
    assert text.startswith("# Ablation\n\nValidation split, 30 clips. Temperatures")
    assert "binomial intervals" in text
    assert "also trained on these clips: again." in text


def test_without_labels_the_table_is_empty_and_says_so(tmp_path):
    said, _, _ = two_rows()
    write_scores(tmp_path / "val.parquet", as_scores(said["good"]))
    outputs = [tmp_path / "ablation.csv", tmp_path / "ablation.md"]
    run_ablation(corpus(), {"good": None}, {"good": [tmp_path / "val.parquet"]}, 0, *outputs)
    assert pd.read_csv(outputs[0]).empty
    assert "No labelled clip" in outputs[1].read_text()
