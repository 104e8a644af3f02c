import math

import numpy as np
import pytest
import torch
from pydantic import TypeAdapter
from scipy.optimize import minimize
from scipy.special import log_softmax
from scipy.stats import entropy

from microgesture.config.losses import CrossEntropySettings
from microgesture.config.networks import Network
from microgesture.networks import build
from microgesture.skeletons.selections import selection_named
from microgesture.streams.cross_entropy import CrossEntropy, class_weights, total_focal_loss
from microgesture.streams.losses import Loss
from microgesture.streams.semantic import SemanticAnchors, orthogonal_anchors, total_semantic_loss


def test_class_weights_have_mean_one_and_favour_the_rare():
    weights = class_weights([3, 0, 24], "sqrt")
    np.testing.assert_allclose(np.array(weights) / weights[1], [0.5, 1, 0.2])
    assert np.mean(weights) == pytest.approx(1)
    assert class_weights([3, 0, 24], "none") == [1, 1, 1]


def test_each_path_has_its_own_loss_and_clips_count_by_their_class():
    logits_PBK = np.random.default_rng(0).normal(size=(2, 4, 3)).astype(np.float32)
    labels, weights, smoothing = [2, 0, 0, 1], [0.5, 1.0, 1.5], 0.2
    expected = 0.0
    for logits_BK in logits_PBK:
        for logits_K, label in zip(logits_BK, labels, strict=True):
            target_K = np.eye(3)[label] * (1 - smoothing) + smoothing / 3
            expected -= (np.array(weights) * target_K * log_softmax(logits_K.astype(float))).sum()
    arguments = torch.tensor(labels), torch.tensor(weights), smoothing
    total = total_focal_loss(torch.from_numpy(logits_PBK), *arguments)
    assert total.item() == pytest.approx(expected, rel=1e-5)
    first, second = (total_focal_loss(torch.from_numpy(logits_BK), *arguments) for logits_BK in logits_PBK)
    assert total.item() == pytest.approx(first.item() + second.item(), rel=1e-6)


@pytest.mark.parametrize(("smoothing", "scheme"), [(0.0, "none"), (0.1, "sqrt"), (0.2, "none")])
def test_the_bounds_of_the_loss_are_what_a_search_finds(smoothing, scheme):
    labels_N, counts = np.repeat([0, 1, 2], [1, 5, 3]), [1, 5, 3, 0]
    settings = CrossEntropySettings(label_smoothing=smoothing, class_weights=scheme)
    term = CrossEntropy(settings, counts, torch.device("cpu"))

    def found(labels_N):
        """The loss of the best constant logits."""
        label_N = torch.tensor(labels_N)

        def loss(logits_K):
            logits = torch.tensor(logits_K, requires_grad=True)
            mean = term.total(logits.expand(len(labels_N), -1), label_N) / term.size(labels_N)
            mean.backward()
            return mean.item(), logits.grad.numpy()

        return minimize(loss, np.zeros(4), jac=True, method="BFGS").fun

    least, guessing = Loss([(2.0, term)]).bounds(labels_N, paths=3)
    assert guessing == pytest.approx(6 * found(labels_N), abs=2e-3)
    weights_K = np.array(class_weights(counts, scheme))
    each = [weights_K[label] * count * found(np.array([label])) for label, count in enumerate(counts) if count]
    assert least == pytest.approx(6 * sum(each) / weights_K[labels_N].sum(), abs=2e-3)
    if smoothing == 0:
        assert (least, guessing) == pytest.approx((0, 6 * entropy([1, 5, 3])), abs=1e-5)


def random_batch() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(6, 5, generator=generator), torch.tensor([0, 1, 2, 3, 4, 4])


def test_focal_loss_by_hand():
    # One clip each of a class seen 3 times and of one seen 8 times: weights 1/2 and 1/3, which are 6/5 and 4/5 of
    # their mean. The first is believed with 3/4, the second with 1/5.
    weight_K = torch.tensor(class_weights([3, 8], "sqrt"))
    torch.testing.assert_close(weight_K, torch.tensor([1.2, 0.8]))
    logits_BK = torch.tensor([[0.75, 0.25], [0.8, 0.2]]).log()
    expected = 1.2 * 0.25**2 * -math.log(0.75) + 0.8 * 0.8**2 * -math.log(0.2)
    assert total_focal_loss(logits_BK, torch.tensor([0, 1]), weight_K, 0, 2.0).item() == pytest.approx(expected)


