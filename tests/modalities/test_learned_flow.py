import sys
from pathlib import Path
from urllib.error import URLError

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from fixtures.stand_ins import GREEDY, KILLER, Differences, SmallDifferences, differences
from microgesture.errors import InputError, UnusableClip
from microgesture.machine.precision import autocast
from microgesture.modalities.flow import LEARNED, make_flow
from microgesture.modalities.inference import Batches, device_named
from microgesture.modalities.learned_flow import NETWORKS, PtlFlow, Raft, flow_of_shard, padded
from microgesture.modalities.stored_flow import from_stored
from microgesture.networks.compat import prepare_torchvision
from microgesture.storage.shards import Shard, write_shard

prepare_torchvision()

from torchvision.models.optical_flow import raft_large, raft_small  # noqa: E402

ON_CPU = {"precision": "fp32", "device": "cpu"}


def noise(frames: int, height: int = 16, width: int = 24, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 200, (frames, height, width, 3), np.uint8)


@pytest.fixture(scope="module")
def small_weights(tmp_path_factory) -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    return raft_small(weights=None).state_dict()


def expected(frames_THWC: np.ndarray) -> np.ndarray:
    flow_THWC = differences(frames_THWC)
    return np.concatenate([flow_THWC, flow_THWC[-1:]])


def maker(tmp_path: Path, frames_THWC: np.ndarray, network):
    write_shard(tmp_path / "rgb", [("clip", frames_THWC)], "raw")
    return flow_of_shard(tmp_path / "rgb", lambda: network)


def test_out_of_memory_halves_the_batch_and_a_clip_that_kills_its_process_is_quarantined_alone(
    tmp_path, monkeypatch, caplog
):
    monkeypatch.setitem(NETWORKS, "raft_small", SmallDifferences)
    clips = {name: noise(40, seed=seed) for seed, name in enumerate(["first", "killer", "middle", "greedy", "last"])}
    clips["killer"][:, 0, 0] = KILLER
    clips["greedy"][:, 0, 0] = GREEDY
    write_shard(tmp_path / "rgb", [*clips.items(), ("lost", UnusableClip("lost.mp4: no such file"))], "raw")
    make_flow(tmp_path / "rgb", tmp_path / "flow", tmp_path / "scratch", backend="raft_small", weights="any")

    written = Shard(tmp_path / "flow")
    assert written.clip_ids == [*clips, "lost"]
    for name in ("first", "middle", "last"):
        np.testing.assert_array_equal(from_stored(written.read(name)), expected(clips[name]))
    assert list(written.reasons) == ["killer", "greedy", "lost"]
    assert "killer: the process that worked on it was ended by SIGKILL" in written.reasons["killer"]
    assert written.reasons["greedy"] == (
        "memory does not suffice for a single pair of frames: CUDA out of memory. Tried to allocate 2.00 GiB."
    )
    assert written.reasons["lost"] == "lost.mp4: no such file"
    halved = [text for _, _, text in caplog.record_tuples if text.startswith("out of memory")]
    assert halved[:2] == [
        f"out of memory with {n} x pair of frames at a time; continuing with {n // 2}" for n in (16, 8)
    ]


def cuda_is_full():
    raise torch.cuda.OutOfMemoryError("no words about it")


def torch_is_full():
    torch.empty(2**60, dtype=torch.uint8)


def numpy_is_full():
    np.empty(2**60, np.uint8)


@pytest.mark.parametrize("fill", [cuda_is_full, torch_is_full, numpy_is_full])
def test_every_way_of_running_out_of_memory_is_met(fill, caplog):
    def work(start, stop):
        asked.append((start, stop))
        if stop - start > 3:
            fill()
        return list(range(start, stop))

    asked: list[tuple[int, int]] = []
    batches = Batches(16, "frame")
    assert [(start, done) for start, done in batches.over(5, work)] == [(0, [0, 1]), (2, [2, 3]), (4, [4])]
    assert asked == [(0, 5), (0, 2), (2, 4), (4, 5)]
    assert caplog.messages == ["out of memory with 5 x frame at a time; continuing with 2"]
    assert len(list(batches.over(5, work))) == 3  # and it does not try again
    with pytest.raises(UnusableClip, match=r"memory .* single frame"):
        list(batches.over(2, lambda start, stop: fill()))


