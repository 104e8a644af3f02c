"""PoseConv3D: a 3-D ResNet over stacked heatmaps, "Revisiting Skeleton-based Action Recognition", arXiv 2104.13586.

This is the SlowOnly-R50 variant for keypoints: no early pooling in space, three stages instead of four, and full
temporal resolution up to the last stage.
"""

from collections.abc import Sequence

from ..config.networks import PoseConv3DSettings
from .resnet import SlowResNet, Stage

STAGES = (Stage(4, 1, 1, 2), Stage(6, 3, 1, 2), Stage(3, 3, 2, 2))


class PoseConv3D(SlowResNet):
    """Logits_BK of heatmaps_BVTHW; 2,040,288 parameters for 36 channels, 32 classes and width 32.

    Side and number of frames are free; space is halved three times and time once. For ``joined`` see ``SlowResNet``.
    """

    def __init__(
        self,
        channels: int,
        classes: int,
        width: int = 32,
        dropout: float = 0.5,
        joined: Sequence[int] | None = None,
    ) -> None:
        super().__init__(channels, classes, width, dropout, stem=1, stages=STAGES, joined=joined)


def build(settings: PoseConv3DSettings, channels: Sequence[int], classes: int) -> PoseConv3D:
    """Build the network that the settings describe, for the channels of its one input."""
    (of_heatmaps,) = channels
    return PoseConv3D(of_heatmaps, classes, settings.width, settings.dropout)
