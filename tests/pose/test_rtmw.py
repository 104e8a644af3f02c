"""RTMW through rtmlib, with two tiny networks in the input and output form of the published ones."""

import importlib.util
import json
import sys
from functools import partial

import numpy as np
import pytest
from typer.testing import CliRunner

from fixtures.posed_clips import posed_clips
from fixtures.release_files import write_video
from microgesture.cli import app
from microgesture.errors import InputError
from microgesture.modalities.keypoints import select_keypoints
from microgesture.pose.mapping import NAMES
from microgesture.pose.methods import Pose, finder
from microgesture.pose.videos import keypoints_of_videos
from microgesture.pose.wholebody import LAYOUT, WHOLEBODY, in_openpose_order
from microgesture.skeletons.person import only
from microgesture.storage.clips import write_clips
from microgesture.storage.shards import Shard

PACKAGES = ("rtmlib", "onnxruntime", "onnx")
needs_rtmw = pytest.mark.skipif(
    not all(map(importlib.util.find_spec, PACKAGES)), reason=f"{', '.join(PACKAGES)} are not installed"
)
SIDE, WIDTH, HEIGHT = 416, 192, 256  # of the picture that the detector sees, and of a person's crop
# Each of the 133 points is at the same place of every crop, in half pixels, and the last one has a low score.
BINS_V2 = np.random.default_rng(0).integers((80, 120), (2 * WIDTH - 80, 2 * HEIGHT - 120), (133, 2))
SCORE_V = np.r_[np.full(132, 0.8), 0.1]
PEOPLE = ("red", "green")  # the detector finds what has these colours


def save(path, nodes, inputs, outputs, constants):
    from onnx import TensorProto, checker, helper, numpy_helper, save_model

    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in inputs.items()],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in outputs.items()],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    checker.check_model(model)
    save_model(model, path)


def save_detector(path):
    """Two boxes (1, 2, 5) with scores: of what is red, and of what is green, in a picture in OpenCV's order BGR."""
    from onnx import helper

    make, nodes, rows = helper.make_node, [], []
    for name in PEOPLE:
        nodes += [
            make("Gather", ["picture", f"{name}_channel"], [f"{name}_one"], axis=1),
            make("ReduceMean", ["picture"], [f"{name}_mean"], axes=[1], keepdims=0),
            make("Sub", [f"{name}_one", f"{name}_mean"], [f"{name}_above"]),
            make("Greater", [f"{name}_above", "threshold"], [f"{name}_is"]),
            make("Cast", [f"{name}_is"], [f"{name}_mask"], to=1),
            make("ReduceMax", [f"{name}_mask"], [f"{name}_score"], axes=[1, 2], keepdims=0),
        ]
        for axis, over in (("x", 1), ("y", 2)):
            nodes += [make("ReduceMax", [f"{name}_mask"], [f"{name}_{axis}"], axes=[over], keepdims=0)]
            for end, last in (("low", 0), ("high", 1)):
                found = f"{name}_{axis}_{end}"
                nodes += [
                    make("ArgMax", [f"{name}_{axis}"], [f"{found}_i"], axis=1, keepdims=0, select_last_index=last),
                    make("Cast", [f"{found}_i"], [found], to=1),
                ]
        parts = [f"{name}_{axis}_{end}" for end in ("low", "high") for axis in "xy"] + [f"{name}_score"]
        nodes.append(make("Concat", parts, [f"{name}_row"], axis=0))
        rows.append(f"{name}_row")
    nodes += [make("Concat", rows, ["flat"], axis=0), make("Reshape", ["flat", "shape"], ["dets"])]
    constants = {"threshold": np.float32(40), "shape": np.array([1, 2, 5]), "red_channel": 2, "green_channel": 1}  # BGR
    save(path, nodes, {"picture": [1, 3, SIDE, SIDE]}, {"dets": [1, 2, 5]}, constants)


def save_network(path, points=133):
    from onnx import helper

    nodes = [helper.make_node("ReduceMean", ["crop"], ["mean"], axes=[1, 2, 3], keepdims=0)]
    nodes += [helper.make_node("Mul", ["mean", "zero"], ["nothing"])]
    constants, outputs = {"zero": np.float32(0)}, {}
    for axis, (name, size) in enumerate((("simcc_x", 2 * WIDTH), ("simcc_y", 2 * HEIGHT))):
        simcc_V = np.zeros((1, points, size), np.float32)
        simcc_V[0, np.arange(points), BINS_V2[:points, axis]] = SCORE_V[:points]
        constants[f"{name}_fixed"] = simcc_V
        nodes.append(helper.make_node("Add", [f"{name}_fixed", "nothing"], [name]))
        outputs[name] = [1, points, size]
    save(path, nodes, {"crop": [1, 3, HEIGHT, WIDTH]}, outputs, constants)


@pytest.fixture(scope="module")
def networks(tmp_path_factory):
    folder = tmp_path_factory.mktemp("networks")
    save_detector(folder / "detector.onnx")
    save_network(folder / "wholebody.onnx")
    return folder


def walkers(frames=36, size=(SIDE, 240)):
    """Pictures of a red and a green block that walk through each other, and their boxes (T, 2, 4); empty at the end."""
    pictures_THWC = np.full((frames + 2, size[1], size[0], 3), 90, np.uint8)
    boxes_TP4 = np.zeros((frames + 2, 2, 4), int)
    for t in range(frames):
        for person, left in enumerate((20 + 8 * t, size[0] - 100 - 8 * t)):
            top, height = (40, 150) if person == 0 else (60, 110)
            boxes_TP4[t, person] = left, top, left + 60, top + height
            colour = [0, 0, 0]
            colour[person] = 255
            pictures_THWC[t, top : top + height, left : left + 60] = colour
    return pictures_THWC, boxes_TP4


