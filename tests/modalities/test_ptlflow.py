import importlib.util

import numpy as np
import pytest
import torch

from microgesture.errors import InputError
from microgesture.modalities.flow import make_flow
from microgesture.modalities.learned_flow import PtlFlow
from microgesture.modalities.stored_flow import from_stored
from microgesture.networks.compat import prepare_torchvision
from microgesture.storage.shards import Shard, write_shard

prepare_torchvision()
ptlflow = pytest.importorskip("ptlflow", reason="the extra microgesture[flow] is not installed")

ON_CPU = {"precision": "fp32", "device": "cpu"}


def noise(frames: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 200, (frames, 48, 56, 3), np.uint8)


def random_weights(model: str, path) -> torch.nn.Module:
    """A network with random weights, which are saved as a plain state dict."""
    torch.manual_seed(0)
    network = ptlflow.get_model(model).eval()
    with torch.no_grad():
        for name, tensor in network.named_parameters():
            if name.endswith("aggregator.gamma"):
                tensor.fill_(10.0)  # what the memory says has no weight at first
    torch.save(network.state_dict(), path)
    return network


def as_ptlflow_wants(frames_THWC: np.ndarray) -> torch.Tensor:
    """Blue, green, red in 0..1, and edges repeated to 128 x 128."""
    filled_THWC = np.pad(frames_THWC, ((0, 0), (40, 40), (36, 36), (0, 0)), mode="edge")
    return torch.from_numpy(np.ascontiguousarray(filled_THWC[..., ::-1].transpose(0, 3, 1, 2)).astype(np.float32) / 255)


def cut(flows_B12HW: torch.Tensor) -> np.ndarray:
    return flows_B12HW[:, 0, :, 40:-40, 36:-36].permute(0, 2, 3, 1).numpy()


@pytest.mark.parametrize("model", ["raft_small", "sea_raft_s"])
def test_pairs_are_estimated_in_batches_as_one_by_one(tmp_path, model):
    network = random_weights(model, tmp_path / "weights.pt")
    frames_THWC = noise(4)
    found = PtlFlow(model, str(tmp_path / "weights.pt"), **ON_CPU)
    assert found.pairs > 1
    flow_THWC = found(frames_THWC, first=True)
    x_T3HW = as_ptlflow_wants(frames_THWC)
    with torch.no_grad():
        pairs = [cut(network({"images": x_T3HW[None, i : i + 2]})["flows"]) for i in range(3)]
    assert np.abs(flow_THWC).mean() > 0.01
    np.testing.assert_allclose(flow_THWC, np.concatenate(pairs), atol=1e-2)


def test_memflow_remembers_within_a_clip_and_forgets_between_clips(tmp_path):
    network = random_weights("memflow", tmp_path / "weights.pt")
    clips = {"one": noise(4), "two": noise(3, seed=1), "again": noise(4)}
    write_shard(tmp_path / "rgb", clips.items(), "raw")
    settings = {"backend": "ptlflow", "model": "memflow", "weights": str(tmp_path / "weights.pt")}
    make_flow(tmp_path / "rgb", tmp_path / "flow", tmp_path / "scratch", **settings, **ON_CPU)

    written = Shard(tmp_path / "flow")
    assert written.reasons == {}
    np.testing.assert_array_equal(written.read("one"), written.read("again"))
    stored_THWC = written.read("one")
    np.testing.assert_array_equal(stored_THWC[3], stored_THWC[2])

    x_T3HW = as_ptlflow_wants(clips["one"])
    flows = []
    network.clear_memory()
    with torch.no_grad():
        for i in range(3):
            where = {"is_seq_start": i == 0, "is_seq_end": i == 2}
            flows.append(cut(network({"images": x_T3HW[None, i : i + 2], "meta": where})["flows"])[0])
        network.clear_memory()
        alone = cut(network({"images": x_T3HW[None, 2:4]})["flows"])[0]
    np.testing.assert_allclose(from_stored(stored_THWC[:3]), np.stack(flows), atol=1 / 32)
    assert np.abs(alone - flows[2]).max() > 0.1  # the memory does tell


def test_a_checkpoint_of_ptlflows_brings_its_settings(tmp_path):
    network = random_weights("memflow", tmp_path / "weights.pt")
    checkpoint = {"state_dict": network.state_dict(), "hyper_parameters": {"train_avg_length": 1234}}
    torch.save(checkpoint, tmp_path / "memflow.ckpt")
    assert PtlFlow("memflow", str(tmp_path / "memflow.ckpt"), **ON_CPU)._network.train_avg_length == 1234


def test_what_ptlflow_lacks_is_named(tmp_path):
    with pytest.raises(InputError, match=r"ptlflow has no network 'memflo'; choose one of .*memflow"):
        PtlFlow("memflo", "things", **ON_CPU)
    with pytest.raises(InputError, match=r"ptlflow publishes for raft_small; .*things"):
        PtlFlow("raft_small", "thing", **ON_CPU)
    random_weights("raft_small", tmp_path / "weights.pt")
    with pytest.raises(InputError, match=r"weights\.pt .*sea_raft_s"):
        PtlFlow("sea_raft_s", str(tmp_path / "weights.pt"), **ON_CPU)
    random_weights("streamflow", tmp_path / "weights.pt")
    with pytest.raises(InputError, match="'streamflow' does not work on a pair of frames"):
        PtlFlow("streamflow", str(tmp_path / "weights.pt"), **ON_CPU)
    if importlib.util.find_spec("cupy") is None:
        with pytest.raises(InputError, match=r"ptlflow .*'splatflow' here"):
            PtlFlow("splatflow", "things", **ON_CPU)
