"""SlowOnly: a 3-D ResNet over few frames, the slow half of "SlowFast Networks", arXiv 1812.03982.

This is the ResNet-50 of the video path of RGBPoseConv3D (arXiv 2104.13586). It has no stride in time, and only the
last two stages have temporal convolutions.
"""

from collections.abc import Sequence

from ..config.networks import SlowOnlySettings
from .resnet import SlowResNet, Stage

STAGES = (Stage(3, 1, 1, 1), Stage(4, 1, 1, 2), Stage(6, 3, 1, 2), Stage(3, 3, 1, 2))


class SlowOnly(SlowResNet):
    """Logits_BK of x_BCTHW; 31,700,064 parameters for 3 channels, 32 classes and width 64.

    Side and number of frames are free; space is halved five times. For ``joined`` see ``SlowResNet``.
    """

    def __init__(
        self,
        channels: int,
        classes: int,
        width: int = 64,
        dropout: float = 0.5,
        joined: Sequence[int] | None = None,
    ) -> None:
        super().__init__(channels, classes, width, dropout, stem=2, stages=STAGES, joined=joined)


def build(settings: SlowOnlySettings, channels: Sequence[int], classes: int) -> SlowOnly:
    """Build the network that the settings describe, for the channels of its one input."""
    (of_video,) = channels
    return SlowOnly(of_video, classes, settings.width, settings.dropout)