def expected(box_4):
    """The points (133, 2) in pixels: the box with a quarter more on both sides, widened to the shape of a crop."""
    low_2, high_2 = np.array(box_4[:2], float), np.array(box_4[2:], float)
    width, height = 1.25 * (high_2 - low_2)
    width, height = max(width, height * WIDTH / HEIGHT), max(height, width * HEIGHT / WIDTH)
    return (low_2 + high_2) / 2 + (BINS_V2 / (2 * WIDTH, 2 * HEIGHT) - 0.5) * (width, height)


@needs_rtmw
def test_everybody_is_found_where_they_are_and_followed_through_each_other(networks, tmp_path):
    pictures_THWC, boxes_TP4 = walkers()
    write_video(tmp_path / "walk.mp4", pictures_THWC, fps=25)
    [(_, followed)] = keypoints_of_videos({tmp_path / "walk.mp4": [(0, 37)]}, Pose("rtmw", str(networks)))
    red, green = (only(followed.keypoints_TPVC, track) for track in followed.tracks)
    assert not followed.keypoints_TPVC[36:].any()
    column = NAMES.index("left elbow")
    for person, alone_TVC in enumerate((red, green)):
        for t in (0, 10, 35):  # apart
            point_2 = expected(boxes_TP4[t, person])[WHOLEBODY.index("left elbow")]
            np.testing.assert_allclose(alone_TVC[t, column], [*point_2, 0.8], atol=4)  # of a lossy video
        there_T = alone_TVC[:36, column, 2] > 0
        assert there_T.mean() > 0.7  # green hides most of red in the middle
    assert not red[:, NAMES.index(WHOLEBODY[132])].any()  # not confident
    assert len(followed.tracks) == 2


@needs_rtmw
def test_the_command_stores_everybody_and_clips_have_the_largest(networks, tmp_path):
    write_video(tmp_path / "walk.mp4", walkers()[0], fps=25)
    clips = posed_clips(("a", "walk.mp4", 0, 12))
    write_clips(tmp_path / "clips.parquet", clips)
    settings = json.dumps({"root": str(tmp_path), "pose": "rtmw", "pose_weights": str(networks)})
    command = ["pose", "--settings", settings, "--clips", str(tmp_path / "clips.parquet"), "--shard", "0"]
    done = CliRunner().invoke(app, [*command, "--output", str(tmp_path / "skeletons.arrow")])
    assert done.exit_code == 0, done.output
    select_keypoints(clips, 0, tmp_path / "skeletons.arrow", tmp_path / "out", tmp_path / "scratch", "22")
    made = Shard(tmp_path / "out")
    assert made.note("a")["people"] == 2
    assert made.read("a")[:, 0, 0].max() < SIDE / 2  # red, which is taller, on the left


@needs_rtmw
@pytest.mark.parametrize("fault", ["none", "one", "detectors", "damaged", "points"])
def test_a_folder_without_the_two_networks_is_a_sentence(networks, tmp_path, fault):
    makers = {"none": [], "one": [save_network], "detectors": [save_detector, save_detector]}
    makers |= {"damaged": [save_detector, lambda path: path.write_bytes(b"no network")]}
    makers |= {"points": [save_detector, partial(save_network, points=17)]}
    for number, make in enumerate(makers[fault]):
        make(tmp_path / f"{number}.onnx")
    with pytest.raises(InputError, match=str(tmp_path)):
        finder(Pose("rtmw", str(tmp_path)))


@needs_rtmw
def test_without_a_connection_it_is_a_sentence(tmp_path, monkeypatch):
    from rtmlib.tools import file as downloads

    from microgesture.pose import rtmw

    def offline(*_, **__):
        raise OSError("no route to host")

    monkeypatch.setattr(rtmw, "user_cache_path", lambda *_, **__: tmp_path)
    monkeypatch.setattr(downloads, "urlopen", offline)
    with pytest.raises(InputError, match=r"no route to host.*pose_weights"):
        finder(Pose("rtmw"))


def test_without_rtmlib_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "rtmlib", None)
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "rtmlib" else found(name))
    with pytest.raises(InputError, match=r'pip install "\.\[rtmw\]"'):
        finder(Pose("rtmw"))


def test_points_of_the_whole_body_keep_their_names_and_means_their_least_sure_point():
    rng = np.random.default_rng(0)
    points_PVC = rng.uniform(0.1, 1, (3, 133, 3)).astype(np.float32)
    points_PVC[1, WHOLEBODY.index("left hip")] = 0
    found_PVC = in_openpose_order(points_PVC)
    assert len(set(WHOLEBODY)) == 133
    assert set(NAMES) - set(WHOLEBODY) - set(LAYOUT.table.means) == {"left pupil", "right pupil"}
    for name in WHOLEBODY:
        np.testing.assert_array_equal(found_PVC[:, NAMES.index(name)], points_PVC[:, WHOLEBODY.index(name)])
    hips_PSC = points_PVC[:, [WHOLEBODY.index("left hip"), WHOLEBODY.index("right hip")]]
    middle_PC = found_PVC[:, NAMES.index("mid hip")]
    np.testing.assert_allclose(middle_PC[[0, 2], :2], hips_PSC[[0, 2], :, :2].mean(1), rtol=1e-6)
    np.testing.assert_array_equal(middle_PC[[0, 2], 2], hips_PSC[[0, 2], :, 2].min(1))
    assert not middle_PC[1].any()
    assert not found_PVC[:, NAMES.index("left pupil")].any()
