import numpy as np
import pytest
import torch

from fixtures.video_encoders import FRAMES, KINDS, SIDE, noise, save_encoder, tokens_of
from microgesture.checkpoints.encoders import read_encoder
from microgesture.config.encoders import Encoder, EncoderStep
from microgesture.errors import InputError
from microgesture.networks.video_encoders import VideoEncoder, pooled


@pytest.fixture(scope="module", params=KINDS)
def saved(request, tmp_path_factory):
    """A kind of encoder: its folder, its network, its description, and the encoder with its weights."""
    folder = tmp_path_factory.mktemp(request.param)
    network = save_encoder(folder, request.param)
    encoder, state = read_encoder(EncoderStep(model=str(folder)))
    ours = VideoEncoder(encoder, grid=SIDE // 8).eval()
    ours.load_state_dict(state)
    return folder, network, encoder, ours


def as_input(frames_THWC: np.ndarray, encoder: Encoder) -> torch.Tensor:
    x_THWC = (torch.from_numpy(frames_THWC).float() - torch.tensor(encoder.mean)) / torch.tensor(encoder.std)
    return x_THWC.permute(3, 0, 1, 2)[None]


@torch.no_grad()
def test_tokens_are_those_of_transformers_on_frames_that_its_processor_prepares(saved):
    folder, network, encoder, ours = saved
    expected_THWD = tokens_of(network, folder, noise())
    found_TND = ours(as_input(noise(), encoder))[0]
    torch.testing.assert_close(found_TND, expected_THWD.flatten(1, 2), rtol=1e-4, atol=1e-4)


@torch.no_grad()
@pytest.mark.parametrize(("step", "row", "column"), [(0, 0, 3), (1, 2, 1)])
def test_a_token_changes_most_where_the_picture_changes(saved, step, row, column):
    _, _, encoder, ours = saved
    before_BCTHW = as_input(noise(), encoder)
    after_BCTHW = before_BCTHW.clone()
    T = ours(before_BCTHW).shape[1]
    frames = slice(step * FRAMES // T, (step + 1) * FRAMES // T)
    after_BCTHW[:, :, frames, 8 * row : 8 * row + 8, 8 * column : 8 * column + 8] = 0
    change_TN = (ours(after_BCTHW) - ours(before_BCTHW))[0].norm(dim=-1)
    assert divmod(int(change_TN.argmax()), SIDE // 8 * SIDE // 8) == (step, SIDE // 8 * row + column)


def test_cells_of_the_grid_are_means_of_their_tokens():
    tokens_BTHWD = torch.randn(2, 3, 4, 4, 5)
    torch.testing.assert_close(pooled(tokens_BTHWD, 1)[:, :, 0], tokens_BTHWD.mean((2, 3)))
    quarters_BTND = pooled(tokens_BTHWD, 2)
    torch.testing.assert_close(quarters_BTND[:, :, 1], tokens_BTHWD[:, :, :2, 2:].mean((2, 3)))
    torch.testing.assert_close(quarters_BTND[:, :, 2], tokens_BTHWD[:, :, 2:, :2].mean((2, 3)))


def described(saved, **changed) -> Encoder:
    encoder = saved[2]
    return encoder.model_copy(update={"config": encoder.config | changed.pop("config", {}), **changed})


def test_another_size_is_accepted_where_places_can_be_computed(saved):
    other = described(saved, frames=2 * FRAMES, size=2 * SIDE)
    if other.config["model_type"] in ("videomae", "vivit"):
        with pytest.raises(InputError, match="only 4 frames of 32 pixels"):
            VideoEncoder(other, 1)
        return
    network = VideoEncoder(other, 1)
    network.load_state_dict(saved[3].state_dict())
    x_BCTHW = torch.randn(1, 3, 2 * FRAMES, 2 * SIDE, 2 * SIDE)
    per_token = 1 if other.config["model_type"] == "timesformer" else 2
    assert network(x_BCTHW).shape[:3] == (1, 2 * FRAMES // per_token, 1)


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"config": {"hidden_size": 10**9}}, "too large"),
        ({"config": {"num_hidden_layers": 10**6}}, "too large"),
        ({"config": {"patch_size": 0, "tubelet_size": 0}}, "patches|tubelet_size|patch_size"),
        ({"config": {"auto_map": {"AutoModel": "code.Model"}}}, "auto_map"),
        ({"config": {"_attn_implementation": "owner/kernel"}}, "_attn_implementation"),
        ({"config": {"attn_implementation": "owner/kernel"}}, "attn_implementation"),
        ({"config": {"model_type": "bert"}}, "bert"),
        ({"config": {"hidden_act": "none of these"}}, "none of these"),
        ({"size": 4}, "do not fit"),
    ],
)
def test_a_description_that_no_encoder_has_is_refused_in_a_sentence(saved, changed, named):
    with pytest.raises(InputError, match=named):
        VideoEncoder(described(saved, **changed), 1)
