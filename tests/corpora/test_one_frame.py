"""A clip of a single frame is a clip, in every format."""

from fixtures.release_files import (
    keypoints,
    numbered_frames,
    write_lines,
    write_ma52,
    write_miga,
    write_npz,
    write_smg,
    write_video,
)
from microgesture.corpora import list_clips


def frames_of(root, format, clip_id):
    """First and last frame and the number of frames of a clip, which must be usable."""
    clip = list_clips("mine", format, root, 4).table.set_index("clip_id").loc[clip_id]
    assert clip.status == "ok"
    return int(clip.start), int(clip.end), int(clip.n_frames)


def test_in_the_formats_of_the_releases(tmp_path):
    write_miga(tmp_path / "miga", {"train/0012": ["1,7,7", "2,0,0", "3,39,39"], "validate/0001": ["2,3,12"]})
    assert [frames_of(tmp_path / "miga", "miga", f"0012_{row}") for row in range(3)] == [
        (7, 7, 1),
        (0, 0, 1),
        (39, 39, 1),
    ]
    write_smg(tmp_path / "smg", {"train/Sample0001": ["1,7,8", "2,39,40"], "validate/Sample0031": ["2,3,12"]})
    assert [frames_of(tmp_path / "smg", "smg", f"Sample0001_{row}") for row in range(2)] == [(7, 7, 1), (39, 39, 1)]
    names = {"train": ["0003_01_0001.mp4 9", "0004_01_0001.mp4 0"], "val": ["0005_01_0003.mp4 9"], "test": []}
    write_ma52(tmp_path / "ma52", names, frames=1)
    assert frames_of(tmp_path / "ma52", "ma52", "0003_01_0001") == (0, 0, 1)


def test_in_a_table_of_ones_own(tmp_path):
    write_video(tmp_path / "long.mp4", numbered_frames(10), fps=30)
    write_video(tmp_path / "one.mp4", numbered_frames(1), fps=30)
    for name, frames in (("long", 10), ("one", 1)):
        write_npz(tmp_path / f"{name}.npz", keypoints(frames, 137))
    rows = ["a,train,wave,long.{0},3,3", "b,train,nod,one.{0},,", "c,val,nod,long.{0},9,9"]
    for column, suffix in (("video", "mp4"), ("keypoints", "npz")):
        header = f"clip_id,split,label,{column},start,end"
        write_lines(tmp_path / "clips.csv", [header, *(row.format(suffix) for row in rows)])
        assert [frames_of(tmp_path, "manifest", clip_id) for clip_id in "abc"] == [(3, 3, 1), (0, 0, 1), (9, 9, 1)]
    counted = ["clip_id,split,label,n_frames,video", "b,train,nod,1,one.mp4", "c,val,nod,1,one.mp4"]
    write_lines(tmp_path / "clips.csv", counted)
    assert frames_of(tmp_path, "manifest", "b") == (0, 0, 1)
