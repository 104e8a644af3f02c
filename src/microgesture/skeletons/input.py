"""The inputs of networks for skeletons, from normalised points: the points, the bones between them, or their motion."""

import torch
from torch.nn import functional

from ..config.modalities import IN_SPACE
from .graph import parents
from .selections import Selection

MOTION_GAP = 4  # steps between the two points in time whose difference is the motion
ENLARGED = 3  # factor for bones and motions, which are shorter than a hand, so that their spread is as that of points


def channels(modality: str) -> int:
    """Return the number of input channels of a modality: x, y, also z in space, and the confidence."""
    return 4 if modality in IN_SPACE else 3


def skeleton_input(
    points_BTVC: torch.Tensor, mirror_B: torch.Tensor, modality: str, selection: Selection
) -> torch.Tensor:
    """Compute the network's input x_BCTV from normalised points, on their device; see ``channels``.

    Clips for which ``mirror_B`` is true are mirrored. ``skeleton``: x and y of the points. ``bone`` and ``motion``:
    three times their x and y; ``bone_motion``: the motion of the bones. ``direction``: x and y of the bones scaled to
    length 1, which do not depend on a person's proportions. Names with 3d are the same for points in space. The last
    channel is the confidence, 0 where something is missing.
    """
    points_BTVC = mirror_points(points_BTVC, mirror_B, selection)
    modality = modality.removesuffix("3d")
    if modality == "skeleton":
        return points_BTVC.permute(0, 3, 1, 2)
    vectors_BTVC = points_BTVC if modality == "motion" else bone_vectors(points_BTVC, selection)
    if modality.endswith("motion"):
        vectors_BTVC = motion(vectors_BTVC)
    ways_BTVD, confidence_BTV1 = vectors_BTVC[..., :-1], vectors_BTVC[..., -1:]
    shown_BTVD = functional.normalize(ways_BTVD, dim=-1) if modality == "direction" else ENLARGED * ways_BTVD
    return torch.cat((shown_BTVD, confidence_BTV1), -1).permute(0, 3, 1, 2)


def mirror_points(points_BTVC: torch.Tensor, mirror_B: torch.Tensor, selection: Selection) -> torch.Tensor:
    """Mirror normalised points: x becomes -x, left and right are exchanged, missing joints stay missing."""
    signs_C = points_BTVC.new_tensor((-1, *[1] * (points_BTVC.shape[-1] - 1)))
    mirrored_BTVC = points_BTVC[:, :, list(selection.flip)] * signs_C
    return torch.where(mirror_B[:, None, None, None], mirrored_BTVC, points_BTVC)


def bone_vectors(points_BTVC: torch.Tensor, selection: Selection) -> torch.Tensor:
    """Return for each joint the vector from its parent to it, with the lower of the two confidences.

    A root has no bone; its vector is all zero, like that of a bone that lacks one of its ends (2s-AGCN, arXiv
    1805.07694).
    """
    parent = torch.tensor(parents(selection), device=points_BTVC.device)
    from_BTVC = points_BTVC[:, :, parent]
    confidence_BTV1 = torch.minimum(points_BTVC[..., -1:], from_BTVC[..., -1:])
    has_parent_V1 = (parent != torch.arange(len(parent), device=parent.device))[:, None]
    return _where_found(points_BTVC[..., :-1] - from_BTVC[..., :-1], confidence_BTV1 * has_parent_V1)


def motion(points_BTVC: torch.Tensor, gap: int = MOTION_GAP) -> torch.Tensor:
    """Return the motion of each joint at each step: from ``gap`` / 2 steps before it to ``gap`` / 2 steps after it.

    It is all zero within ``gap`` / 2 steps of both ends of the clip, and where the joint is missing at one of the two
    points in time; the confidence is the lower of the two.
    """
    before_BTVC, after_BTVC = points_BTVC[:, :-gap], points_BTVC[:, gap:]
    confidence_BTV1 = torch.minimum(before_BTVC[..., -1:], after_BTVC[..., -1:])
    moved_BTVC = _where_found(after_BTVC[..., :-1] - before_BTVC[..., :-1], confidence_BTV1)
    still_BTVC = torch.zeros_like(points_BTVC)
    still_BTVC[:, gap // 2 : gap // 2 + moved_BTVC.shape[1]] = moved_BTVC
    return still_BTVC


def _where_found(vectors_BTVD: torch.Tensor, confidence_BTV1: torch.Tensor) -> torch.Tensor:
    return torch.cat((torch.where(confidence_BTV1 > 0, vectors_BTVD, 0), confidence_BTV1), -1)
