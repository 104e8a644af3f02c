"""Masked motion: what is hidden, what is predicted and what is counted, against the formulas of MAMP."""

import numpy as np
import pytest
import torch
from scipy.special import softmax

from microgesture.config.networks import SkeletonTransformerSettings
from microgesture.config.pretraining import MaskedMotionSettings
from microgesture.networks import build
from microgesture.networks.masked_motion import (
    amounts,
    builder,
    hidden_tokens,
    masked_loss,
    motion_patches,
    standardised,
)
from microgesture.networks.skeleton_transformer import SkeletonTransformer, in_patches, lengthened
from microgesture.skeletons.selections import selection_named

SELECTION = selection_named("22")
SETTINGS = SkeletonTransformerSettings(name="skeleton_transformer", width=16, depth=2, heads=2)
MASKING = MaskedMotionSettings(ratio=0.75, decoder_depth=1)


def skeletons(T=16, seed=0, B=2):
    """Skeletons x_BCTV, of which a tenth of the joints is missing."""
    generator = torch.Generator().manual_seed(seed)
    x_BCTV = torch.randn(B, 3, T, 22, generator=generator)
    x_BCTV[:, 2] = 1
    return x_BCTV * (torch.rand(B, 1, T, 22, generator=generator) > 0.1)


def network(masking=MASKING):
    torch.manual_seed(0)
    return builder(masking)(SETTINGS, [3], 1, SELECTION)


def test_a_patch_has_a_joint_in_four_frames_and_the_last_frame_is_repeated():
    x_BCTV = torch.arange(2 * 3 * 6 * 5.0).reshape(2, 3, 6, 5)
    patches_BSVP = in_patches(lengthened(x_BCTV, 4), 4)
    assert patches_BSVP.shape == (2, 2, 5, 12)
    torch.testing.assert_close(patches_BSVP[1, 0, 3], x_BCTV[1, :, :4, 3].T.flatten())
    torch.testing.assert_close(patches_BSVP[1, 1, 3], x_BCTV[1, :, [4, 5, 5, 5], 3].T.flatten())


def steps():
    """Two joints in eight frames, x_BCTV: one moves along x, the other along y, and is lost in a frame."""
    x_BCTV = torch.zeros(1, 3, 8, 2)
    x_BCTV[0, 0, :, 0] = torch.tensor([0.0, 1, 3, 6, 6, 6, 6, 7])
    x_BCTV[0, 1, :, 1] = torch.arange(8.0) ** 2
    x_BCTV[0, 2] = 1
    x_BCTV[0, :, 5, 1] = 0
    return x_BCTV


def test_motion_leads_to_the_next_frame_and_is_known_if_both_were_seen():
    motion_BNP, known_BN = motion_patches(steps(), 4)
    assert motion_BNP.shape == (1, 4, 8)
    assert motion_BNP[0, 0].tolist() == [1, 0, 2, 0, 3, 0, 0, 0]  # x, y of each frame
    assert motion_BNP[0, 2].tolist() == [0, 0, 0, 0, 1, 0, 0, 0]
    assert motion_BNP[0, 1].tolist() == [0, 1, 0, 3, 0, 5, 0, 7]
    assert motion_BNP[0, 3].tolist() == [0, 0, 0, 0, 0, 49 - 36, 0, 0]
    assert known_BN.tolist() == [[True, True, True, False]]


def test_a_token_moves_as_much_as_since_the_patch_before():
    first, second = (6 + 5 + 3 + 1) / 8, (16 + 0 + (36 - 4) + (49 - 9)) / 8  # the mean over x and y of four frames
    assert amounts(steps(), 4).tolist() == [[first, second, first, second]]
    assert not amounts(steps()[:, :, :3], 4).any()


@pytest.mark.parametrize(("ratio", "hidden"), [(0.9, 36), (0.5, 20), (0.01, 0), (0.999, 39)])
def test_every_clip_hides_the_same_share(ratio, hidden):
    hidden_BN = hidden_tokens(torch.rand(3, 40), ratio, 0.8)
    assert hidden_BN.sum(1).tolist() == [hidden] * 3


def test_tokens_are_hidden_with_the_probabilities_of_the_formula():
    amount_N = np.array([0.0, 1.0, 2.0, 4.0])
    expected_N = softmax(amount_N / (0.8 * 4))
    torch.manual_seed(0)
    drawn_BN = hidden_tokens(torch.tensor(amount_N).float().expand(40_000, 4), 0.25, 0.8)
    np.testing.assert_allclose(drawn_BN.double().mean(0), expected_N, atol=0.01)
    # Two of four without repetition: the probabilities of the first, then those of the others divided by their sum.
    two_N = [
        expected_N[i] + sum(expected_N[j] * expected_N[i] / (1 - expected_N[j]) for j in range(4) if j != i)
        for i in range(4)
    ]
    drawn_BN = hidden_tokens(torch.tensor(amount_N).float().expand(40_000, 4), 0.5, 0.8)
    np.testing.assert_allclose(drawn_BN.double().mean(0), two_N, atol=0.01)


