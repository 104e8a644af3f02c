"""SwinFace: what it makes of frames with and without a face, and its authors' checkpoint."""

import re
import shlex
import subprocess
import sys

import pytest
import torch

from fixtures.published_swinface import PublishedSwinFace
from microgesture.checkpoints.layouts import translate
from microgesture.config.networks import SwinFaceSettings
from microgesture.errors import InputError
from microgesture.networks import build
from microgesture.networks.swinface import FaceEncoder, shows_face
from microgesture.streams.weights import start_from_file

SMALL = {"width": 16, "depths": (2, 1), "embedding": 32, "dropout": 0.0, "drop_path": 0.0}
OUT = (16, 16)  # of the two stages, which have as many channels


def network(classes=3, **settings):
    return build(SwinFaceSettings(name="swinface", **SMALL | settings), (3,), classes)


def settled(module):
    """In eval mode with weights as after some training: no norm is 1, no bias 0."""
    generator = torch.Generator().manual_seed(0)
    for name, tensor in module.state_dict().items():
        if tensor.is_floating_point() and (tensor.dim() == 1 or "position" in name):
            tensor.uniform_(0.2, 1, generator=generator)
    return module.eval()


@torch.no_grad()
def test_the_published_checkpoint_computes_what_its_network_does(tmp_path):
    published, own = settled(PublishedSwinFace(16, 1, (2, 1), OUT, branches=4)), network().eval()
    torch.save(published.checkpoint(), tmp_path / "checkpoint_step_79999_gpu_0.pt")
    start = start_from_file(own, tmp_path / "checkpoint_step_79999_gpu_0.pt", ("a", "b", "c"))
    assert start.new == ["head.weight", "head.bias"]
    assert start.reshaped == []
    kept = ("backbone.feature", "backbone.norm", "backbone.head", "fam.nets", "tss.nets", "om.output_fcs")
    assert all(name.startswith(kept) for name in start.left_out)
    faces_BCHW = torch.randn(2, 3, 56, 56)
    expected_BD = published(faces_BCHW)
    assert expected_BD.std() > 1e-2
    torch.testing.assert_close(own.encoder(faces_BCHW), expected_BD, rtol=1e-4, atol=1e-5)


def test_every_published_tensor_of_the_branch_fits_in_the_published_size():
    with torch.device("meta"):
        state = PublishedSwinFace(branches=3).checkpoint()
        encoder = FaceEncoder()
    flat = {
        f"{part}.{name}": value
        for part in ("backbone", "fam", "tss", "om")
        for name, value in state[f"state_dict_{part}"].items()
    }
    layout, ours = translate(flat)
    assert layout.title == "SwinFace as its authors name it"
    learned = {name: tensor.shape for name, tensor in encoder.state_dict().items() if "position_index" not in name}
    assert {name: ours[f"encoder.{name}"].shape for name in learned} == learned
    assert sum(tensor.numel() for tensor in encoder.parameters()) == 31_047_898
    # The numbers that backbones/swin.py, analysis/subnets.py and analysis/cbam.py have.
    assert [tuple(conv.weight.shape) for conv in encoder.attention.convs] == [
        (47, 192, 3, 3),
        (93, 384, 3, 3),
        (186, 768, 3, 3),
        (186, 768, 3, 3),
    ]
    assert encoder.swin[5][0].attn.relative_position_bias_table.shape == (169, 12)
    assert encoder.attention.weigh[0].weight.shape == (32, 512)


def test_weights_of_another_size_are_refused(tmp_path):
    torch.save(PublishedSwinFace(16, 1, (2, 1), OUT, branches=3).checkpoint(), tmp_path / "small.pt")
    with pytest.raises(InputError, match=r"SwinFace as its authors name it.* in the right shape"):
        start_from_file(network(width=32), tmp_path / "small.pt", ("a", "b", "c"))


@pytest.mark.parametrize("black", [0.0, -1.0, 0.3])
def test_frames_without_a_face_have_no_part_in_a_clip(black):
    own = settled(network(classes=2))
    x_BCTHW = torch.randn(2, 3, 6, 56, 56)
    x_BCTHW[0, :, [1, 4]] = black
    x_BCTHW[1, :, 3:] = black
    found_BT = shows_face(x_BCTHW)
    assert found_BT.tolist() == [[True, False, True, True, False, True], [True] * 3 + [False] * 3]
    seen = own.forward_features(x_BCTHW)
    assert seen.tokens_BDTN.shape == (2, 32, 6, 14 * 14)
    torch.testing.assert_close(own(x_BCTHW), seen.logits_BK)
    torch.testing.assert_close(own(x_BCTHW[:1, :, [0, 2, 3, 5]]), seen.logits_BK[:1], rtol=1e-4, atol=1e-5)
    frames_TD = own.encoder(x_BCTHW[1, :, :3].transpose(0, 1))
    torch.testing.assert_close(seen.features_BD[1], frames_TD.mean(0), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(
        own.encoder.embed(seen.tokens_BDTN[1, :, :3].transpose(0, 1).unflatten(2, (14, 14))), frames_TD
    )
    assert not seen.tokens_BDTN.transpose(1, 2)[~found_BT].any()


@pytest.mark.parametrize("shown", [0, 1])
def test_a_batch_with_hardly_a_face_is_learnt_from_like_any_other(shown):
    """The norm over a batch needs two frames: with fewer of them the others are there, but count for nothing."""
    own = network(classes=2).train()
    x_BCTHW = torch.zeros(2, 3, 2, 56, 56)
    x_BCTHW[0, :, :shown] = torch.randn(3, shown, 56, 56)
    logits_BK = own(x_BCTHW)
    torch.testing.assert_close(logits_BK[1], own.head.bias)
    logits_BK.square().sum().backward()
    for name, parameter in own.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name


def test_training_sees_no_statistics_of_black_frames():
    own = network(classes=2).train()
    faces_BCTHW = torch.randn(2, 3, 3, 56, 56)
    longer_BCTHW = torch.cat([faces_BCTHW, torch.zeros(2, 3, 5, 56, 56)], 2)
    torch.testing.assert_close(own(longer_BCTHW), own(faces_BCTHW), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("side", "patch"), [(112, 4), (64, 2), (30, 4)])
def test_any_side_will_do(side, patch):
    assert network(patch=patch)(torch.randn(2, 3, 2, side, side)).shape == (2, 3)


def test_only_faces_in_colour_are_seen():
    with pytest.raises(ValueError, match="3 channels, not 1"):
        build(SwinFaceSettings(name="swinface"), (1,), 2)
    with pytest.raises(ValueError, match="too few blocks"):
        SwinFaceSettings(name="swinface", depths=(1,))


def test_a_checkpoint_with_more_than_tensors_is_converted_by_the_command_that_its_refusal_names(tmp_path):
    published = PublishedSwinFace(16, 1, (2, 1), OUT, branches=3)
    saved = published.checkpoint() | {"state_lr_scheduler": {"made_by": re.compile("odd")}}
    torch.save(saved, tmp_path / "theirs.pt")
    with pytest.raises(InputError, match="weights must not run code") as refusal:
        start_from_file(network(), tmp_path / "theirs.pt", ("a", "b", "c"))
    command = next(line for line in str(refusal.value).splitlines() if "python -c" in line)
    subprocess.run([sys.executable, *shlex.split(command)[1:]], check=True)
    assert start_from_file(network(), tmp_path / "theirs.safetensors", ("a", "b", "c")).new == [
        "head.weight",
        "head.bias",
    ]
