"""Weights by torchvision's names: fetched from an address on this machine, which stands for torchvision's."""

import hashlib
import socket
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file

from microgesture.checkpoints import published
from microgesture.checkpoints.published import fetch_weights, published_weights
from microgesture.config.streams import is_published_name
from microgesture.errors import InputError

NAME = "Swin_S_Weights.IMAGENET1K_V1"
STATE = {"norm.weight": torch.arange(4.0), "head.weight": torch.arange(6.0).reshape(2, 3).T, "count": torch.tensor(7)}


@pytest.fixture
def served(tmp_path, monkeypatch):
    """Let torchvision's name stand for a file of these bytes, or of any under a checksum that is theirs or not."""

    def serve(content=None, checksum=None):
        if content is None:
            torch.save(STATE, tmp_path / "state.pth")
            content = (tmp_path / "state.pth").read_bytes()
        checksum = checksum or hashlib.sha256(content).hexdigest()[:8]
        file = tmp_path / f"swin_s-{checksum}.pth"
        file.write_bytes(content)
        monkeypatch.setattr(published, "published_weights", lambda: {NAME: file.as_uri()})
        return file

    return serve


def test_weights_are_fetched_checked_and_kept_as_safetensors(tmp_path, served):
    served()
    output = tmp_path / "results" / "weights" / f"{NAME}.safetensors"
    fetch_weights(NAME, output)
    kept = load_file(output)
    assert kept.keys() == STATE.keys()
    assert all(torch.equal(kept[name], tensor) for name, tensor in STATE.items())
    assert list(output.parent.iterdir()) == [output]
    before = output.read_bytes()
    fetch_weights(NAME, output)
    assert output.read_bytes() == before


@pytest.mark.parametrize(
    ("content", "checksum", "message"),
    [
        (None, "00c0ffee", r'is not the published file \(invalid hash value \(expected "00c0ffee", got'),
        (b"<html>Sign in to the network</html>", "00c0ffee", "is not the published file"),
        (b"<html>Sign in to the network</html>", None, "is not a file of weights"),
    ],
)
def test_another_file_than_the_published_one_is_refused(tmp_path, served, content, checksum, message):
    served(content, checksum)
    with pytest.raises(InputError, match=message):
        fetch_weights(NAME, tmp_path / "out" / "weights.safetensors")
    assert not list((tmp_path / "out").iterdir())


def test_without_a_network_the_address_is_named(tmp_path, monkeypatch):
    with socket.socket() as reserved:  # a port that nobody listens on
        reserved.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{reserved.getsockname()[1]}/swin_s-00c0ffee.pth"
        monkeypatch.setenv("no_proxy", "*")
        monkeypatch.setattr(published, "published_weights", lambda: {NAME: url})
        with pytest.raises(
            InputError, match=rf"{url} cannot be downloaded from here .*refused.* name the file under weights"
        ):
            fetch_weights(NAME, tmp_path / "weights.safetensors")
    assert not list(tmp_path.iterdir())


def test_an_unknown_name_is_answered_with_close_ones(tmp_path):
    with pytest.raises(
        InputError, match=r"no weights 'Swin3D_B_Weights.KINETICS40_V1'.*Swin3D_B_Weights\.KINETICS400_V1"
    ):
        fetch_weights("Swin3D_B_Weights.KINETICS40_V1", tmp_path / "weights.safetensors")


def test_every_published_weight_has_a_name_a_checksum_and_an_address():
    known = published_weights()
    assert {
        "Swin3D_B_Weights.KINETICS400_IMAGENET22K_V1",
        "Swin_S_Weights.IMAGENET1K_V1",
        "ResNet50_Weights.IMAGENET1K_V1",
        "MViT_V2_S_Weights.KINETICS400_V1",
        "Raft_Large_Weights.C_T_SKHT_V2",
    } <= set(known)
    assert known["ResNet50_Weights.IMAGENET1K_V1"] == "https://download.pytorch.org/models/resnet50-0676ba61.pth"
    assert all(is_published_name(name) for name in known)


@pytest.mark.parametrize(
    "file", ["weights.safetensors", "runs/Swin_S_Weights.IMAGENET1K_V1", "my_Weights.pth", "Swin_S_Weights", "a.pth"]
)
def test_a_file_is_no_name(file):
    assert not is_published_name(file)


def test_names_are_told_from_files_without_torch():
    code = "import sys, microgesture.config.streams; print(sorted({'torch', 'torchvision'} & set(sys.modules)))"
    assert (
        subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.strip() == "[]"
    )
