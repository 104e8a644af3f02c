"""What networks for skeletons see of normalised points: the points, the bones between them, or their motion."""

import torch

from .graph import parents
from .keypoints import Selection

MOTION_GAP = 4  # steps between the two moments that a motion lies between


def skeleton_input(
    points_BTVC: torch.Tensor, mirror_B: torch.Tensor, modality: str, selection: Selection
) -> torch.Tensor:
    """The network's x_BCTV of normalised points, on their device; clips with ``mirror`` as a mirror shows them.

    The last channel is the confidence, 0 where something is missing. ``skeleton``: x and y. ``bone``: a bone's x and y,
    and the same for a bone of length 1, its direction. ``motion``: change of x and y.
    """
    points_BTVC = mirror_points(points_BTVC, mirror_B, selection)
    if modality == "bone":
        points_BTVC = with_directions(bone_vectors(points_BTVC, selection))
    elif modality == "motion":
        points_BTVC = motion(points_BTVC)
    return points_BTVC.permute(0, 3, 1, 2)


def skeleton_channels(modality: str) -> int:
    """How many channels ``skeleton_input`` gives."""
    return 5 if modality == "bone" else 3


def mirror_points(points_BTVC: torch.Tensor, mirror_B: torch.Tensor, selection: Selection) -> torch.Tensor:
    """Normalised points as in a mirror: x becomes -x, left and right swap, missing stays missing."""
    mirrored_BTVC = points_BTVC[:, :, list(selection.flip)] * points_BTVC.new_tensor((-1, 1, 1))
    return torch.where(mirror_B[:, None, None, None], mirrored_BTVC, points_BTVC)


def bone_vectors(points_BTVC: torch.Tensor, selection: Selection) -> torch.Tensor:
    """For each joint the way to it from its parent and the lower of their confidences, as many as joints.

    A root has no bone: it is missing (0, 0, 0), as is a bone that lacks one of its ends (2s-AGCN, arXiv 1805.07694).
    """
    parent = torch.tensor(parents(selection), device=points_BTVC.device)
    from_BTVC = points_BTVC[:, :, parent]
    confidence_BTV1 = torch.minimum(points_BTVC[..., 2:], from_BTVC[..., 2:])
    has_parent_V1 = (parent != torch.arange(len(parent), device=parent.device))[:, None]
    return _where_found(points_BTVC[..., :2] - from_BTVC[..., :2], confidence_BTV1 * has_parent_V1)


def with_directions(bones_BTVC: torch.Tensor) -> torch.Tensor:
    """Bones (x, y, x and y of the same at length 1, confidence): the direction is free of a person's proportions."""
    vector_BTV2 = bones_BTVC[..., :2]
    return torch.cat((torch.nn.functional.normalize(vector_BTV2, dim=-1, eps=1e-4), bones_BTVC), -1)[
        ..., [2, 3, 0, 1, 4]
    ]


def motion(points_BTVC: torch.Tensor, gap: int = MOTION_GAP) -> torch.Tensor:
    """How each joint moves about each moment: from ``gap`` / 2 steps before it to as many after it.

    (0, 0, 0) within that distance of both ends of the clip and where a joint is missing at one of the two moments; the
    confidence is the lower of theirs.
    """
    before_BTVC, after_BTVC = points_BTVC[:, :-gap], points_BTVC[:, gap:]
    confidence_BTV1 = torch.minimum(before_BTVC[..., 2:], after_BTVC[..., 2:])
    moved_BTVC = _where_found(after_BTVC[..., :2] - before_BTVC[..., :2], confidence_BTV1)
    still_BTVC = torch.zeros_like(points_BTVC)
    still_BTVC[:, gap // 2 : gap // 2 + moved_BTVC.shape[1]] = moved_BTVC
    return still_BTVC


def _where_found(vector_BTV2: torch.Tensor, confidence_BTV1: torch.Tensor) -> torch.Tensor:
    return torch.cat((torch.where(confidence_BTV1 > 0, vector_BTV2, 0), confidence_BTV1), -1)
