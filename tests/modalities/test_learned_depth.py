import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from fixtures.stand_ins import GREEDY, KILLER, Brightness, SmallBrightness
from microgesture.errors import InputError, UnusableClip
from microgesture.modalities.depth import make_depth
from microgesture.modalities.learned_depth import NETWORKS, TransformersDepth, depth_of_shard
from microgesture.modalities.steady_depth import steady
from microgesture.modalities.stored_depth import to_stored
from microgesture.networks.compat import prepare_torchvision
from microgesture.storage.clips import SCHEMA, Clips
from microgesture.storage.shards import Shard, write_shard

prepare_torchvision()

from transformers import (  # noqa: E402
    DepthAnythingConfig,
    DepthAnythingForDepthEstimation,
    Dinov2Config,
    DPTImageProcessor,
)

ON_CPU = {"precision": "fp32", "device": "cpu"}
MEAN, DEVIATION = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])  # of ImageNet


def noise(frames: int, height: int = 16, width: int = 24, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 200, (frames, height, width, 3), np.uint8)


def save_depth_anything(folder: Path, short_side: int = 56, **settings) -> DepthAnythingForDepthEstimation:
    """Depth Anything with a tiny backbone and random weights, and its image processor; returns the network."""
    torch.manual_seed(0)
    backbone = Dinov2Config(
        hidden_size=16,
        num_hidden_layers=4,
        num_attention_heads=2,
        image_size=56,
        patch_size=14,
        out_indices=[1, 2, 3, 4],
        reshape_hidden_states=False,
    )
    config = DepthAnythingConfig(
        backbone_config=backbone,
        reassemble_hidden_size=16,
        neck_hidden_sizes=[4, 4, 8, 8],
        fusion_hidden_size=8,
        head_hidden_size=4,
        **settings,
    )
    network = DepthAnythingForDepthEstimation(config).eval()
    with torch.no_grad():
        for name, tensor in network.named_parameters():
            if tensor.ndim == 4:  # the convolutions begin too small for the picture to show in the depth
                tensor.normal_(0, 0.3)
            if name == "head.conv3.bias":
                tensor.fill_(20.0)
    network.save_pretrained(folder)
    DPTImageProcessor(
        size={"height": short_side, "width": short_side},
        keep_aspect_ratio=True,
        ensure_multiple_of=14,
        image_mean=MEAN.tolist(),
        image_std=DEVIATION.tolist(),
    ).save_pretrained(folder)
    return network


def corpus(tmp_path: Path, clips: dict[str, np.ndarray | UnusableClip]) -> Clips:
    """A table of clips, and their rgb shard."""
    write_shard(tmp_path / "rgb", clips.items(), "raw")
    rows = pd.DataFrame({"clip_id": list(clips), "shard": 0, "status": "ok", "n_frames": 6})
    return Clips(rows.reindex(columns=SCHEMA.names), ("x",), ("1",))


def run_stage(tmp_path: Path, clips: Clips, **settings) -> Shard:
    common = {"backend": "transformers", "selection": "36", "size": 16, "margin": 0.2, "rgb": tmp_path / "rgb"}
    make_depth(clips, 0, None, tmp_path / "depth", tmp_path / "scratch", **common | settings)
    return Shard(tmp_path / "depth")


def still(frames: int, seed: int = 0) -> np.ndarray:
    """Frames that agree in green, and in the others do not."""
    frames_THWC = noise(frames, seed=seed)
    frames_THWC[..., 1] = frames_THWC[0, ..., 1]
    return frames_THWC


def test_out_of_memory_halves_the_batch_and_a_clip_that_kills_its_process_is_quarantined_alone(
    tmp_path, monkeypatch, caplog
):
    monkeypatch.setitem(NETWORKS, "transformers", SmallBrightness)
    frames = {name: still(40, seed) for seed, name in enumerate(["first", "killer", "middle", "greedy", "last"])}
    frames["killer"][:, 0, 0, 0] = KILLER
    frames["greedy"][:, 0, 0, 0] = GREEDY
    clips = corpus(tmp_path, {**frames, "lost": UnusableClip("lost.mp4: no such file")})
    written = run_stage(tmp_path, clips, model="any")

    assert written.clip_ids == [*frames, "lost"]
    for name in ("first", "middle", "last"):
        expected_THW = to_stored(frames[name][..., 1].astype(np.float32))
        assert np.abs(written.read(name).astype(int) - expected_THW).mean() < 8  # jpeg
    assert list(written.reasons) == ["killer", "greedy", "lost"]
    assert "killer: the process that worked on it was ended by SIGKILL" in written.reasons["killer"]
    assert written.reasons["greedy"].startswith("memory does not suffice for a single frame: CUDA out of memory.")
    assert written.reasons["lost"] == "lost.mp4: no such file"
    halved = [text for text in caplog.messages if text.startswith("out of memory")]
    assert halved[:2] == [f"out of memory with {n} x frame at a time; continuing with {n // 2}" for n in (8, 4)]


@pytest.mark.parametrize("length", [1, 8, 9, 100])
def test_each_frame_is_estimated_once_in_batches_and_brought_to_one_range(tmp_path, length):
    network = Brightness(*[None] * 4)
    frames_THWC = still(length)
    write_shard(tmp_path / "rgb", [("clip", frames_THWC)], "raw")
    stored_THW = depth_of_shard(tmp_path / "rgb", lambda: network)("clip")
    assert sum(network.calls) == length
    assert max(network.calls) <= 8
    assert stored_THW.dtype == np.uint8
    assert (stored_THW.min(), stored_THW.max()) == (0, 255)
    np.testing.assert_allclose(stored_THW, to_stored(frames_THWC[..., 1].astype(np.float32)), atol=1)


