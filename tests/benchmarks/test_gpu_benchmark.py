"""The benchmark of networks, in small and on the CPU."""

import importlib.util
from pathlib import Path

import pytest
import torch
import yaml

from microgesture.config.networks import PoseConv3DSettings, VideoSwinSettings

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def benchmark():
    spec = importlib.util.spec_from_file_location("gpu_benchmark", ROOT / "benchmarks/gpu.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def configfile(tmp_path):
    pair = {"frames": 2, "size": 32, "heatmap_frames": 8, "heatmap_size": 8, "batch_size": 4, "micro_batch_size": 2}
    network = {
        "joint": {"name": "poseconv3d", "width": 4},
        "video": {"name": "video_swin", "width": 8, "depths": [1, 1]},
    }
    two_paths = {"name": "rgbposeconv3d", "video_width": 4, "heatmap_width": 4}
    streams = {
        "joint": {"input": "joint", "network": network["joint"], "recipe": "heatmaps"},
        "both": {"input": ["rgb", "limb"], "network": two_paths, "recipe": "pair"},
        "rgb": {"input": "rgb", "network": network["video"], "recipe": "video"},
        "taylor": {"input": "taylor", "network": network["video"], "recipe": "video"},
        "flow": {"input": "flow", "network": network["video"], "recipe": "other"},
    }
    video = {"frames": 4, "size": 32, "batch_size": 2, "precision": "bf16"}
    config = {
        "corpora": {"own": {"format": "manifest", "root": "own"}},
        "recipes": {
            "heatmaps": {"frames": 4, "size": 16, "batch_size": 2},
            "video": video,
            "other": {**video, "optimizer": "adamw", "clip_norm": None},
            "pair": pair,
        },
        "streams": {name: {"corpus": "own", **stream} for name, stream in streams.items()},
        "ensembles": {"all": {"streams": list(streams)}},
        "submission": {"ensemble": "all"},
    }
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(config, sort_keys=False))
    return path


def test_each_network_is_measured_in_each_way(benchmark, configfile, tmp_path, capsys):
    results = tmp_path / "RESULTS.md"
    results.write_text("## Another device\n")
    benchmark.main(["--configfile", f"{configfile}", "--device", "cpu", "--steps", "1", "--results", f"{results}"])
    text = results.read_text()
    assert text == "## Another device\n" + capsys.readouterr().out
    assert "\n## CPU (" in text
    table = [[cell.strip() for cell in row.strip("|").split("|")] for row in text.splitlines() if row.startswith("|")]
    assert table[0] == list(benchmark.COLUMNS)
    measured = table[2:]
    assert [row[:3] for row in measured[::2]] == [
        ["poseconv3d", "joint", "2"],
        ["rgbposeconv3d", "rgb, limb", "2"],  # micro_batch_size
        ["video_swin tiny", "rgb", "2"],  # and taylor, whose steps are the same
        ["video_swin tiny", "flow", "2"],
    ]
    assert [row[4] for row in measured] == ["fp32, eager", "fp32, channels last"] * 4  # never bf16 on a CPU
    for row in measured:
        milliseconds, clips_a_second = float(row[5]), float(row[6])
        assert clips_a_second == pytest.approx(2000 / milliseconds, rel=0.1)
        assert 0 < float(row[8].rstrip("%")) < 100


def test_operations_are_the_published_ones(benchmark):
    # 88 GFLOPs for Video Swin-T, and as mmaction2 lists it 20.6 for PoseConv3D with 17 joints at the size of testing.
    # Both are multiply-adds, and theirs have pooling and norms in them.
    swin = VideoSwinSettings(name="video_swin")
    assert benchmark.flops_of_step(swin, [(1, 3, 32, 224, 224)], training=False) / 2e9 == pytest.approx(88, rel=0.005)
    pose = PoseConv3DSettings(name="poseconv3d")
    forward = benchmark.flops_of_step(pose, [(1, 17, 48, 64, 64)], training=False)
    assert forward / 2e9 == pytest.approx(20.6, rel=0.02)
    # Backward is the gradient of the weights and of the features, each as much as forward, but not of the input.
    step = benchmark.flops_of_step(pose, [(3, 17, 48, 64, 64)])
    stem = 2 * 17 * 32 * 49 * 48 * 64 * 64
    assert step == pytest.approx(3 * (3 * forward - stem))


@pytest.mark.parametrize(
    ("name", "tera"),
    [
        ("NVIDIA H100 80GB HBM3", 989),
        ("NVIDIA H100 PCIe", 756),
        ("NVIDIA A100-SXM4-80GB", 312),
        ("NVIDIA L40S", 362),
        ("NVIDIA L4", 121),
        ("NVIDIA GH200 480GB", 989),
        ("NVIDIA GeForce RTX 4090", 165),
    ],
)
def test_peaks_are_found_by_the_name_of_the_device(benchmark, name, tera):
    assert benchmark.bf16_peak(name, torch.device("cpu")) == (tera * 1e12, "by its data sheet")


def test_the_peak_of_an_unknown_device_is_measured(benchmark):
    peak, source = benchmark.bf16_peak("NVIDIA A10", torch.device("cpu"))
    assert peak > 0
    assert source == "measured with 512 x 512"
