"""Flow as the picture of colours, against torchvision's drawing of the same picture."""

import numpy as np
import pytest
import torch

from fixtures.training_clips import make_clips
from microgesture.config.recipes import Recipe
from microgesture.config.streams import TrainStep
from microgesture.modalities.stored_flow import mirror_flow, to_stored
from microgesture.networks.compat import prepare_torchvision
from microgesture.storage.shards import write_shard
from microgesture.streams.augment import step_input
from microgesture.streams.batches import load_batches
from microgesture.streams.colour_wheel import colour_wheel, wheel
from microgesture.streams.samples import ClipDataset

prepare_torchvision()

from torchvision.utils import flow_to_image  # noqa: E402

T, SIDE = 4, 16
RECIPE = Recipe(frames=T, size=SIDE, num_clips=1)


def drawn(flow_THWC):
    """Each frame relative to its own fastest motion."""
    pictures = [flow_to_image(torch.from_numpy(flow_HWC).permute(2, 0, 1)) for flow_HWC in flow_THWC]
    return torch.stack(pictures, 1).float()


@pytest.fixture
def seen(tmp_path):
    """What a network sees of a clip, by whether it is mirrored, and the flow itself."""
    scale_T = np.array([0.2, 1, 5, 40])[:, None, None, None]
    stored_THWC = to_stored(np.random.default_rng(0).normal(0, scale_T, (T, SIDE, SIDE, 2)))
    write_shard(tmp_path / "flow.arrow", [("c0", stored_THWC)], "zstd")
    network = {"name": "video_swin", "width": 16, "depths": (1, 1)}
    step = TrainStep(
        **{"stream": "flow", "inputs": ("flow",), "selection": None, "network": network, "recipe": RECIPE, "seed": 0},
        flow_encoding="colour_wheel",
    )
    files = {"flow": [tmp_path / "flow.arrow"]}
    dataset = ClipDataset(make_clips(["test"], [0], T).usable, files, step, training=False)
    (batch,) = load_batches(dataset, [dataset.test_keys()], torch.device("cpu"))

    def see(mirror):
        (x_BCTHW,) = step_input(batch._replace(mirror=torch.tensor([mirror])), step, training=False)
        mean, std = (torch.tensor(values)[:, None, None, None] for values in (RECIPE.mean, RECIPE.std))
        return x_BCTHW[0] * std + mean

    return see, stored_THWC.astype(np.float32) / 32


@pytest.mark.parametrize("mirror", [False, True])
def test_a_network_sees_the_picture_of_the_motion_itself_or_mirrored(seen, mirror):
    see, flow_THWC = seen
    expected_CTHW = drawn(np.ascontiguousarray(mirror_flow(flow_THWC) if mirror else flow_THWC))
    off_CTHW = (see(mirror) - expected_CTHW).abs()
    assert off_CTHW.max() < 1.01  # of 255, where both round to different sides
    assert (off_CTHW > 0.01).float().mean() < 0.01


def test_the_wheel_has_the_published_colours():
    colours = wheel().int().tolist()
    assert len(colours) == 15 + 6 + 4 + 11 + 13 + 6
    assert colours[:16:15] + colours[21:26:4] == [[255, 0, 0], [255, 255, 0], [0, 255, 0], [0, 255, 255]]
    assert colours[36:50:13] == [[0, 0, 255], [255, 0, 255]]
    still, right, left, too_fast = colour_wheel(torch.tensor([[0, 0], [0.355, 0], [-0.355, 0], [2, 0]])[:, None])
    assert still[0].tolist() == [255] * 3
    assert right[0].tolist() == [255, 164, 164]  # what the published mirror would leave of a motion to the left
    assert left[0].tolist() == [164, 238, 255]
    assert too_fast[0].tolist() == [191, 0, 0]  # three quarters
