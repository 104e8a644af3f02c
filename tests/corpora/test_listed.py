"""The files of a listing: which of them an edit of a corpus changes."""

import os
import shutil

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fixtures.own_clips import write_own_clips
from microgesture.corpora import declare, folder_of, list_clips, measure, versions
from microgesture.corpora.labelled import joined, labelled
from microgesture.corpora.listed import listing_digest, read_declared, read_labels_of, read_rows, refresh_listing
from microgesture.demo.corpus import make_demo
from microgesture.storage.clips import Clips, read_clips, write_clips

SHARDS = 8
DEMO = {"seed": 1, "subjects": dict(train=3, val=1, test=1), "clips": dict(train=9, val=3, test=3), "frame": (64, 64)}
LISTS = {"miga": "*_label.csv", "smg": "*_finelabels.csv", "ma52": "*_list_videos.txt", "manifest": "clips.csv"}


class Corpus:
    """A small corpus with its listing; ``refresh`` returns the names of the files that changed, and the sentences."""

    def __init__(self, format, root, results):
        self.format, self.root = format, root
        self.listed, self.measured = results / "listed", results / "measured"
        self.refresh()

    def refresh(self, watch_files=True):
        before = {path.name: path.stat().st_mtime_ns for path in self.listed.glob("*.parquet")}
        listing = declare("mine", self.format, self.root)
        told = refresh_listing(self.listed, self.measured, listing, folder_of(self.root), SHARDS, watch_files)
        after = {path.name: path.stat().st_mtime_ns for path in self.listed.glob("*.parquet")}
        return {name.removesuffix(".parquet") for name, time in after.items() if before.get(name) != time}, told

    def measure(self):
        """Do what the jobs do: open the files of each shard, and keep their digests."""
        self.measured.mkdir(exist_ok=True)
        for shard in range(SHARDS):
            rows = read_rows(self.listed / f"{shard:04d}.parquet")
            paths = [path for row in rows for path in (row.video, row.skeleton) if path]
            digests = versions.digests_of(paths, folder_of(self.root))
            table = measure(rows, folder_of(self.root), "mine")[0].assign(shard=shard)
            write_clips(self.measured / f"{shard:04d}.parquet", Clips(table, (), (), digests))

    def files(self):
        rows = [row for path in sorted(self.listed.glob("0*.parquet")) for row in read_rows(path)]
        return sorted({self.root / path for row in rows for path in (row.video, row.skeleton) if path})


@pytest.fixture(scope="module")
def originals(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpora")
    for layout in ("miga", "smg", "ma52"):
        make_demo(folder / layout, truth=folder / "truth.csv", layout=layout, workers=1, **DEMO)
    write_own_clips(folder / "manifest", folder / "scratch", workers=1, **DEMO)
    return folder


@pytest.fixture(params=LISTS)
def corpus(request, originals, tmp_path):
    shutil.copytree(originals / request.param, tmp_path / "corpus")
    return Corpus(request.param, tmp_path / "corpus", tmp_path / "results")


def lists(corpus):
    return sorted(corpus.root.rglob(LISTS[corpus.format]))


def test_a_list_in_another_order_changes_only_the_places_of_its_rows(corpus):
    if corpus.format in ("miga", "smg"):
        pytest.skip("the rows of these lists are numbered by their order")
    for path in lists(corpus):
        head, *rows = path.read_text().splitlines()
        rows = [head, *reversed(rows)] if corpus.format == "manifest" else [*reversed(rows), head]
        path.write_text("\n".join(rows) + "\n")
    assert corpus.refresh() == ({"declared"}, [])


def test_nothing_changes_without_an_edit_nor_with_new_times_nor_in_a_copy(corpus, tmp_path):
    assert corpus.refresh() == (set(), [])
    corpus.measure()
    for path in corpus.root.rglob("*"):
        os.utime(path)
    assert corpus.refresh() == (set(), [])
    shutil.copytree(corpus.root, tmp_path / "copy", copy_function=shutil.copyfile)
    shutil.rmtree(corpus.root)
    (tmp_path / "copy").rename(corpus.root)
    assert corpus.refresh() == (set(), [])


def test_a_file_with_a_new_time_is_read_only_once(corpus, monkeypatch):
    corpus.measure()
    os.utime(corpus.files()[0])
    read = []
    whole = versions.file_digest
    monkeypatch.setattr(versions, "file_digest", lambda path: read.append(path) or whole(path))
    assert corpus.refresh() == (set(), [])
    assert corpus.refresh() == (set(), [])
    assert read == [corpus.files()[0]]


def test_a_replaced_file_changes_the_shards_of_its_clips_alone(corpus):
    corpus.measure()
    path = corpus.files()[-1]
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)  # of the same size
    changed, told = corpus.refresh()
    holders = {
        shard.stem
        for shard in corpus.listed.glob("0*.parquet")
        for row in read_rows(shard)
        if path in (corpus.root / (row.video or ""), corpus.root / (row.skeleton or ""))
    }
    assert changed == holders
    assert told == [f"1 replaced file, first {path.relative_to(corpus.root)}"]


@given(place=st.integers(0, 2 * versions.BLOCK * versions.BLOCKS - 1))
@settings(max_examples=20, deadline=None)
def test_one_number_that_is_edited_in_a_large_table_of_keypoints_is_noticed(tmp_path_factory, place):
    path = tmp_path_factory.mktemp("keypoints") / "long.csv"
    content = bytearray(b"0" * 2 * versions.BLOCK * versions.BLOCKS)
    path.write_bytes(content)
    before = versions.file_digest(path)
    content[place] = ord("1")
    path.write_bytes(content)
    assert versions.file_digest(path) != before


def test_files_that_are_not_watched_keep_their_versions(corpus):
    path = corpus.files()[0]
    path.write_bytes(path.read_bytes() + b"\0")
    assert corpus.refresh(watch_files=False) == (set(), [])
    assert corpus.refresh()[0] != set()


def test_a_clip_less_in_the_lists_changes_its_shard_and_its_part(corpus):
    path = next(path for path in lists(corpus) if len(path.read_text().splitlines()) > 2)
    before = {part: listing_digest(corpus.listed, part, SHARDS) for part in ("train", "test")}
    lines = path.read_text().splitlines()
    path.write_text("\n".join(lines[:-1]) + "\n")
    changed, told = corpus.refresh()
    assert told == ["1 clip gone"]
    parts = changed & {"train", "test"}
    assert len(parts) == 1
    assert len(changed - parts - {"declared"}) == 1
    after = {part: listing_digest(corpus.listed, part, SHARDS) for part in ("train", "test")}
    assert {part for part in before if before[part] != after[part]} == parts


def test_the_parts_join_to_the_table_of_all_clips(corpus):
    corpus.measure()
    parts = []
    for part in ("test", "train"):
        told, classes, targets = read_labels_of(corpus.listed / f"{part}.parquet")
        measured = [read_clips(path).table for path in sorted(corpus.measured.glob("*.parquet"))]
        parts.append(Clips(labelled(told, measured), classes, targets, {f"{part}.mp4": part}))
    together = joined(parts, read_declared(corpus.listed / "declared.parquet"))
    whole = list_clips("mine", corpus.format, corpus.root, SHARDS)
    assert (together.classes, together.targets) == (whole.classes, whole.targets)
    assert together.digests == {"test.mp4": "test", "train.mp4": "train"}
    assert together.table.astype(object).fillna("").equals(whole.table.astype(object).fillna(""))
