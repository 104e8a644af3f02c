import pytest
import torch
from torch import nn

from fixtures.small_networks import narrow_settings, network, wake
from microgesture.skeletons.graph import walk
from microgesture.skeletons.selections import selection_named

# for each network of one input: a clip, its tokens' time steps and places, and where in the head the classifier begins
VIDEO = torch.rand(2, 3, 4, 64, 96, generator=torch.Generator().manual_seed(0))
HEATMAPS = torch.rand(2, 36, 6, 16, 24, generator=torch.Generator().manual_seed(0))
SKELETONS = torch.randn(2, 3, 16, 36, generator=torch.Generator().manual_seed(0))
SEEN = {
    "poseconv3d": (HEATMAPS, (3, 2 * 3), 2),
    "slowonly": (VIDEO, (4, 2 * 3), 2),
    "video_swin": (VIDEO, (2, 2 * 3), 0),
    "mvit": (VIDEO[..., :32, :32], (2, 4 * 4), 0),
    "r2plus1d": (VIDEO[..., 16:], (1, 4 * 5), 0),
    "stcnn": (SKELETONS, (8, 36), 0),
    "agcn": (SKELETONS, (4, 36), 0),
    "stgcn": (SKELETONS, (4, 36), 0),
}
AVERAGED = sorted(set(SEEN) - {"stcnn", "mvit"})


def awake(name: str) -> nn.Module:
    return wake(network(classes=7, **narrow_settings(name))).eval()


@pytest.mark.parametrize("name", SEEN)
@torch.no_grad()
def test_what_is_seen_is_what_is_classified(name):
    own, (x, steps_and_places, classifier) = awake(name), SEEN[name]
    seen = own.forward_features(x)
    assert seen.tokens_BDTN.shape[0] == 2
    assert seen.tokens_BDTN.shape[2:] == steps_and_places
    assert torch.equal(seen.logits_BK, own(x))
    torch.testing.assert_close(own.head[classifier:](seen.features_BD), seen.logits_BK)
    assert seen.logits_BK.std() > 1e-3


@pytest.mark.parametrize("name", AVERAGED)
@torch.no_grad()
def test_the_mean_of_the_tokens_is_what_is_classified(name):
    seen = awake(name).forward_features(SEEN[name][0])
    torch.testing.assert_close(seen.tokens_BDTN.mean((2, 3)), seen.features_BD)
    assert seen.features_BD.std() > 1e-3


@torch.no_grad()
def test_what_stcnn_classifies_is_the_mean_of_each_joint_over_time_if_all_are_found():
    x_BCTV = SKELETONS.clone()
    x_BCTV[:, 2] = 1
    seen = awake("stcnn").forward_features(x_BCTV)
    order = torch.tensor(walk(selection_named("36")))
    torch.testing.assert_close(seen.tokens_BDTN.mean(2)[..., order].flatten(1), seen.features_BD)


@pytest.mark.parametrize("joint", [0, 9, 35])
@torch.no_grad()
def test_tokens_of_skeletons_lie_in_the_order_of_the_selection(joint):
    # One block of stcnn reaches a joint's neighbours on the walk over the body and nothing else.
    own, order = awake("stcnn"), walk(selection_named("36"))
    moved_BCTV = SKELETONS.clone()
    moved_BCTV[:, :, :, joint] += 1
    change_N = (
        (own.forward_features(moved_BCTV).tokens_BDTN - own.forward_features(SKELETONS).tokens_BDTN)
        .abs()
        .amax((0, 1, 2))
    )
    place = order.index(joint)
    assert set(change_N.nonzero().flatten().tolist()) == set(order[max(0, place - 1) : place + 2])


@torch.no_grad()
def test_tokens_of_images_lie_row_by_row():
    own = awake("poseconv3d")
    tokens_BDTN, behind_BDTHW = own.forward_features(HEATMAPS).tokens_BDTN, own.stages(own.stem(HEATMAPS))
    assert torch.equal(tokens_BDTN[..., 4], behind_BDTHW[..., 1, 1])  # two rows of three squares


@pytest.mark.parametrize("name", sorted(set(SEEN) - {"r2plus1d"}))  # which is not small enough here
def test_learning_from_tokens_reaches_every_layer(name):
    own, (x, _, _) = awake(name), SEEN[name]
    own.forward_features(x).tokens_BDTN.pow(2).mean().backward()
    without = {tensor for tensor, weights in own.named_parameters() if weights.grad is None}
    assert {tensor.partition(".")[0] for tensor in without} <= {"head"}
