"""The layouts of checkpoints, and the inflation of 2-D weights to 3-D.

The layout of a checkpoint follows from the names of its tensors, so there is no setting for it. For a video of equal
frames, an inflated network computes what the image network computes for one frame.
"""

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch

from . import mvit, resnet, swin, swinface

# Not learned; they follow from the shape of an attention window.
DERIVED = ("relative_position_index", "attn_mask")
POSITIONS = "relative_position_bias_table"
CLASS_TOKEN = "pos_encoding.class_token"


class Layout(NamedTuple):
    """A naming of tensors: ``mark`` is a name that only this layout has, ``ours`` translates a name to ours.

    If other settings of our network have tensors of the same shapes, but compute something else, ``setting`` is the one
    that is needed, as the network's attribute of this name states it.
    """

    title: str
    mark: str
    ours: Callable[[str], str]
    setting: str | None = None


LAYOUTS = (
    # Before Swin's layouts, because SwinFace contains a Swin.
    Layout("SwinFace as its authors name it", "fam.nets.2.conv.convs.0.weight", swinface.from_authors),
    Layout("torchvision's Video Swin", "features.0.0.attn.qkv.weight", swin.from_torchvision),
    Layout("torchvision's Swin for images", f"features.1.0.attn.{POSITIONS}", swin.from_torchvision_images),
    Layout("Swin as its authors and mmaction2 name it", f"layers.0.blocks.0.attn.{POSITIONS}", swin.from_authors),
    Layout("torchvision's MViT", CLASS_TOKEN, mvit.from_torchvision),
    Layout("MViTv2 as its authors and mmaction2 name it", "blocks.0.attn.norm_q.weight", mvit.from_authors),
    Layout("torchvision's ResNet", "layer1.0.conv1.weight", resnet.from_torchvision),
    Layout(
        "torchvision's R(2+1)D",
        "layer1.0.conv1.0.0.weight",
        resnet.from_torchvision_r2plus1d,
        "variant: torchvision",
    ),
    Layout(
        "mmaction2's R(2+1)D",
        "layer1.0.conv1.conv.conv_s.weight",
        resnet.from_openmmlab_r2plus1d,
        "variant: mmaction2",
    ),
    Layout("mmaction2's and pyskl's SlowOnly or PoseConv3D", "conv1.conv.weight", resnet.from_openmmlab),
    Layout(
        "mmaction2's and pyskl's RGBPoseConv3D",
        "rgb_path.conv1.conv.weight",
        resnet.from_openmmlab_pair,
        "frame_ratio: 4",
    ),
)


def translate(state: Mapping[str, torch.Tensor]) -> tuple[Layout | None, dict[str, torch.Tensor]]:
    """The layout, and the tensors under our names; unknown names are kept.

    The layout is None if none matches. Tensors that follow from the shape of a window are removed.
    """
    plain = {re.sub(r"^(module\.)?(backbone\.)?", "", name): tensor for name, tensor in state.items()}
    learned = {name: tensor for name, tensor in plain.items() if not name.endswith(DERIVED)}
    for layout in LAYOUTS:
        if layout.mark in learned:
            return layout, {layout.ours(name): tensor for name, tensor in learned.items()}
    return None, learned


def adapt(state: Mapping[str, torch.Tensor], shapes: Mapping[str, torch.Size]) -> dict[str, torch.Tensor]:
    """The tensors that match ``shapes`` by name and shape, after inflation to 3-D if the state is 2-D.

    A 2-D kernel is repeated over time and divided by its temporal length. A position table is repeated for every
    temporal distance. This is how Video Swin is initialised from Swin (arXiv 2106.13230). A class token is flattened.
    """
    flat = any(tensor.dim() == 4 for tensor in state.values())
    fitting = {}
    for name, tensor in state.items():
        if name in shapes:
            adapted = _inflated(name, tensor, shapes[name]) if flat else tensor
            adapted = adapted.flatten() if name == CLASS_TOKEN else adapted
            if adapted.shape == shapes[name]:
                fitting[name] = adapted
    return fitting


def _inflated(name: str, tensor: torch.Tensor, shape: torch.Size) -> torch.Tensor:
    if tensor.dim() == 4 and tensor.shape == shape[:2] + shape[3:]:
        return tensor.unsqueeze(2).expand(shape) / shape[2]
    if name.endswith(POSITIONS) and shape[0] % tensor.shape[0] == 0:
        return tensor.repeat(shape[0] // tensor.shape[0], 1)
    return tensor
