"""What networks for skeletons see of normalised points: the points, the bones between them, or their motion."""

import torch
from torch.nn import functional

from ..config.modalities import IN_SPACE
from .graph import parents
from .keypoints import Selection

MOTION_GAP = 4  # steps between the two moments that a motion lies between
ENLARGED = 3  # bones and motions, which are shorter than a hand: so that they spread about as the points do


def channels(modality: str) -> int:
    """How many channels a network sees of a modality: x, y, and z of joints in space, then the confidence."""
    return 4 if modality in IN_SPACE else 3


def skeleton_input(
    points_BTVC: torch.Tensor, mirror_B: torch.Tensor, modality: str, selection: Selection
) -> torch.Tensor:
    """The network's x_BCTV of normalised points, on their device; see ``channels``.

    Clips with ``mirror`` are shown as a mirror would show them. ``skeleton``: x and y of the points. ``bone`` and
    ``motion``: three times their x and y. ``direction``: x and y of bones of length 1, which are free of a person's
    proportions. ``skeleton3d`` and ``bone3d`` are the same of points in space. The last channel is the confidence, 0
    where something is missing.
    """
    points_BTVC = mirror_points(points_BTVC, mirror_B, selection)
    if modality in ("skeleton", "skeleton3d"):
        return points_BTVC.permute(0, 3, 1, 2)
    vectors_BTVC = motion(points_BTVC) if modality == "motion" else bone_vectors(points_BTVC, selection)
    ways_BTVD, confidence_BTV1 = vectors_BTVC[..., :-1], vectors_BTVC[..., -1:]
    shown_BTVD = functional.normalize(ways_BTVD, dim=-1) if modality == "direction" else ENLARGED * ways_BTVD
    return torch.cat((shown_BTVD, confidence_BTV1), -1).permute(0, 3, 1, 2)


def mirror_points(points_BTVC: torch.Tensor, mirror_B: torch.Tensor, selection: Selection) -> torch.Tensor:
    """Normalised points as in a mirror: x becomes -x, left and right swap, missing stays missing."""
    signs_C = points_BTVC.new_tensor((-1, *[1] * (points_BTVC.shape[-1] - 1)))
    mirrored_BTVC = points_BTVC[:, :, list(selection.flip)] * signs_C
    return torch.where(mirror_B[:, None, None, None], mirrored_BTVC, points_BTVC)


def bone_vectors(points_BTVC: torch.Tensor, selection: Selection) -> torch.Tensor:
    """For each joint the way to it from its parent and the lower of their confidences, as many as joints.

    A root has no bone: it is missing, all zero, as is a bone that lacks one of its ends (2s-AGCN, arXiv 1805.07694).
    """
    parent = torch.tensor(parents(selection), device=points_BTVC.device)
    from_BTVC = points_BTVC[:, :, parent]
    confidence_BTV1 = torch.minimum(points_BTVC[..., -1:], from_BTVC[..., -1:])
    has_parent_V1 = (parent != torch.arange(len(parent), device=parent.device))[:, None]
    return _where_found(points_BTVC[..., :-1] - from_BTVC[..., :-1], confidence_BTV1 * has_parent_V1)


def motion(points_BTVC: torch.Tensor, gap: int = MOTION_GAP) -> torch.Tensor:
    """How each joint moves about each moment: from ``gap`` / 2 steps before it to as many after it.

    All zero within that distance of both ends of the clip and where a joint is missing at one of the two moments; the
    confidence is the lower of theirs.
    """
    before_BTVC, after_BTVC = points_BTVC[:, :-gap], points_BTVC[:, gap:]
    confidence_BTV1 = torch.minimum(before_BTVC[..., -1:], after_BTVC[..., -1:])
    moved_BTVC = _where_found(after_BTVC[..., :-1] - before_BTVC[..., :-1], confidence_BTV1)
    still_BTVC = torch.zeros_like(points_BTVC)
    still_BTVC[:, gap // 2 : gap // 2 + moved_BTVC.shape[1]] = moved_BTVC
    return still_BTVC


def _where_found(vectors_BTVD: torch.Tensor, confidence_BTV1: torch.Tensor) -> torch.Tensor:
    return torch.cat((torch.where(confidence_BTV1 > 0, vectors_BTVD, 0), confidence_BTV1), -1)
