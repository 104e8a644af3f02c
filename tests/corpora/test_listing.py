import sys
from types import SimpleNamespace

import pytest

from fixtures.release_files import keypoints, numbered_frames, write_npz, write_video
from microgesture.config.corpora import ManifestCorpus
from microgesture.corpora import list_clips, provides
from microgesture.corpora.listing import Listing, Row, walk
from microgesture.errors import InputError

COLUMNS = ["start", "end", "video_start", "skeleton_start"]


@pytest.fixture
def table_of(monkeypatch, tmp_path):
    """The clips table of rows that a reader returns, in a folder with long.mp4 and long.npz of 20 frames."""
    write_video(tmp_path / "long.mp4", numbered_frames(20), fps=30)
    write_video(tmp_path / "cut.mp4", numbered_frames(5), fps=30)
    write_npz(tmp_path / "long.npz", keypoints(20, 137))

    def table(*rows, asked="table"):
        reader = SimpleNamespace(read=lambda root: Listing(list(rows), ("nod", "wave"), ("0", "1")))
        monkeypatch.setitem(sys.modules, "my_reader", reader)
        monkeypatch.setattr(ManifestCorpus, "module", "my_reader")
        if asked == "provides":
            return provides("manifest", tmp_path)
        return list_clips("mine", "manifest", tmp_path, 2).table.set_index("clip_id")

    return table


def row(clip_id="a", split="train", **fields):
    return Row(clip_id, f"list.txt, row {clip_id}", "long", split, **{"label": 0} | fields)


def test_a_part_of_a_long_file_begins_there_at_its_start(table_of):
    both = {"video": "long.mp4", "skeleton": "long.npz"}
    cut = {"video": "cut.mp4", "video_start": 0, "skeleton": "long.npz"}
    rows = table_of(row("a", start=7, end=11, **both), row("b", start=7, end=11, **cut), row("c", start=3, **both))
    assert (rows.status == "ok").all()
    assert rows.loc["a", COLUMNS].to_list() == [7, 11, 7, 7]
    assert rows.loc["b", COLUMNS].to_list() == [7, 11, 0, 7]
    assert rows.loc["c", COLUMNS].to_list() == [3, 19, 3, 3]


def test_an_unknown_split_is_refused_with_row_and_value(table_of):
    for asked in ("table", "provides"):
        with pytest.raises(InputError, match=r"list\.txt, row b.*'dev'.*train, val, test"):
            table_of(row("a", video="long.mp4"), row("b", "dev", video="long.mp4"), asked=asked)


@pytest.mark.parametrize("label", [-1, 2, 0.5, "nod"])
def test_a_label_that_is_no_index_of_a_class_is_refused_with_row_and_value(table_of, label):
    with pytest.raises(InputError, match=rf"list\.txt, row b.*{label!r}.*0\.\.1"):
        table_of(row("a", video="long.mp4"), row("b", label=label, video="long.mp4"))


def test_a_link_out_of_a_corpus_is_named_and_not_followed(tmp_path, caplog):
    corpus, elsewhere = tmp_path / "corpus", tmp_path / "corpus-2"
    for file in (corpus / "train/a.mp4", elsewhere / "b.mp4"):
        file.parent.mkdir(parents=True)
        file.touch()
    (corpus / "out").symlink_to(elsewhere)
    (corpus / "root").symlink_to("/")
    (corpus / "up").symlink_to("..")
    (corpus / "val").symlink_to(corpus / "train")
    (tmp_path / "link").symlink_to(corpus)
    for root in (corpus, tmp_path / "link"):
        assert [path.name for path in walk(root)] == ["a.mp4"]
        assert f"{root}/out (and 2 more)" in caplog.text
