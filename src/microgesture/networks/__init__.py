"""The networks: each maps x_BCTHW to logits_BK, and its classifier is everything named ``head.``."""

import importlib
from typing import TYPE_CHECKING

from .settings import NetworkSettings

if TYPE_CHECKING:
    from torch import nn

# Modules by name and not imported here: a stream's code digest then follows only the network that it uses.
NETWORKS = {
    "poseconv3d": "microgesture.networks.poseconv3d",
    "video_swin": "microgesture.networks.video_swin",
}


def build(settings: NetworkSettings, channels: int, classes: int) -> "nn.Module":
    """Build the network that the settings describe, with random weights from torch's generator.

    ``channels`` is the input's (joints, limbs or image channels), ``classes`` the number of logits.
    """
    return importlib.import_module(NETWORKS[settings.name]).build(settings, channels, classes)