def test_other_errors_are_not_taken_for_want_of_memory():
    def work(start, stop):
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    with pytest.raises(RuntimeError, match="shapes"):
        list(Batches(4, "frame").over(4, work))


@pytest.mark.parametrize("length", [1, 2, 17, 18, 100])
def test_the_network_gets_every_pair_once_and_never_more_than_its_batch(tmp_path, monkeypatch, length):
    network = Differences(*[None] * 5)
    frames_THWC = noise(length)
    make = maker(tmp_path, frames_THWC, network)
    most_read = 0
    read = Shard.read

    def watched(self, clip_id, frames=None):
        nonlocal most_read
        most_read = max(most_read, length if frames is None else len(frames))
        return read(self, clip_id, frames)

    monkeypatch.setattr(Shard, "read", watched)
    stored_THWC = make("clip")
    assert stored_THWC.dtype == np.int16
    assert stored_THWC.shape == (length, 16, 24, 2)
    np.testing.assert_array_equal(from_stored(stored_THWC), expected(frames_THWC) if length > 1 else 0)
    assert sum(frames - 1 for frames, _ in network.calls) == length - 1
    assert most_read <= 17
    assert [first for _, first in network.calls] == [True, *[False] * (len(network.calls) - 1)][: len(network.calls)]


@pytest.mark.parametrize("kind", ["safetensors", "checkpoint"])
def test_raft_is_torchvisions_raft_pair_by_pair(tmp_path, small_weights, kind):
    frames_THWC = noise(3, 72, 130)  # neither multiples of 8 nor as large as RAFT needs
    path = tmp_path / f"raft.{kind}"
    if kind == "safetensors":
        save_file(small_weights, path)
    else:
        torch.save({"model": small_weights, "epoch": 3}, path)
    stored_THWC = maker(tmp_path, frames_THWC, Raft("raft_small", str(path), **ON_CPU))("clip")

    network = raft_small(weights=None).eval()
    network.load_state_dict(small_weights)
    filled_THWC = np.pad(frames_THWC, ((0, 0), (28, 28), (3, 3), (0, 0)), mode="edge")
    x_T3HW = torch.from_numpy(filled_THWC.transpose(0, 3, 1, 2).astype(np.float32)) / 127.5 - 1
    with torch.no_grad():
        pairs = [network(x_T3HW[i : i + 1], x_T3HW[i + 1 : i + 2])[-1][0] for i in range(2)]
    flow_THWC = torch.stack([*pairs, pairs[-1]]).permute(0, 2, 3, 1).numpy()[:, 28:-28, 3:-3]
    assert np.abs(flow_THWC).mean() > 0.1
    assert stored_THWC.shape == (3, 72, 130, 2)
    np.testing.assert_allclose(from_stored(stored_THWC), flow_THWC, atol=1 / 32)


def test_raft_gives_the_same_again_and_in_batches_of_any_size(tmp_path, small_weights):
    torch.save(small_weights, tmp_path / "raft.pt")
    frames_THWC = noise(4, 40, 40)
    made = []
    for pairs in (2, 2, 16):
        network = Raft("raft_small", str(tmp_path / "raft.pt"), **ON_CPU)
        network.pairs = pairs
        made.append(maker(tmp_path, frames_THWC, network)("clip").astype(int))
    np.testing.assert_array_equal(made[0], made[1])
    assert np.abs(made[2] - made[0]).max() <= 1


def test_raft_large_is_there_too(tmp_path):
    torch.manual_seed(0)
    torch.save(raft_large(weights=None).state_dict(), tmp_path / "raft.pt")
    network = Raft("raft_large", str(tmp_path / "raft.pt"), **ON_CPU)
    assert network(noise(2, 64, 64), first=True).shape == (1, 64, 64, 2)
    with pytest.raises(InputError, match=r"raft\.pt .*raft_small: Missing key"):
        Raft("raft_small", str(tmp_path / "raft.pt"), **ON_CPU)


