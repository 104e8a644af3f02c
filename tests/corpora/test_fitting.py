"""What a list declares about its files, compared with them."""

import pytest

from fixtures.release_files import keypoints, numbered_frames, write_lines, write_npz, write_video
from fixtures.timed_videos import rate_halved, write_timed
from microgesture.corpora import list_clips

HEADER = "clip_id,split,label,video,fps,n_frames"


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus")
    write_video(folder / "a.mp4", numbered_frames(40))
    write_timed(folder / "halved.mp4", rate_halved(), rate=30)
    write_npz(folder / "a.npz", keypoints(40, 137))
    return folder


def listed(root, *rows, header=HEADER):
    write_lines(root / "clips.csv", [header, *rows])
    listed = list_clips("mine", "manifest", root, 1)
    return listed.table.set_index("clip_id"), listed.doubts


@pytest.mark.parametrize("declared", ["25", "25.3", "24.6", ""])
def test_a_rate_may_be_rounded(root, declared):
    table, doubts = listed(root, f"a,train,x,a.mp4,{declared},")
    assert table.loc["a", ["status", "fps"]].to_list() == ["ok", 25]
    assert not doubts


@pytest.mark.parametrize("declared", ["50", "24", "30", "12.5"])
def test_a_rate_that_the_video_does_not_have_is_refused(root, declared):
    table, _ = listed(root, f"a,train,x,a.mp4,{declared},")
    assert f"clips.csv, row 2: column fps: {declared} declared, 25 in a.mp4" in table.loc["a"].reason


def test_the_nominal_rate_of_a_video_whose_rate_varies_is_doubted_only(root):
    table, doubts = listed(root, "a,train,x,halved.mp4,30,")
    assert table.loc["a", ["status", "fps"]].to_list() == ["ok", 22.5]
    assert any("have another mean rate than fps" in doubt and "a (30 declared, 22.5 in" in doubt for doubt in doubts)


@pytest.mark.parametrize(("declared", "ok"), [(40, True), (45, True), (35, True), (46, False), (34, False), (1, False)])
def test_the_number_of_frames_is_that_of_the_file(root, declared, ok):
    table, doubts = listed(root, f"a,train,x,a.mp4,,{declared}")
    clip = table.loc["a"]
    assert (clip.status == "ok") == ok
    if ok:
        assert clip.n_frames == 40
        assert [f"{declared} declared, 40 in a.mp4" in doubt for doubt in doubts] == [True] * (declared != 40)
    else:
        assert f"column n_frames: {declared} declared, 40 in a.mp4" in clip.reason


def test_the_number_of_frames_of_keypoints_is_compared_too(root):
    rows = "a,train,x,a.npz,40", "b,train,x,a.npz,80"
    table, _ = listed(root, *rows, header="clip_id,split,label,keypoints,n_frames")
    assert table.status.to_list() == ["ok", "quarantined"]
    assert "80 declared, 40 in a.npz" in table.loc["b"].reason
