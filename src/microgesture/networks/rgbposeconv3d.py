"""RGBPoseConv3D: a video path and a heatmap path with lateral connections, arXiv 2104.13586.

The video path is SlowOnly, the heatmap path is PoseConv3D. After SlowOnly's second and third stage, and PoseConv3D's
first and second, each path receives the other's features as additional channels of its next stage.

As published, the heatmap path never halves time, although the last stage of the PoseConv3D that it starts from does.
The shapes of the weights are the same in both cases.
"""

from collections.abc import Sequence

import torch
from torch import nn

from ..config.networks import RGBPoseConv3DSettings
from .poseconv3d import STAGES
from .resnet import EXPANSION, SlowResNet
from .slowonly import SlowOnly

EXCHANGES = 2
KERNEL = 7  # heatmap frames that a lateral connection covers


class Exchange(nn.Module):
    """The lateral connections after one stage: features of each path are concatenated to those of the other.

    The heatmaps have ``ratio`` frames for each frame of the video. A strided convolution maps heatmap features to the
    video path and keeps their channels. A transposed convolution maps video features to the heatmap path, with a
    quarter of the heatmap path's channels. Both use the features from before the exchange.
    """

    def __init__(self, of_video: int, of_heatmaps: int, ratio: int) -> None:
        super().__init__()
        over_time = {
            "kernel_size": (KERNEL, 1, 1),
            "stride": (ratio, 1, 1),
            "padding": (KERNEL // 2, 0, 0),
            "bias": False,
        }
        self.to_video = nn.Conv3d(of_heatmaps, of_heatmaps, **over_time)
        self.to_heatmaps = nn.Sequential(
            # output_padding makes the output exactly ratio times as long
            nn.ConvTranspose3d(of_video, of_heatmaps // EXPANSION, output_padding=(ratio - 1, 0, 0), **over_time),
            nn.BatchNorm3d(of_heatmaps // EXPANSION),
            nn.ReLU(),
        )
        nn.init.kaiming_normal_(self.to_video.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, video_BCTHW: torch.Tensor, heatmaps_BCTHW: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        to_video_BCTHW, to_heatmaps_BCTHW = self.to_video(heatmaps_BCTHW), self.to_heatmaps(video_BCTHW)
        return torch.cat((video_BCTHW, to_video_BCTHW), 1), torch.cat((heatmaps_BCTHW, to_heatmaps_BCTHW), 1)


class RGBPoseConv3D(nn.Module):
    """Logits_PBK of a video x_BCTHW and heatmaps_BVTHW; the video path comes first.

    The heatmaps must have ``ratio`` times the frames of the video and a quarter of its side, else ``ValueError``. Side
    and number of frames are free. The network has 36,105,984 parameters for 36 heatmaps, 32 classes and the published
    widths.

    The name of a weight is the prefix of its path and its name in SlowOnly or PoseConv3D. Its shape is the same as
    there, except where the other path's features are concatenated: additional input channels follow at the end.
    """

    path_prefixes = ("video.", "heatmap.")  # in the order of the inputs and of the logits

    def __init__(
        self,
        channels: Sequence[int],
        classes: int,
        video_width: int = 64,
        heatmap_width: int = 32,
        dropout: float = 0.5,
        ratio: int = 4,
    ) -> None:
        super().__init__()
        of_video, of_heatmaps = channels
        inner = [heatmap_width * 2**index for index in range(EXCHANGES)]  # of the heatmap stages before an exchange
        self.video = SlowOnly(
            of_video, classes, video_width, dropout, joined=(0, 0, *(EXPANSION * width for width in inner))
        )
        stages = [stage._replace(time=1) for stage in STAGES]
        self.heatmap = SlowResNet(of_heatmaps, classes, heatmap_width, dropout, 1, stages, joined=(0, *inner))
        self.lateral = nn.ModuleList(
            Exchange(EXPANSION * video_width * 2 ** (index + 1), EXPANSION * width, ratio)
            for index, width in enumerate(inner)
        )
        self._ratio, self.setting = ratio, f"frame_ratio: {ratio}"
        self.to(memory_format=torch.channels_last_3d)

    def forward(self, x_BCTHW: torch.Tensor, heatmaps_BVTHW: torch.Tensor) -> torch.Tensor:
        video_BCTHW = self.video.stages[0](self.video.stem(x_BCTHW))
        pose_BCTHW = self.heatmap.stem(heatmaps_BVTHW)
        for index, stage in enumerate(self.heatmap.stages):
            video_BCTHW, pose_BCTHW = self.video.stages[index + 1](video_BCTHW), stage(pose_BCTHW)
            if index == 0:
                self._refuse_mismatch(x_BCTHW, heatmaps_BVTHW, video_BCTHW, pose_BCTHW)
            if index < EXCHANGES:
                video_BCTHW, pose_BCTHW = self.lateral[index](video_BCTHW, pose_BCTHW)
        return torch.stack((self.video.head(video_BCTHW), self.heatmap.head(pose_BCTHW)))

    def _refuse_mismatch(
        self, x_BCTHW: torch.Tensor, heatmaps_BVTHW: torch.Tensor, video_BCTHW: torch.Tensor, pose_BCTHW: torch.Tensor
    ) -> None:
        T, H, W = video_BCTHW.shape[2:]
        if pose_BCTHW.shape[2:] != (T * self._ratio, H, W):
            raise ValueError(
                f"a video of {_size(x_BCTHW)} does not match heatmaps of {_size(heatmaps_BVTHW)}; the heatmaps need "
                f"{self._ratio} times the video's frames and a quarter of its side"
            )


def _size(x_BCTHW: torch.Tensor) -> str:
    T, H, W = x_BCTHW.shape[2:]
    return f"{T} frames of {W} x {H}"


def build(settings: RGBPoseConv3DSettings, channels: Sequence[int], classes: int) -> RGBPoseConv3D:
    """Build the network that the settings describe, for the channels of the video and of the heatmaps."""
    return RGBPoseConv3D(
        channels, classes, settings.video_width, settings.heatmap_width, settings.dropout, settings.frame_ratio
    )
