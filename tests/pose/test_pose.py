import importlib.util
import os
import re
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from fixtures.posed_clips import posed_clips
from fixtures.project import ROOT
from fixtures.release_files import write_video
from fixtures.skeletons import named
from microgesture.cli import app
from microgesture.corpora import list_clips
from microgesture.demo.people import Framing, draw_recording, draw_subject, idle, render
from microgesture.errors import InputError, UnusableClip
from microgesture.modalities.keypoints import select_keypoints
from microgesture.pose import holistic, making, methods, videos
from microgesture.pose.making import make_pose
from microgesture.pose.mapping import SIZES, in_openpose_order, origins
from microgesture.pose.methods import Pose
from microgesture.pose.videos import keypoints_of_videos
from microgesture.pose.world import points_in_space
from microgesture.skeletons.keypoints import hands_swapped
from microgesture.skeletons.layouts import layout_named, mirrored_name
from microgesture.storage.clips import write_clips
from microgesture.storage.shards import Shard
from microgesture.videos.reading import decode
from microgesture.workflow import health
from microgesture.workflow.plan import Plan

needs_mediapipe = pytest.mark.skipif(
    importlib.util.find_spec("mediapipe") is None, reason="the extra microgesture[pose] is not installed"
)
MEDIAPIPE = Pose("mediapipe")
NAMES = layout_named("openpose_137").names
REAL_DATA = os.environ.get("MICROGESTURE_DATA")
CLIPS = {"test_0005": (24, "left"), "train_0033": (29, "right")}  # frames, and the hand that signs
# MediaPipe's own numbering of the body: nose, then right after left, but for the eyes' three points.
BODY_MIRROR = [0, 4, 5, 6, 1, 2, 3, 8, 7, 10, 9, *(n + 1 if n % 2 else n - 1 for n in range(11, 33))]


def random_parts(frames: int = 4, seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    parts = {part: rng.uniform(1, 100, (frames, size, 3)) for part, size in SIZES.items()}
    for part_TVC in parts.values():
        part_TVC[..., 2] = rng.uniform(0.5, 1, part_TVC.shape[:2])
    return parts


def of(keypoints: np.ndarray, name: str) -> np.ndarray:
    return keypoints[..., NAMES.index(name), :]


def test_each_point_of_openpose_has_its_own_source_in_mediapipe():
    assert tuple(origin.name for origin in origins()) == NAMES
    for origin in origins():
        assert (origin.part is None) == (origin.of == ())
        assert all(0 <= point < SIZES[origin.part] for point in origin.of)
    assert [origin.name for origin in origins() if origin.part is None] == ["left small toe", "right small toe"]
    sources = [(origin.part, origin.of) for origin in origins() if origin.part]
    assert len(set(sources)) == len(sources)


def test_mirrored_points_of_body_and_hands_come_from_mirrored_points():
    named = {origin.name: origin for origin in origins()}
    for name, origin in named.items():
        other = named[mirrored_name(name)]
        if origin.part in ("left hand", "right hand"):
            assert (other.part, other.of) == (mirrored_name(origin.part), origin.of)
        elif origin.part == "pose":
            assert sorted(other.of) == sorted(BODY_MIRROR[point] for point in origin.of)
        else:
            assert other.part == origin.part
            assert len(other.of) == len(origin.of)


def test_means_are_as_sure_as_their_least_sure_point():
    parts = random_parts()
    parts["pose"][1, 12] = 0  # the right shoulder
    keypoints_TVC = in_openpose_order(parts)
    right, left = of(keypoints_TVC, "right shoulder"), of(keypoints_TVC, "left shoulder")
    neck = of(keypoints_TVC, "neck")
    assert not neck[1].any()
    assert not right[1].any()
    assert left[1].all()
    np.testing.assert_allclose(neck[[0, 2, 3], :2], ((right + left) / 2)[[0, 2, 3], :2], rtol=1e-6)
    np.testing.assert_allclose(neck[[0, 2, 3], 2], np.minimum(right, left)[[0, 2, 3], 2])
    assert not of(keypoints_TVC, "left small toe").any()
    np.testing.assert_allclose(keypoints_TVC[:, 95:116], parts["left hand"], rtol=1e-6)
    np.testing.assert_allclose(keypoints_TVC[:, 116:], parts["right hand"], rtol=1e-6)


def test_a_mirrored_person_has_mirrored_keypoints():
    parts = random_parts()
    mirrored = {"pose": parts["pose"][:, BODY_MIRROR], "face": parts["face"]}
    mirrored |= {"left hand": parts["right hand"], "right hand": parts["left hand"]}
    before_TVC, after_TVC = in_openpose_order(parts), in_openpose_order(mirrored)
    for origin in origins():
        if origin.part != "face":
            np.testing.assert_allclose(of(after_TVC, mirrored_name(origin.name)), of(before_TVC, origin.name))


def manifest(folder: Path, columns: str, *rows: str) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "clips.csv").write_text("\n".join((columns, *rows)) + "\n")
    return folder


