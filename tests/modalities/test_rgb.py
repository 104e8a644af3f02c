import os
import re
import signal
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from fixtures.release_files import numbered_frames, textured_frames, write_lines, write_video
from microgesture.corpora import list_clips
from microgesture.errors import UnusableClip
from microgesture.modalities import decoded
from microgesture.modalities.cutting import cutter
from microgesture.modalities.decoded import cut_clips, cut_video
from microgesture.modalities.rgb import make_rgb
from microgesture.storage.shards import Shard, write_shard
from microgesture.videos.isolation import Isolated
from microgesture.videos.person_box import crop, person_box
from microgesture.videos.reading import decode

HEADER = "clip_id,split,label,video,start,end"


@pytest.fixture
def corpus(tmp_path):
    """Three overlapping clips of one recording, not in the order of time, and one of another."""
    root = tmp_path / "corpus"
    write_video(root / "a.mp4", textured_frames(30), movflags="faststart")
    write_video(root / "b.mp4", numbered_frames(8))
    rows = ["late,train,x,a.mp4,12,29", "early,train,x,a.mp4,0,9", "middle,train,x,a.mp4,5,14", "b,test,,b.mp4,,"]
    write_lines(root / "clips.csv", [HEADER, *rows])
    return root


def listed(root):
    return list_clips("mine", "manifest", root, 1)


def made(root, keypoints=None, size=60, margin=0.2):
    output = root.parent / "rgb.arrow"
    make_rgb(listed(root), 0, root, keypoints, output, root.parent / "scratch", size, margin)
    return Shard(output)


def test_clips_are_their_frames_resized(corpus):
    shard = made(corpus)
    assert shard.clip_ids == ["late", "early", "middle", "b"]
    assert not shard.reasons
    for clip in listed(corpus).table.itertuples():
        source = np.stack(list(decode(corpus / clip.video, clip.start, clip.end)))
        stored = shard.read(clip.clip_id)
        expected = np.stack([crop(frame, person_box(None, frame.shape[1], frame.shape[0], 0), 60) for frame in source])
        assert stored.shape == (clip.n_frames, 60, 80, 3)
        assert np.abs(stored.astype(int) - expected).mean() < 3


def test_the_crop_follows_the_person_of_the_whole_clip(corpus):
    """A bright disc moves through the picture: with points around it, it stays inside and the camera stays still."""
    points_TVC = np.ones((10, 2, 3), np.float32)
    for t in range(10):
        points_TVC[t, :, :2] = [(20 + t, 40), (60 + t, 80)]
    keypoints = corpus.parent / "keypoints.arrow"
    none = UnusableClip("no skeleton")
    entries = [("late", none), ("early", points_TVC), ("middle", np.zeros((10, 2, 3), np.float32)), ("b", none)]
    write_shard(keypoints, entries, "zstd")
    shard = made(corpus, keypoints)
    assert {clip_id: shard.shape(clip_id)[1:3] for clip_id in shard.clip_ids} == {
        "late": (60, 80),
        "early": (60, 60),
        "middle": (60, 80),
        "b": (60, 80),
    }
    assert made(corpus, keypoints, margin=None).shape("early")[1:3] == (60, 80)  # full frames
    box = person_box(points_TVC, 160, 120, 0.2)
    expected = np.stack([crop(frame, box, 60) for frame in decode(corpus / "a.mp4", 0, 9)])
    assert np.abs(shard.read("early").astype(int) - expected).mean() < 3


