"""The networks of mmaction2 and pyskl as far as their checkpoints go: the same modules under the same names.

Written for the tests from the published description (arXiv 2104.13586, 1812.03982), to compute what their checkpoints
stand for without their code.
"""

import torch
from torch import nn


class ConvBN(nn.Module):
    """A convolution and its norm, which those projects keep in one module."""

    def __init__(self, into, out, kernel, stride=(1, 1, 1)):
        super().__init__()
        self.conv = nn.Conv3d(into, out, kernel, stride, tuple(side // 2 for side in kernel), bias=False)
        self.bn = nn.BatchNorm3d(out)

    def forward(self, x):
        return self.bn(self.conv(x))


class Bottleneck(nn.Module):
    def __init__(self, into, width, stride, inflate, first):
        super().__init__()
        self.conv1 = ConvBN(into, width, (3 if inflate else 1, 1, 1))
        self.conv2 = ConvBN(width, width, (1, 3, 3), stride)
        self.conv3 = ConvBN(width, 4 * width, (1, 1, 1))
        self.downsample = ConvBN(into, 4 * width, (1, 1, 1), stride) if first else None

    def forward(self, x):
        shortcut = x if self.downsample is None else self.downsample(x)
        return torch.relu(self.conv3(torch.relu(self.conv2(torch.relu(self.conv1(x))))) + shortcut)


class Backbone(nn.Module):
    """ResNet3dSlowOnly: ``stages`` are (blocks, temporal stride, spatial stride, inflate), ``joined`` more channels."""

    def __init__(self, channels, width, stem, stages, joined=(0, 0, 0, 0)):
        super().__init__()
        self.conv1 = ConvBN(channels, width, (1, 7, 7), (1, stem, stem))
        self.maxpool = nn.MaxPool3d((1, 3, 3), (1, stem, stem), (0, 1, 1))
        into = width
        for index, (blocks, time, space, inflate) in enumerate(stages):
            layer, inner = nn.Sequential(), width * 2**index
            for block in range(blocks):
                seen = into if block else into + joined[index]
                stride = (1, 1, 1) if block else (time, space, space)
                layer.append(Bottleneck(seen, inner, stride, inflate, not block))
                into = 4 * inner
            self.add_module(f"layer{index + 1}", layer)

    def start(self, x):
        return self.maxpool(torch.relu(self.conv1(x)))

    def forward(self, x):
        x = self.start(x)
        for name in ("layer1", "layer2", "layer3", "layer4"):
            x = getattr(self, name, nn.Identity())(x)
        return x


class Deconv(nn.Module):
    def __init__(self, into, out):
        super().__init__()
        self.conv = nn.ConvTranspose3d(into, out, (7, 1, 1), (4, 1, 1), (3, 0, 0), bias=False)
        self.bn = nn.BatchNorm3d(out)

    def forward(self, x):
        B, _, T, H, W = x.shape
        return torch.relu(self.bn(self.conv(x, output_size=(B, self.bn.num_features, 4 * T, H, W))))


class Lateral(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.conv = nn.Conv3d(width, width, (7, 1, 1), (4, 1, 1), (3, 0, 0), bias=False)

    def forward(self, x):
        return self.conv(x)


SLOWONLY = ((3, 1, 1, False), (4, 1, 2, False), (6, 1, 2, True), (3, 1, 2, True))
POSECONV3D = ((4, 1, 2, False), (6, 1, 2, True), (3, 2, 2, True))


class Recognizer(nn.Module):
    """SlowOnly or PoseConv3D with its classifier ``cls_head.fc_cls``."""

    def __init__(self, channels, classes, width, stem, stages):
        super().__init__()
        self.backbone = Backbone(channels, width, stem, stages)
        self.cls_head = nn.Module()
        self.cls_head.fc_cls = nn.Linear(width * 4 * 2 ** (len(stages) - 1), classes)

    def forward(self, x):
        return self.cls_head.fc_cls(self.backbone(x).mean((2, 3, 4)))


class Paths(nn.Module):
    """The backbone of RGBPoseConv3D, with PoseConv3D's temporal strides; a lateral belongs to the path it feeds."""

    def __init__(self, channels, rgb, pose):
        super().__init__()
        self.rgb_path = Backbone(3, rgb, 2, SLOWONLY, (0, 0, 4 * pose, 8 * pose))
        self.pose_path = Backbone(channels, pose, 1, POSECONV3D, (0, pose, 2 * pose))
        self.rgb_path.layer2_lateral, self.rgb_path.layer3_lateral = Lateral(4 * pose), Lateral(8 * pose)
        self.pose_path.layer1_lateral = Deconv(8 * rgb, pose)
        self.pose_path.layer2_lateral = Deconv(16 * rgb, 2 * pose)

    def forward(self, x, y):
        rgb, pose = self.rgb_path, self.pose_path
        x, y = rgb.layer2(rgb.layer1(rgb.start(x))), pose.layer1(pose.start(y))
        x, y = torch.cat((x, rgb.layer2_lateral(y)), 1), torch.cat((y, pose.layer1_lateral(x)), 1)
        x, y = rgb.layer3(x), pose.layer2(y)
        x, y = torch.cat((x, rgb.layer3_lateral(y)), 1), torch.cat((y, pose.layer2_lateral(x)), 1)
        return rgb.layer4(x), pose.layer3(y)


class PairRecognizer(nn.Module):
    """RGBPoseConv3D with its classifiers ``cls_head.fc_rgb`` and ``cls_head.fc_pose``."""

    def __init__(self, channels, classes, rgb, pose):
        super().__init__()
        self.backbone = Paths(channels, rgb, pose)
        self.cls_head = nn.Module()
        self.cls_head.fc_rgb, self.cls_head.fc_pose = nn.Linear(32 * rgb, classes), nn.Linear(16 * pose, classes)

    def forward(self, x, y):
        x, y = self.backbone(x, y)
        return torch.stack((self.cls_head.fc_rgb(x.mean((2, 3, 4))), self.cls_head.fc_pose(y.mean((2, 3, 4)))))