def raw_config(root: Path, **corpus: object) -> dict:
    network = {"name": "stcnn", "widths": [4], "strides": [1]}
    return {
        "corpora": {"own": {"format": "manifest", "root": str(root), **corpus}},
        "keypoints": {"selection": "22"},
        "recipes": {"small": {"frames": 8, "epochs": 1}},
        "streams": {"skeleton": {"corpus": "own", "input": "skeleton", "network": network, "recipe": "small"}},
        "ensembles": {"final": {"streams": ["skeleton"]}},
        "submission": {"ensemble": "final"},
    }


def test_a_corpus_of_videos_has_keypoints_once_they_are_asked_for(tmp_path):
    videos = manifest(tmp_path / "videos", "clip_id,split,label,video", "a,train,wave,a.mp4")
    with pytest.raises(InputError, match=r"corpora\.own\.pose: mediapipe"):
        Plan(raw_config(videos))
    plan = Plan(raw_config(videos, pose="mediapipe"))
    assert plan.provides("own") == {"video", "keypoints"}
    assert plan.posed == ["own"]
    assert Plan(raw_config(videos, pose="mediapipe_world")).provides("own") == {"video", "keypoints", "metres"}
    both = manifest(tmp_path / "both", "clip_id,split,label,video,keypoints", "a,train,wave,a.mp4,a.npz")
    with pytest.raises(InputError, match=r"already has keypoints; .*corpora\.own\.pose"):
        Plan(raw_config(both, pose="mediapipe"))
    skeletons = manifest(tmp_path / "skeletons", "clip_id,split,label,keypoints", "a,train,wave,a.npz")
    with pytest.raises(InputError, match=r"corpora\.own\.pose"):
        Plan(raw_config(skeletons, pose="mediapipe"))


