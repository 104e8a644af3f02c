import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from microgesture.errors import InputError
from microgesture.measures.people import count_people, people_in_words, person_of
from microgesture.storage.clips import Clips
from microgesture.streams.folds import assign_folds


def clips_of(subjects, labels, splits="train", recordings=None, status="ok"):
    """One clip for each subject and label given."""
    table = pd.DataFrame({"clip_id": [f"c{n:04d}" for n in range(len(subjects))]})
    table = table.assign(subject=subjects, split=splits, status=status)
    table["recording"] = [f"r{n}" for n in range(len(subjects))] if recordings is None else recordings
    table["label"] = pd.array(labels, "Int32")
    return Clips(table, ("wave", "nod", "shrug"), ("0", "1", "2"))


def a_corpus(seed, people=9, clips=180):
    """Clips of people who differ in how much they do of what, as people do."""
    generator = np.random.default_rng(seed)
    person_N = np.sort(generator.choice(people, clips, p=generator.dirichlet(np.full(people, 5.0))))
    person_N[:people] = np.arange(people)
    taste_PK = generator.dirichlet(np.ones(3), people)
    labels = [int(generator.choice(3, p=taste_PK[person])) for person in person_N]
    return clips_of([f"s{person}" for person in person_N], labels, generator.choice(["train", "val"], clips))


@given(st.integers(0, 10_000), st.integers(2, 5))
@settings(max_examples=20, deadline=None)
def test_every_clip_is_in_one_fold_and_every_person_too(seed, folds):
    clips = a_corpus(seed)
    fold = assign_folds(clips, folds)
    assert set(fold) == set(clips.table.clip_id)
    assert set(fold.values()) == set(range(folds))
    assert clips.table.clip_id.map(fold).groupby(clips.table.subject).nunique().max() == 1


@given(st.integers(0, 10_000))
@settings(max_examples=10, deadline=None)
def test_the_order_of_the_rows_changes_nothing(seed):
    clips = a_corpus(0)
    mixed = Clips(clips.table.sample(frac=1, random_state=seed), clips.classes, clips.targets)
    assert assign_folds(mixed, 3) == assign_folds(clips, 3)


def test_folds_are_alike_in_size_and_classes():
    clips = clips_of([f"s{n // 10}" for n in range(240)], [n % 5 // 2 for n in range(240)])
    fold = clips.table.clip_id.map(assign_folds(clips, 4))
    assert fold.value_counts().tolist() == [60] * 4
    assert (pd.crosstab(fold, clips.table.label).to_numpy() == [24, 24, 12]).all()


def test_where_the_subject_is_unknown_the_recording_stays_together():
    recordings = [f"r{n // 4}" for n in range(24)]
    clips = clips_of([None] * 24, [0, 1] * 12, recordings=recordings)
    fold = clips.table.clip_id.map(assign_folds(clips, 3))
    assert fold.groupby(recordings).nunique().max() == 1
    assert fold.value_counts().tolist() == [8, 8, 8]


def test_the_recordings_of_a_single_person_are_dealt():
    recordings = [f"r{n // 2}" for n in range(24)]
    fold = clips_of(["s0"] * 24, [0, 1] * 12, recordings=recordings)
    dealt = fold.table.clip_id.map(assign_folds(fold, 3))
    assert dealt.groupby(recordings).nunique().max() == 1
    assert dealt.value_counts().tolist() == [8, 8, 8]


def test_a_recording_shows_one_person_and_a_subject_is_no_recording():
    table = clips_of(["a", None, None, "r2"], [0] * 4, recordings=["r0", "r0", "r2", "r3"]).table
    assert person_of(table).tolist() == ["subject a", "subject a", "recording r2", "subject r2"]
    assert count_people(person_of(table)) == {"subjects": 2, "recordings": 1}
    assert people_in_words(count_people(person_of(table))) == "2 subjects and 1 recording"


def test_only_usable_labelled_clips_of_train_and_val_are_dealt():
    splits = ["train", "val", "train", "val", "test", "train", "train"]
    status = ["ok"] * 5 + ["quarantined", "ok"]
    clips = clips_of([f"s{n}" for n in range(7)], [0, 0, 0, 0, None, 0, None], splits, status=status)
    assert set(assign_folds(clips, 2)) == {"c0000", "c0001", "c0002", "c0003"}


@pytest.mark.parametrize(
    ("people", "labels", "said"),
    [
        (2, [0] * 8, "2 people .* folds: 3; .* folds: 0"),
        (6, [0, 0, 1, 1, 2, 2], "no class has more than 2 .* folds: 3"),
    ],
)
def test_too_few_people_or_clips_are_refused_with_a_way_out(people, labels, said):
    clips = clips_of([f"s{n % people}" for n in range(len(labels))], labels)
    with pytest.raises(InputError, match=said):
        assign_folds(clips, 3)