def test_only_the_clips_that_need_a_damaged_frame_are_lost(corpus):
    data = (corpus / "a.mp4").read_bytes()
    clips = listed(corpus)
    (corpus / "a.mp4").write_bytes(data[: len(data) * 4 // 5])
    make_rgb(clips, 0, corpus, None, corpus.parent / "rgb.arrow", corpus.parent / "scratch", 60, 0.2)
    shard = Shard(corpus.parent / "rgb.arrow")
    assert list(shard.reasons) == ["late"]
    assert "a.mp4" in shard.reason("late")
    assert "frame" in shard.reason("late")
    assert shard.shape("early")[0] == shard.shape("middle")[0] == 10


def test_a_clip_without_video_says_so(corpus):
    clips = listed(corpus)
    clips.table.loc[clips.table.clip_id == "b", "video"] = None
    make_rgb(clips, 0, corpus, None, corpus.parent / "rgb.arrow", corpus.parent / "scratch", 60, 0.2)
    assert "b: recording b has no video" in Shard(corpus.parent / "rgb.arrow").reason("b")


def test_a_killed_job_goes_on_with_the_clips_it_lacks(corpus, monkeypatch):
    whole = made(corpus).path.read_bytes()
    cut = []

    def dying(video, spans, isolated):
        yield next(cut_video(video, spans, isolated))
        raise KeyboardInterrupt

    def noting(video, spans, isolated):
        cut.append((video.name, spans))
        return cut_video(video, spans, isolated)

    monkeypatch.setattr(decoded, "cut_video", dying)
    (corpus.parent / "rgb.arrow").unlink()
    with pytest.raises(KeyboardInterrupt):
        made(corpus)
    monkeypatch.setattr(decoded, "cut_video", noting)
    assert made(corpus).path.read_bytes() == whole
    assert cut == [("a.mp4", {"late": range(12, 30), "middle": range(5, 15)}), ("b.mp4", {"b": range(8)})]


def test_each_video_is_decoded_once_and_clips_come_as_they_end(corpus, monkeypatch):
    opened = []

    class Noting(Isolated):
        def each(self, video, spans, seconds):
            opened.append(video.name)
            return super().each(video, spans, seconds=seconds)

    with Noting(partial(cutter, None, 60, 0.2)) as isolated:
        order = [clip_id for clip_id, _ in cut_clips(listed(corpus).table, corpus, isolated)]
    assert opened == ["a.mp4", "b.mp4"]
    assert order == ["early", "middle", "late", "b"]


def dying(frame: int, again: bool, notes: Path):
    """A cutter whose process dies at a frame: each time, or only at the first."""

    def cut(video, spans):
        for clip_id, made in cutter(None, 60, 0.2)(video, spans):
            index = spans[clip_id][0] + sum(1 for one in seen if one == clip_id)
            seen.append(clip_id)
            if index == frame and (again or not notes.exists()):
                notes.touch()
                os.kill(os.getpid(), signal.SIGKILL)
            yield clip_id, made

    seen: list[str] = []
    return cut


SPANS = {"late": range(12, 30), "early": range(10), "middle": range(5, 15), "long": range(8, 26)}


@pytest.mark.parametrize(
    ("frame", "again", "lost"),
    [(7, False, ["early"]), (13, False, ["middle"]), (13, True, ["late", "long", "middle"]), (28, True, ["late"])],
)
def test_a_process_that_dies_costs_the_clip_it_died_of(corpus, tmp_path, frame, again, lost):
    """If it dies at the same frame again, all clips that need the frame are lost, as with a damaged one."""
    with Isolated(partial(cutter, None, 60, 0.2)) as isolated:
        whole = dict(cut_video(corpus / "a.mp4", SPANS, isolated))
    with Isolated(partial(dying, frame, again, tmp_path / "died")) as isolated:
        cut = dict(cut_video(corpus / "a.mp4", SPANS, isolated))
    assert cut.keys() == SPANS.keys()
    assert sorted(clip_id for clip_id, made in cut.items() if isinstance(made, UnusableClip)) == lost
    for clip_id in lost:
        assert re.search(r"a\.mp4: the process that worked on it was ended by SIGKILL", str(cut[clip_id]))
    for clip_id in SPANS.keys() - set(lost):
        np.testing.assert_array_equal(cut[clip_id], whole[clip_id])


def test_a_clip_that_would_not_fit_into_memory_is_refused_before_it_is_tried(corpus):
    """The end of a clip comes from a list, and may be anything."""
    with Isolated(partial(cutter, None, 60, 0.2)) as isolated:
        cut = dict(cut_video(corpus / "a.mp4", {"endless": range(3, 2**31 - 1), "early": range(10)}, isolated))
    assert "endless: 2147483644 frames of 80 x 60 pixels take more than 4 GiB" in str(cut["endless"])
    assert cut["early"].shape == (10, 60, 80, 3)


def test_a_video_for_which_memory_runs_out_costs_itself_only(corpus, monkeypatch):
    write_video(corpus / "b.mp4", numbered_frames(2, 4000, 4000), codec="mpeg4")
    monkeypatch.setattr(decoded, "DECODER_MEMORY", 2**26)
    shard = made(corpus)
    assert list(shard.reasons) == ["b"]
    assert re.search(r"b\.mp4: (memory ran out|.*Cannot allocate memory)", shard.reason("b"))