@pytest.mark.slow
def test_snakemake_finds_keypoints_in_videos_and_reads_no_skeleton_files(tmp_path):
    root = manifest(tmp_path / "videos", "clip_id,split,label,video", "a,train,wave,a.mp4")
    config = tmp_path / "config.yaml"
    config.write_text(yaml.safe_dump({**raw_config(root, pose="mediapipe"), "shards": 3}))
    command = ["-n", "--snakefile", ROOT / "Snakefile", "--configfile", config, "--directory", tmp_path, "--cores", "1"]
    planned = subprocess.run(
        [sys.executable, "-m", "snakemake", *map(str, command)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    counts = Counter({rule: int(n) for rule, n in re.findall(r"^(\w+) +(\d+)$", planned.stdout, re.MULTILINE)})
    assert counts["make_pose"] == counts["make_keypoints"] == 3
    assert counts["read_skeletons"] == 0


def test_a_video_stands_for_its_skeleton_file(tmp_path):
    columns = "clip_id,split,label,video,start,end"
    root = manifest(tmp_path, columns, "a,train,wave,talk.mp4,3,5", "b,train,nod,talk.mp4,9,12")
    (root / "talk.mp4").write_bytes(b"no video")
    without = list_clips("own", "manifest", root, 1).table
    listed = list_clips("own", "manifest", root, 1, pose="mediapipe").table
    assert without.skeleton.isna().all()
    assert list(listed.skeleton) == ["talk.mp4", "talk.mp4"]
    assert list(listed.skeleton_start) == list(listed.video_start) == [3, 9]


def test_without_mediapipe_a_sentence_says_what_to_install(tmp_path, monkeypatch):
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "mediapipe" else found(name))
    with pytest.raises(InputError, match=r'pip install "\.\[pose\]"'):
        methods.finder(MEDIAPIPE)
    with pytest.raises(InputError, match=r'pip install "\.\[pose\]"'):
        next(keypoints_of_videos({tmp_path / "a.mp4": [(0, 2)]}, MEDIAPIPE))
    with pytest.raises(InputError, match=r'pip install "\.\[pose\]"'):
        make_pose(
            posed_clips(("a", "a.mp4", 0, 3)), 0, tmp_path, tmp_path / "out.arrow", tmp_path / "scratch", MEDIAPIPE
        )
    assert not (tmp_path / "out.arrow").exists()
    config = Plan(raw_config(manifest(tmp_path / "own", "clip_id,split,label,video"), pose="mediapipe")).config
    (finding,) = health.needed_files(config)
    assert finding.stops
    assert finding.about == "corpora.own.pose"
    assert 'pip install ".[pose]"' in finding.text


def test_a_mediapipe_that_cannot_do_it_is_told_apart(monkeypatch):
    monkeypatch.setitem(sys.modules, "mediapipe", ModuleType("mediapipe"))
    with pytest.raises(InputError, match=r'this version of MediaPipe .* pip install "\.\[pose\]"'):
        keypoints_of_frames([])


def stand_in(pose: Pose):
    """What looks at no frame: each point is where the number of the frame says."""

    def find(video: Path, spans: list[tuple[int, int]]) -> Iterator[tuple[int, np.ndarray]]:
        frames = {frame for first, last in spans for frame in range(first, last + 1)}
        for index in sorted(frames):
            if video.name == "deadly.mp4" and index == 6:
                os._exit(3)
            if video.name == "damaged.mp4" and index == 8:
                raise UnusableClip(f"{video}: frame 8 is corrupt")
            yield index, np.full((137, 3), 0 if video.name == "empty.mp4" else index + 1, np.float32)

    return find


@pytest.fixture
def made(tmp_path, monkeypatch) -> Callable[..., tuple[Shard, Shard]]:
    """What makes the shards of skeletons and of keypoints of some clips."""
    monkeypatch.setattr(videos, "finder", stand_in)
    monkeypatch.setattr(videos, "require", lambda pose: None)
    monkeypatch.setattr(making, "require", lambda pose: None)

    def make(*rows: tuple[str, str, int, int]) -> tuple[Shard, Shard]:
        skeletons, cut = tmp_path / "skeletons.arrow", tmp_path / "keypoints.arrow"
        make_pose(posed_clips(*rows), 0, tmp_path, skeletons, tmp_path / "scratch", MEDIAPIPE)
        select_keypoints(posed_clips(*rows), 0, skeletons, cut, tmp_path / "scratch2", "22")
        return Shard(skeletons), Shard(cut)

    return make


def test_recordings_are_kept_by_their_video_and_a_bad_one_costs_only_its_clips(made):
    stored, keypoints = made(
        ("a", "talk.mp4", 2, 3), ("b", "talk.mp4", 7, 2), ("c", "deadly.mp4", 0, 20), ("d", "damaged.mp4", 5, 14),
        ("e", "whole.mp4", 0, 6), ("f", "empty.mp4", 0, 9), ("g", "empty.mp4", 5, 7),
    )  # fmt: skip
    assert stored.clip_ids == ["damaged.mp4", "deadly.mp4", "empty.mp4", "talk.mp4", "whole.mp4"]
    assert stored.read("talk.mp4")[:, 0, 0].tolist() == [0, 0, 3, 4, 5, 0, 0, 8, 9]
    assert "frame 8 is corrupt" in stored.reason("damaged.mp4")
    assert "exit status 3" in stored.reason("deadly.mp4")
    assert "empty.mp4: MediaPipe found no person" in stored.reason("empty.mp4")
    assert keypoints.read("b")[:, 0, 0].tolist() == [8, 9]
    assert keypoints.read("e").shape == (6, 22, 3)
    assert set(keypoints.reasons) == {"c", "d", "f", "g"}


def test_clips_that_end_before_a_video_is_damaged_keep_their_keypoints(made):
    stored, keypoints = made(
        ("a", "damaged.mp4", 0, 5), ("b", "damaged.mp4", 3, 5), ("c", "damaged.mp4", 3, 20),
        ("d", "deadly.mp4", 1, 4), ("e", "deadly.mp4", 6, 9), ("f", "deadly.mp4", 20, 2), ("g", "whole.mp4", 0, 6),
    )  # fmt: skip
    assert not stored.reasons
    assert keypoints.read("a")[:, 0, 0].tolist() == [1, 2, 3, 4, 5]
    assert keypoints.read("b")[:, 0, 0].tolist() == [4, 5, 6, 7, 8]
    assert keypoints.read("d")[:, 0, 0].tolist() == [2, 3, 4, 5]
    assert set(keypoints.reasons) == {"c", "e", "f"}


def distances(edges: frozenset[tuple[int, int]], start: int) -> dict[int, int]:
    """How many edges each point of a mesh is away."""
    neighbours = defaultdict(set)
    for a, b in edges:
        neighbours[a].add(b)
        neighbours[b].add(a)
    found, waiting = {start: 0}, [start]
    for point in waiting:
        for other in neighbours[point] - found.keys():
            found[other] = found[point] + 1
            waiting.append(other)
    return found


@needs_mediapipe
def test_the_points_of_the_face_lie_alike_in_mediapipes_mesh():
    from mediapipe.python.solutions import face_mesh_connections as mesh

    anchors = {10: 10, 152: 152, 4: 4, 168: 168, 33: 263, 263: 33, 61: 291, 291: 61}
    away = {anchor: distances(mesh.FACEMESH_TESSELATION, anchor) for anchor in anchors}
    named = {origin.name: origin.of[0] for origin in origins() if origin.part == "face"}
    pupils = {named.pop(f"{side} pupil") for side in ("right", "left")}
    assert pupils == {468, 473}
    for name, point in named.items():
        other = named[mirrored_name(name)]
        assert [away[a][point] for a in anchors] == [away[b][other] for b in anchors.values()], name
    for side, parts in (
        ("right", (mesh.FACEMESH_RIGHT_EYE, mesh.FACEMESH_RIGHT_EYEBROW)),
        ("left", (mesh.FACEMESH_LEFT_EYE, mesh.FACEMESH_LEFT_EYEBROW)),
    ):
        for kind, edges in zip(("eye ", "brow "), parts, strict=True):
            points = {point for name, point in named.items() if name.startswith(f"{side} {kind}")}
            assert points < {point for edge in edges for point in edge}


def keypoints_of_frames(frames):
    """Keypoints (T, 137, 3) of frames that follow each other, in this process."""
    found = [found_VC for _, found_VC in holistic.holistic_points(holistic.imported_mediapipe(), enumerate(frames))]
    return np.stack(found) if found else np.zeros((0, len(NAMES), 3), np.float32)


def landmarks(points_VC):
    names = ("x", "y", "z", "visibility")
    return SimpleNamespace(landmark=[SimpleNamespace(**dict(zip(names, point, strict=True))) for point in points_VC])


def test_world_landmarks_are_pixels_and_metres_and_missing_together():
    rng = np.random.default_rng(0)
    seen_VC, placed_VC = rng.uniform(0.1, 0.9, (33, 4)), rng.uniform(-1, 1, (33, 4))
    seen_VC[:, 3] = 0.8
    seen_VC[11, 3] = 0.4  # the left shoulder is hidden
    seen_VC[0, 0] = 1.2  # the nose is outside
    answer = SimpleNamespace(pose_landmarks=landmarks(seen_VC), pose_world_landmarks=landmarks(placed_VC))
    found_VC = points_in_space(answer, 640, 480)
    names = layout_named("mediapipe_pose").names
    assert found_VC.shape == (len(names), 6)
    for missing in ("left shoulder", "nose", "neck"):
        assert not found_VC[names.index(missing)].any()
    hips = [names.index("left hip"), names.index("right hip")]
    expected_HC = np.column_stack((seen_VC[23:25, :2] * (640, 480), [0.8, 0.8], placed_VC[23:25, :3]))
    np.testing.assert_allclose(found_VC[hips], expected_HC, rtol=1e-5)
    np.testing.assert_allclose(found_VC[names.index("mid hip")], expected_HC.mean(0), rtol=1e-5)
    nobody = points_in_space(SimpleNamespace(pose_landmarks=None, pose_world_landmarks=None), 640, 480)
    assert nobody.shape == found_VC.shape
    assert not nobody.any()


@needs_mediapipe
def test_a_drawn_person_has_the_size_of_a_person_in_metres():
    frames, true_TVC = drawn_person(4, 5, (640, 480))
    pose = holistic.imported_mediapipe().solutions.pose
    found = holistic.each_frame(enumerate(frames), lambda: pose.Pose(model_complexity=1), points_in_space)
    found_TVC = np.stack([found_VC for _, found_VC in found])
    names = layout_named("mediapipe_pose").names
    left, right = (found_TVC[:, names.index(f"{side} shoulder")] for side in ("left", "right"))
    assert (left[:, 2] > 0).all()
    assert ((left[:, 3] - right[:, 3] > 0.2) & (left[:, 3] - right[:, 3] < 0.6)).all()  # metres; they face the camera
    assert (found_TVC[:, names.index("nose"), 4] < left[:, 4]).all()  # y points down
    apart_T = np.linalg.norm(left[:, :2] - of(true_TVC, "left shoulder")[:, :2], axis=-1)
    assert apart_T.max() < 60


def drawn_person(frames: int, seed: int, size: tuple[int, int]) -> tuple[list[np.ndarray], np.ndarray]:
    """Someone at a desk, from near, and where all points were drawn."""
    rng = np.random.default_rng(seed)
    recording = draw_recording(rng, draw_subject(rng), size, Framing((0.25, 0.26), (0.44, 0.45)))
    return render(recording, idle(rng, frames, 25), size)


@needs_mediapipe
def test_where_nobody_is_in_the_picture_points_are_missing(tmp_path):
    person, _ = drawn_person(3, 5, (320, 240))
    empty = [np.full_like(person[0], 128)] * 3
    keypoints_TVC = keypoints_of_frames([*person, *empty, *person])
    found_T = (keypoints_TVC[..., 2] > 0).any(1)
    assert found_T.tolist() == [True] * 3 + [False] * 3 + [True] * 3
    assert not keypoints_TVC[~found_T].any()
    assert keypoints_of_frames([]).shape == (0, 137, 3)


@needs_mediapipe
def test_a_shard_holds_the_same_bytes_whatever_was_looked_at_before(tmp_path):
    person, _ = drawn_person(3, 5, (320, 240))
    other, _ = drawn_person(2, 7, (320, 240))
    write_video(tmp_path / "person.mp4", person)
    write_video(tmp_path / "other.mp4", other)
    write_video(tmp_path / "empty.mp4", [np.full_like(person[0], 128)] * 2)
    (tmp_path / "damaged.mp4").write_bytes((tmp_path / "person.mp4").read_bytes()[:900])
    alone = posed_clips(("p", "person.mp4", 0, 3))
    after = posed_clips(
        ("d", "damaged.mp4", 0, 3), ("e", "empty.mp4", 0, 2), ("o", "other.mp4", 0, 2), ("p", "person.mp4", 0, 3)
    )
    stored = {}
    for name, clips in (("alone", alone), ("after", after)):
        clips_file, output = tmp_path / f"{name}.parquet", tmp_path / f"{name}.arrow"
        write_clips(clips_file, clips)
        settings = f'{{"root": "{tmp_path}"}}'
        command = ["pose", "--settings", settings, "--clips", str(clips_file), "--shard", "0", "--output", str(output)]
        done = CliRunner().invoke(app, command)
        assert done.exit_code == 0, done.output
        stored[name] = Shard(output)
    found_TVC = stored["alone"].read("person.mp4")
    assert (found_TVC[..., 2] > 0).any(1).all()
    assert stored["after"].read("person.mp4").tobytes() == found_TVC.tobytes()
    assert set(stored["after"].reasons) == {"damaged.mp4", "empty.mp4"}
    assert "found no person" in stored["after"].reason("empty.mp4")


@needs_mediapipe
@pytest.mark.parametrize("seed", [3, 5])
def test_drawn_people_have_their_points_where_they_were_drawn(seed):
    frames, true_TVC = drawn_person(6, seed, (640, 480))
    keypoints_TVC = keypoints_of_frames(frames)
    both_TV = (keypoints_TVC[..., 2] > 0) & (true_TVC[..., 2] > 0)
    apart_TV = np.linalg.norm((keypoints_TVC - true_TVC)[..., :2], axis=-1)
    shoulders = np.linalg.norm((of(true_TVC, "left shoulder") - of(true_TVC, "right shoulder"))[:, :2], axis=-1).mean()
    body = [NAMES.index(name) for name in ("nose", "neck", "right shoulder", "left shoulder", "right eye", "left ear")]
    for part in (body, slice(25, 95)):
        assert both_TV[:, part].any(0).mean() > 0.75
        assert np.median(apart_TV[:, part][both_TV[:, part]]) < 0.06 * shoulders


@needs_mediapipe
@pytest.mark.skipif(not REAL_DATA, reason="MICROGESTURE_DATA names no folder with karsl70")
@pytest.mark.parametrize("clip", CLIPS)
def test_real_people_have_their_points_where_they_belong(clip):
    n_frames, signing = CLIPS[clip]
    frames = list(decode(Path(REAL_DATA, f"karsl70/videos/{clip}.mp4"), 0, n_frames - 1))[::3]
    keypoints_TVC = keypoints_of_frames(frames)
    seen_TV = keypoints_TVC[..., 2] > 0
    assert seen_TV[:, 25:95].all()  # the face
    assert seen_TV[:, [name.startswith(f"{signing} middle") for name in NAMES]].all()
    x, y = ({name: float(of(keypoints_TVC, name)[..., axis].mean()) for name in NAMES} for axis in (0, 1))
    for name in ("shoulder", "eye outer corner", "eye inner corner", "pupil", "lip corner", "brow 0", "jaw 2"):
        assert x[f"right {name}"] < x["nose tip"] < x[f"left {name}"]  # who faces the camera
    for side in ("right", "left"):
        for upper, lower in pairwise((f"{side} brow 2", f"{side} pupil", "nose tip", "upper lip", "lower lip", "chin")):
            assert y[upper] < y[lower]
    assert y["chin"] < y["neck"]
    assert not hands_swapped(named(keypoints_TVC))
    # A hand ends at its own wrist.
    wrist, hand = (of(keypoints_TVC, f"{signing} {name}") for name in ("wrist", "hand wrist"))
    both = (wrist[:, 2] > 0) & (hand[:, 2] > 0)
    shoulders = abs(x["left shoulder"] - x["right shoulder"])
    assert np.median(np.linalg.norm((wrist - hand)[both, :2], axis=1)) < shoulders / 4
    np.testing.assert_array_equal(keypoints_of_frames(frames), keypoints_TVC)


@needs_mediapipe
@pytest.mark.skipif(not REAL_DATA, reason="MICROGESTURE_DATA names no folder with karsl70")
def test_in_a_mirror_left_is_right():
    frames = list(decode(Path(REAL_DATA, "karsl70/videos/train_0033.mp4"), 0, 11))
    straight_TVC, mirrored_TVC = (
        keypoints_of_frames(frames),
        keypoints_of_frames(np.ascontiguousarray(frame[:, ::-1]) for frame in frames),
    )
    width = frames[0].shape[1]
    swapped = [NAMES.index(mirrored_name(name)) for name in NAMES]
    back_TVC = mirrored_TVC[:, swapped]
    back_TVC[..., 0] = width - back_TVC[..., 0]
    both_TV = (straight_TVC[..., 2] > 0) & (back_TVC[..., 2] > 0)
    assert both_TV[:, 116:].all()  # the right hand
    assert not (straight_TVC[:, 95:116, 2] > 0).any()
    assert not (back_TVC[:, 95:116, 2] > 0).any()
    apart_TV = np.linalg.norm((straight_TVC - back_TVC)[..., :2], axis=-1)
    for part in (slice(0, 8), slice(25, 95), slice(116, 137)):
        assert np.median(apart_TV[:, part][both_TV[:, part]]) < 0.03 * width
