"""Who is the same person, against an oracle that knows who wrote which name for whom."""

import itertools
from pathlib import PurePosixPath

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fixtures.release_files import write_lines
from microgesture.corpora import list_clips
from microgesture.errors import InputError
from microgesture.measures.people import count_people, person_of, refuse_shared_people
from microgesture.measures.warnings import corpus_warnings
from microgesture.streams.folds import assign_folds
from microgesture.study.clips import FoundClip
from microgesture.study.splits import propose_splits

SUBJECTS = (
    ("Zoë 1", "zoe\u0308 1", "ZOË 01", "Zoë  001"),
    ("Zoë 10", "zoë 010"),
    ("s1", "S01", "s\u200b1"),
    ("a", "A"),
)
FILES = 4


def spellings_of(file):
    """The names of one recording in the folder ``files``."""
    return (
        f"v{file}.npz",
        f"./v{file}.npz",
        f"v{file}.csv",
        f"linked{file}.npz",
        f"sub/v{file}.npz",
    )


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A folder with the files of some recordings, under several names each."""
    folder = tmp_path_factory.mktemp("people")
    (folder / "sub").symlink_to(".")
    for file in range(FILES):
        for suffix in ("npz", "csv"):
            (folder / f"v{file}.{suffix}").touch()
        (folder / f"linked{file}.npz").symlink_to(f"v{file}.npz")
    return folder


CLIP = st.tuples(
    st.integers(0, FILES - 1), st.integers(0, 4), st.sampled_from([None, None, 0, 1, 2, 3]), st.integers(0, 3),
    st.sampled_from(["train", "train", "val", "test"]), st.sampled_from(["wave", "nod"]),
)  # fmt: skip
MANIFESTS = st.lists(CLIP, min_size=2, max_size=14)


def may_be_one(clips):
    """For each clip the set of clips that may show the same person, by who is in them and what they are cut from."""

    def linked(one, other):
        if one[2] is not None and other[2] is not None:
            return one[2] == other[2]
        return one[0] == other[0]  # the subject of one of them is unknown

    reached = [{number} for number in range(len(clips))]
    for _ in clips:
        for one, other in itertools.product(range(len(clips)), repeat=2):
            if linked(clips[one], clips[other]):
                reached[one] |= reached[other]
    return reached


def written(clip):
    file, name, subject, spelling, split, label = clip
    names = SUBJECTS[subject] if subject is not None else ("", "  ")
    return spellings_of(file)[name], names[spelling % len(names)], split, label


def write_manifest(folder, clips):
    rows = []
    for number, clip in enumerate(clips):
        path, subject, split, label = written(clip)
        rows.append(f"c{number},{split},{subject},{label},{path},5")
    write_lines(folder / "clips.csv", ["clip_id,split,subject,label,keypoints,n_frames", *rows])


QUICK = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@QUICK
@given(MANIFESTS, st.integers(2, 3))
def test_nobody_is_in_two_splits_or_two_folds(files, drawn, folds):
    clips = [(*drawn[0][:4], "train", "wave"), *drawn]
    write_manifest(files, clips)
    groups = may_be_one(clips)
    splits = [{clips[number][4] for number in group} for group in groups]
    on_both_sides = any("test" in found and len(found) > 1 for found in splits)
    if on_both_sides:
        with pytest.raises(InputError, match="is in test and in train or val"):
            list_clips("mine", "manifest", files, 3)
    listed = list_clips("mine", "manifest", files, 3, allow_shared_subjects=on_both_sides)
    told = " ".join(corpus_warnings(listed))
    assert ("is in test and in train or val" in told) == on_both_sides
    assert ("is in train and in val" in told) == any({"train", "val"} <= found for found in splits)
    person = dict(zip(listed.table.clip_id, person_of(listed.table), strict=True))
    for number, group in enumerate(groups):
        assert {f"c{other}" for other in group} == {name for name in person if person[name] == person[f"c{number}"]}
    try:
        fold = assign_folds(listed, folds)
    except InputError:
        return  # too few people
    for group in groups:
        assert len({fold[f"c{number}"] for number in group if f"c{number}" in fold}) <= 1


@QUICK
@given(MANIFESTS)
def test_nobody_is_in_two_of_the_proposed_splits(files, clips):
    found = []
    for number, clip in enumerate(clips):
        path, subject, _, label = written(clip)
        found.append(FoundClip((), f"c{number}", None, PurePosixPath(path), label, subject.strip() or None))
    proposed, notes = propose_splits(found, files)
    groups = may_be_one(clips)
    if len(groups[0]) == len(clips):  # one person only; then no recording is in two splits
        groups = [{other for other, each in enumerate(clips) if each[0] == clip[0]} for clip in clips]
    for group in groups:
        assert len({proposed[number].split for number in group}) == 1
    assert len(notes) == 1


def table_of(rows):
    return pd.DataFrame(rows, columns=["subject", "recording", "split"])


def test_a_person_has_one_of_its_spellings_and_the_message_has_all():
    table = table_of([("s01", "a", "train"), ("S1", "b", "test"), ("t", "c", "train")])
    assert person_of(table).tolist() == ["subject S1", "subject S1", "subject t"]
    with pytest.raises(InputError, match=r"subject S1 \(written 'S1' and 's01'\) is in test and in train or val"):
        refuse_shared_people(table, "mine")


def test_a_clip_without_subject_may_show_anyone_of_its_recording():
    table = table_of([("ann", "a", "train"), ("bob", "a", "val"), (None, "a", "test"), ("cyd", "b", "test")])
    assert person_of(table).tolist() == ["subject ann or bob"] * 3 + ["subject cyd"]
    with pytest.raises(InputError, match="subject ann or bob is in test"):
        refuse_shared_people(table, "mine")
    refuse_shared_people(table[table.subject.notna()], "mine")  # two people in one recording


def test_a_recording_without_subjects_counts_as_one_person():
    table = table_of([(None, "a", "train"), (None, "a", "test"), (None, "b", "val")])
    assert count_people(person_of(table)) == {"subjects": 0, "recordings": 2}
    with pytest.raises(InputError, match="recording a is in test"):
        refuse_shared_people(table, "mine")