def test_targets_have_mean_zero_and_sample_variance_one_and_rest_stays_finite():
    motion_BNP = torch.tensor([[[1.0, 3.0, 5.0, 7.0], [2.0, 2.0, 2.0, 2.0]]])
    target_BNP = standardised(motion_BNP)
    by_hand = (np.array([1, 3, 5, 7]) - 4) / np.sqrt(20 / 3 + 1e-6)
    np.testing.assert_allclose(target_BNP[0, 0], by_hand, rtol=1e-5)
    assert not target_BNP[0, 1].any()


def test_only_the_tokens_that_count_have_a_loss():
    predicted_BNP = torch.zeros(2, 3, 2, requires_grad=True)
    target_BNP = torch.tensor([[[1.0, 1], [2, 2], [5, 5]], [[1.0, 1], [1, 1], [1, 1]]])
    counted_BN = torch.tensor([[True, True, False], [False, False, False]])
    loss_B = masked_loss(predicted_BNP, target_BNP, counted_BN)
    assert loss_B.tolist() == [(1 + 4) / 2, 0]
    loss_B.sum().backward()
    assert (predicted_BNP.grad.abs().sum(2) > 0).tolist() == counted_BN.tolist()


def test_the_prediction_does_not_depend_on_what_is_hidden():
    module, x_BCTV = network().eval(), skeletons()
    hidden_BN = hidden_tokens(torch.rand(2, 4 * 22), 0.75, 0.8)
    other_BCTV = x_BCTV.clone()
    where = hidden_BN.unflatten(1, (4, 22)).repeat_interleave(4, 1)[:, None].expand_as(x_BCTV)
    other_BCTV[where] = skeletons(seed=1)[where]
    predicted_BNP = module.predicted(x_BCTV, hidden_BN)
    assert predicted_BNP.shape == (2, 4 * 22, 8)
    torch.testing.assert_close(module.predicted(other_BCTV, hidden_BN), predicted_BNP)
    assert not torch.allclose(module.predicted(skeletons(seed=2), hidden_BN), predicted_BNP, atol=1e-3)


def test_the_loss_of_a_clip_follows_from_its_hidden_tokens():
    module, x_BCTV = network().eval(), skeletons()
    torch.manual_seed(5)
    loss_B = module(x_BCTV)
    torch.manual_seed(5)
    motion_BNP, known_BN = motion_patches(x_BCTV, 4)
    hidden_BN = hidden_tokens(amounts(x_BCTV, 4), 0.75, 0.8)
    predicted_BNP = module.predicted(x_BCTV, hidden_BN)
    for loss, predicted_NP, motion_NP, counted_N in zip(
        loss_B, predicted_BNP, motion_BNP, hidden_BN & known_BN, strict=True
    ):
        motion = motion_NP[counted_N].double().numpy()
        target = (motion - motion.mean(1, keepdims=True)) / np.sqrt(motion.var(1, keepdims=True, ddof=1) + 1e-6)
        error = (predicted_NP[counted_N].detach().double().numpy() - target) ** 2
        assert float(loss) == pytest.approx(error.mean(), rel=1e-4)


def test_the_encoder_has_the_tensors_of_the_network_that_starts_from_it():
    alone = build(SETTINGS, [3], 7, SELECTION).state_dict()
    pretrained = network().state_dict()
    assert {name: tensor.shape for name, tensor in alone.items() if not name.startswith("head.")} == {
        name: pretrained[name].shape for name in alone if not name.startswith("head.")
    }
    assert not [name for name in pretrained if "head" in name.split(".")]
    assert [name for name, tensor in network().named_parameters() if not tensor.requires_grad] == []


def test_masked_motion_learns_better_than_predicting_the_mean():
    # Each clip sways to one side or to the other first: what is hidden follows from what is seen. The loss of the mean
    # of all clips, which is 0, is 7/8.
    torch.manual_seed(0)
    side_B11 = torch.tensor([1.0, -1.0]).repeat(4)[:, None, None]
    sway_BTV = side_B11 * torch.tensor([0.0, 1, 3, 4]).repeat(4)[:, None] * torch.linspace(1, 2, 22)
    x_BCTV = torch.stack((sway_BTV, 0.5 * sway_BTV, torch.ones_like(sway_BTV)), 1)
    module = network(MaskedMotionSettings(ratio=0.5, decoder_depth=1))
    optimizer = torch.optim.AdamW(module.parameters(), 0.005)
    losses = []
    for _ in range(60):
        optimizer.zero_grad()
        loss = module(x_BCTV).mean()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[0] > 0.8
    assert np.mean(losses[-5:]) < 0.4


def test_places_tell_joints_and_times_apart():
    module = SkeletonTransformer(3, 7, 22, width=16, depth=2, heads=2).eval()
    still_BCTV = torch.ones(1, 3, 16, 22)
    tokens_NE = module.embedded(still_BCTV)[0]
    assert torch.cdist(tokens_NE, tokens_NE).fill_diagonal_(1).min() > 1e-3