def test_published_weights_are_fetched_by_name_once(tmp_path, monkeypatch, small_weights):
    monkeypatch.setattr(torch.hub, "_hub_dir", str(tmp_path))
    (tmp_path / "checkpoints").mkdir()
    torch.save(small_weights, tmp_path / "checkpoints/raft_small_C_T_V2-01064c6d.pth")  # as if it had been fetched
    frames_THWC = noise(2, 32, 32)
    flow_THWC = Raft("raft_small", "Raft_Small_Weights.C_T_V2", **ON_CPU)(frames_THWC, first=True)
    torch.save(small_weights, tmp_path / "raft.pt")
    from_file = Raft("raft_small", str(tmp_path / "raft.pt"), **ON_CPU)(frames_THWC, first=True)
    np.testing.assert_array_equal(flow_THWC, from_file)

    def no_network(*_, **__):
        raise URLError("Name or service not known")

    monkeypatch.setattr(torch.hub, "download_url_to_file", no_network)
    with pytest.raises(InputError, match=r"Raft_Small_Weights\.C_T_V1 .*give a file instead"):
        Raft("raft_small", "C_T_V1", **ON_CPU)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (
            "nowhere.pt",
            r"nowhere\.pt .*torchvision .*raft_small; .*C_T_V1, C_T_V2$",
        ),
        ("Raft_Large_Weights.C_T_V2", r"Raft_Large_Weights\.C_T_V2 .*torchvision .*raft_small"),
        ("broken.safetensors", r"broken\.safetensors .*safetensors file"),
    ],
)
def test_weights_that_are_not_there_are_refused(tmp_path, monkeypatch, weights, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "broken.safetensors").write_text("hello")
    with pytest.raises(InputError, match=message):
        Raft("raft_small", weights, **ON_CPU)


@pytest.mark.parametrize(("height", "width"), [(128, 128), (1, 7), (129, 250), (200, 136)])
def test_padding_is_the_least_that_fits_and_comes_off_again(height, width):
    x_T3HW = torch.rand(2, 3, height, width)
    filled_T3HW, inside = padded(x_T3HW)
    torch.testing.assert_close(filled_T3HW[inside], x_T3HW, rtol=0, atol=0)
    for side, filled in zip((height, width), filled_T3HW.shape[-2:], strict=True):
        assert filled % 8 == 0
        assert filled == 128 or 128 < filled < side + 8
    torch.testing.assert_close(filled_T3HW[..., 0, 0], x_T3HW[..., 0, 0], rtol=0, atol=0)


def test_devices_and_precisions():
    assert device_named("cpu", 1) == torch.device("cpu")
    for precision in ("fp32", "bf16", "fp16"):
        with autocast(precision, torch.device("cpu")):
            assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.float32
    if not torch.cuda.is_available():
        assert device_named("auto", 1) == torch.device("cpu")
        with pytest.raises(InputError, match="torch finds no GPU here; choose auto or cpu"):
            device_named("cuda", 1)


def test_values_that_are_no_numbers_are_never_stored(tmp_path):
    class Overflowing(Differences):
        def __call__(self, frames_THWC, first):
            flow_THWC = super().__call__(frames_THWC, first)
            flow_THWC[-1, 0, 0, 0] = np.inf if first else 0
            return flow_THWC

    make = maker(tmp_path, noise(20), Overflowing(*[None] * 5))
    with pytest.raises(UnusableClip, match=r"frame 15 .*bf16 or fp32"):
        make("clip")


def test_the_backends_that_are_announced_are_there():
    assert tuple(NETWORKS) == LEARNED


def test_without_the_package_the_command_that_installs_it_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "ptlflow", None)
    with pytest.raises(InputError, match=r'ptlflow is missing\): in the checkout, pip install "\.\[flow\]"'):
        PtlFlow("memflow", "things", **ON_CPU)