def test_the_gradient_of_the_focal_loss_is_that_of_its_formula():
    logits_BK, label_B = random_batch()
    weight_K, smoothing, gamma, step = np.arange(1.0, 6), 0.2, 2.0, 1e-6

    def by_formula(logits_BK):
        log_p_BK = log_softmax(logits_BK, 1)
        target_BK = np.eye(5)[label_B] * (1 - smoothing) + smoothing / 5
        p_B = np.exp(log_p_BK[np.arange(6), label_B])
        return ((1 - p_B) ** gamma * -(weight_K * target_BK * log_p_BK).sum(1)).sum()

    x_BK = logits_BK.double().numpy()
    moves = step * np.eye(30).reshape(30, 6, 5)
    slope_BK = np.array([(by_formula(x_BK + move) - by_formula(x_BK - move)) / (2 * step) for move in moves])
    logits_BK.requires_grad_()
    total = total_focal_loss(logits_BK, label_B, torch.tensor(weight_K, dtype=torch.float32), smoothing, gamma)
    total.backward()
    assert total.item() == pytest.approx(by_formula(x_BK), rel=1e-5)
    np.testing.assert_allclose(logits_BK.grad, slope_BK.reshape(6, 5), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_focal_loss_of_clips_and_paths_is_the_sum_of_theirs(smoothing):
    logits_BK, label_B = random_batch()
    arguments = torch.arange(1.0, 6), smoothing, 2.0
    total = total_focal_loss(logits_BK, label_B, *arguments)
    each = [total_focal_loss(logits_BK[[row]], label_B[[row]], *arguments) for row in range(6)]
    torch.testing.assert_close(total, torch.stack(each).sum())
    torch.testing.assert_close(total_focal_loss(logits_BK.expand(2, 6, 5), label_B, *arguments), 2 * total)
    assert 0 < total < total_focal_loss(logits_BK, label_B, *arguments[:2])


def test_focal_loss_has_a_gradient_where_a_clip_is_certain():
    logits_BK = torch.tensor([[200.0, 0.0], [-200.0, 0.0]], requires_grad=True)
    total_focal_loss(logits_BK, torch.tensor([0, 0]), torch.ones(2), 0, 0.5).backward()
    assert logits_BK.grad.isfinite().all()
    assert logits_BK.grad[1].abs().sum() > 0.1


@pytest.mark.parametrize(("classes", "features"), [(32, 32), (32, 256), (49, 128)])
def test_anchors_are_orthonormal_and_fixed(classes, features):
    anchors_KD = orthogonal_anchors(classes, features)
    assert anchors_KD.shape == (classes, features)
    torch.testing.assert_close(anchors_KD @ anchors_KD.T, torch.eye(classes), atol=1e-6, rtol=0)
    torch.testing.assert_close(orthogonal_anchors(classes, features), anchors_KD, atol=0, rtol=0)
    assert not torch.allclose(orthogonal_anchors(classes, features, seed=1), anchors_KD)


def test_anchors_need_room():
    with pytest.raises(ValueError, match="33 classes need at least as many features"):
        orthogonal_anchors(33, 32)


@pytest.mark.parametrize(
    "head",
    [
        None,
        torch.nn.Linear(4, 2),
        torch.nn.Sequential(torch.nn.Linear(4, 2)),
        torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.Linear(4, 2)),
    ],
)
def test_semantic_loss_names_the_head_that_it_needs(head):
    network = torch.nn.Module()
    if head is not None:
        network.head = head
    with pytest.raises(ValueError, match="Dropout and Linear"):
        SemanticAnchors(network, torch.device("cpu"))


def test_semantic_loss_by_hand():
    anchors_KD = torch.tensor([[0.6, 0.8], [-0.8, 0.6]])
    features_BD = torch.tensor([[0.6, 0.8], [0.2, 0.6], [0.0, 0.0]])
    assert total_semantic_loss(features_BD[:1], torch.tensor([0]), anchors_KD).item() == 0
    assert total_semantic_loss(features_BD[1:2], torch.tensor([1]), anchors_KD).item() == pytest.approx(0.5)
    assert total_semantic_loss(features_BD, torch.tensor([0, 1, 0]), anchors_KD).item() == pytest.approx((1 + 1) / 2)


def test_semantic_loss_of_nothing_is_one_feature_s_share():
    anchors_KD = orthogonal_anchors(8, 64)
    labels = torch.tensor([0, 5, 7])
    assert total_semantic_loss(torch.zeros(3, 64), labels, anchors_KD).item() == pytest.approx(3 / 64)


@pytest.mark.parametrize(
    ("settings", "shape"),
    [
        ({"name": "stcnn", "widths": [4], "strides": [2]}, (2, 3, 8, 22)),
        ({"name": "agcn", "width": 4}, (2, 3, 8, 22)),
        ({"name": "poseconv3d", "width": 4}, (2, 3, 4, 16, 16)),
        ({"name": "video_swin", "width": 8, "depths": [1, 1]}, (2, 3, 4, 32, 32)),
    ],
    ids=lambda value: value["name"] if isinstance(value, dict) else "",
)
def test_every_network_shows_its_features(settings, shape):
    checked = TypeAdapter(Network).validate_python(settings)
    network = build(checked, [3], 2, selection_named("22")).eval()
    anchors, labels = SemanticAnchors(network, torch.device("cpu")), torch.tensor([1, 0])
    x, linear = torch.rand(shape), network.head[-1]
    logits_BK = network(x)
    assert logits_BK.shape == (2, 2)
    network.head[-1] = torch.nn.Identity()
    features_BD = network(x)  # what the classifier would have been given
    expected = total_semantic_loss(features_BD, labels, orthogonal_anchors(2, linear.in_features))
    torch.testing.assert_close(anchors.total(logits_BK, labels), expected)