def test_depth_anything_in_the_stage_is_the_network_frame_by_frame_made_steady(tmp_path):
    network = save_depth_anything(tmp_path / "model")
    frames_THWC = noise(11, 40, 60)
    clips = corpus(tmp_path, {"clip": frames_THWC})
    stored_THW = run_stage(tmp_path, clips, model=str(tmp_path / "model"), **ON_CPU).read("clip")

    maps = []
    for frame_HWC in torch.from_numpy(frames_THWC):
        # The processor's rule: the side that needs the lesser change fits, here the width, both in multiples of 14.
        x_1CHW = frame_HWC.permute(2, 0, 1)[None].float()
        x_1CHW = torch.nn.functional.interpolate(x_1CHW, (42, 56), mode="bicubic", antialias=True)
        x_1CHW = x_1CHW.round().clamp(0, 255) / 255
        x_1CHW = (x_1CHW - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(DEVIATION).view(3, 1, 1)
        with torch.no_grad():
            depth_1HW = network(x_1CHW.float()).predicted_depth
        maps.append(torch.nn.functional.interpolate(depth_1HW[None], (40, 60), mode="bicubic")[0, 0].numpy())
    assert min(map_HW.std() for map_HW in maps) > 0.01
    expected_THW = to_stored(np.stack(list(steady(maps))))
    assert stored_THW.shape == (11, 40, 60)
    assert np.abs(stored_THW.astype(int) - expected_THW).mean() < 2  # jpeg


def test_depth_anything_gives_the_same_again_and_in_batches_of_any_size(tmp_path):
    save_depth_anything(tmp_path / "model")
    write_shard(tmp_path / "rgb", [("clip", noise(11, 40, 60))], "raw")
    made = []
    for frames in (1, 4, 4, 8):
        network = TransformersDepth(str(tmp_path / "model"), **ON_CPU)
        network.frames = frames
        made.append(depth_of_shard(tmp_path / "rgb", lambda network=network: network)("clip").astype(int))
    np.testing.assert_array_equal(made[1], made[2])
    for one in (made[0], made[3]):
        assert np.abs(one - made[1]).max() <= 1


def test_frames_go_in_as_the_image_processor_of_the_network_says(tmp_path):
    save_depth_anything(tmp_path / "model", short_side=518)
    estimate = TransformersDepth(str(tmp_path / "model"), **ON_CPU)
    seen = []
    estimate._network.register_forward_pre_hook(
        lambda _, __, inputs: seen.append(inputs["pixel_values"]), with_kwargs=True
    )
    colour = np.array([200, 100, 50])
    estimate(np.broadcast_to(colour, (1, 256, 256, 3)).astype(np.uint8))
    assert seen[0].shape == (1, 3, 518, 518)
    np.testing.assert_allclose(seen[0].mean((0, 2, 3)), (colour / 255 - MEAN) / DEVIATION, atol=1e-4)


def test_values_that_are_no_numbers_are_never_stored(tmp_path):
    class Broken(Brightness):
        def __call__(self, frames_THWC):
            return np.where(frames_THWC[..., 1] == 199, np.nan, frames_THWC[..., 1]).astype(np.float32)

    frames_THWC = noise(20).clip(0, 198)
    frames_THWC[11, 3, 5] = 199
    write_shard(tmp_path / "rgb", [("clip", frames_THWC)], "raw")
    with pytest.raises(UnusableClip, match="frame 11 is not finite"):
        depth_of_shard(tmp_path / "rgb", lambda: Broken(*[None] * 4))("clip")


def test_larger_is_nearer_or_refused(tmp_path):
    save_depth_anything(tmp_path / "metric", depth_estimation_type="metric", max_depth=20)
    with pytest.raises(InputError, match=r"metric \(depth_anything\) estimates distance"):
        TransformersDepth(str(tmp_path / "metric"), **ON_CPU)


def test_what_is_no_depth_network_is_refused(tmp_path):
    with pytest.raises(InputError, match="nowhere is not a folder with a depth network"):
        TransformersDepth(str(tmp_path / "nowhere"), **ON_CPU)
    network = save_depth_anything(tmp_path / "model")
    state = {name: tensor for name, tensor in network.state_dict().items() if name != "head.conv1.weight"}
    network.save_pretrained(tmp_path / "model", state_dict=state)
    with pytest.raises(InputError, match=r"lacks 1 .*head\.conv1\.weight"):
        TransformersDepth(str(tmp_path / "model"), **ON_CPU)
    (tmp_path / "model/config.json").unlink()
    with pytest.raises(InputError, match="model is not a folder with a depth network"):
        TransformersDepth(str(tmp_path / "model"), **ON_CPU)


def test_the_stage_needs_rgb_frames(tmp_path):
    clips = corpus(tmp_path, {"clip": noise(2)})
    with pytest.raises(InputError, match=r"'transformers' .*this corpus has no video"):
        run_stage(tmp_path, clips, model="any", rgb=None)


def test_without_the_package_the_command_that_installs_it_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(InputError, match=r'transformers is missing\): in the checkout, pip install "\.\[depth\]"'):
        TransformersDepth("any", **ON_CPU)
