"""The networks: each maps one x_BCTHW for each of its inputs to logits_BK.

A network with a classifier for each of its P paths gives logits_PBK (see ``paths``). A path's tensors have the names of
the network that is this path alone, behind one of ``path_prefixes``. A tensor belongs to a classifier if one of the
dotted parts of its name is ``head``.
"""

import importlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from .settings import NetworkSettings

if TYPE_CHECKING:
    from torch import nn

# Modules by name and not imported here: a stream's code digest then follows only the network that it uses.
NETWORKS = {
    "poseconv3d": "microgesture.networks.poseconv3d",
    "slowonly": "microgesture.networks.slowonly",
    "rgbposeconv3d": "microgesture.networks.rgbposeconv3d",
    "video_swin": "microgesture.networks.video_swin",
}


def build(settings: NetworkSettings, channels: Sequence[int], classes: int) -> "nn.Module":
    """Build the network that the settings describe, with random weights from torch's generator.

    ``channels`` are each input's (joints, limbs or image channels), ``classes`` the number of logits.
    """
    return importlib.import_module(NETWORKS[settings.name]).build(settings, channels, classes)
