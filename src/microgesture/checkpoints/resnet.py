"""Tensor names of ResNets in checkpoints of other projects, translated to ours.

Sources: torchvision's models; ``resnet3d.py``, ``resnet3d_slowfast.py`` and ``rgbposeconv3d.py`` in
open-mmlab/mmaction2 and kennymckormick/pyskl, which agree; ``resnet2plus1d.py`` and ``conv2plus1d.py`` in mmaction2.
"""

import re

# The convolutions of a bottleneck block. In our names of their norms, norm replaces conv.
CONVOLUTIONS = {
    "conv1": "branch2.conv_a",
    "conv2": "branch2.conv_b",
    "conv3": "branch2.conv_c",
    "downsample": "branch1_conv",
}
# (path, classifier) in mmaction2's and pyskl's names, and the prefix of both in ours.
PATHS = (("rgb_path.", "cls_head.fc_rgb.", "video."), ("pose_path.", "cls_head.fc_pose.", "heatmap."))
# The parts of a split convolution, in mmaction2's names and in torchvision's, which are ours.
SPLIT = {"conv_s": "0", "bn_s": "1", "conv_t": "3"}


def from_openmmlab(name: str) -> str:
    """Translate a name of mmaction2's or pyskl's SlowOnly or PoseConv3D; a module holds a convolution and its norm."""
    if found := re.fullmatch(r"layer(\d)\.(\d+)\.(conv[123]|downsample)\.(conv|bn)\.(\w+)", name):
        stage, block, convolution, part, tensor = found.groups()
        return _in_block(stage, block, convolution, part == "bn", tensor)
    name = re.sub(r"^conv1\.conv\.", "stem.conv.", name)
    name = re.sub(r"^conv1\.bn\.", "stem.norm.", name)
    return re.sub(r"^cls_head\.fc_cls\.", "head.3.", name)


def from_torchvision_r2plus1d(name: str) -> str:
    """Translate a name of torchvision's R(2+1)D; ours has dropout before the classifier."""
    return re.sub(r"^fc\.", "head.1.", name)


def from_openmmlab_r2plus1d(name: str) -> str:
    """Translate a name of mmaction2's R(2+1)D; a module holds a split convolution and its norm."""
    if found := re.fullmatch(r"(layer\d\.\d+\.)?(conv[12]|downsample)\.(?:conv\.(conv_s|bn_s|conv_t)|bn)\.(\w+)", name):
        block, module, part, tensor = found.groups()
        if block is None:
            return f"stem.{SPLIT.get(part, '4')}.{tensor}"
        return f"{block}{module}.{f'0.{SPLIT[part]}' if part else '1'}.{tensor}"
    return re.sub(r"^cls_head\.fc_cls\.", "head.1.", name)


def from_torchvision(name: str) -> str:
    """Translate a name of torchvision's ResNet."""
    if found := re.fullmatch(r"layer(\d)\.(\d+)\.(conv|bn)([123])\.(\w+)", name):
        stage, block, part, number, tensor = found.groups()
        return _in_block(stage, block, f"conv{number}", part == "bn", tensor)
    if found := re.fullmatch(r"layer(\d)\.(\d+)\.downsample\.([01])\.(\w+)", name):
        stage, block, part, tensor = found.groups()
        return _in_block(stage, block, "downsample", part == "1", tensor)
    name = re.sub(r"^conv1\.", "stem.conv.", name)
    name = re.sub(r"^bn1\.", "stem.norm.", name)
    return re.sub(r"^fc\.", "head.3.", name)


def from_openmmlab_pair(name: str) -> str:
    """Translate a name of the RGBPoseConv3D of mmaction2 or pyskl; lateral connections belong to their target path."""
    if found := re.fullmatch(r"rgb_path\.layer([23])_lateral\.conv\.(\w+)", name):
        return f"lateral.{int(found[1]) - 2}.to_video.{found[2]}"
    if found := re.fullmatch(r"pose_path\.layer([12])_lateral\.(conv|bn)\.(\w+)", name):
        return f"lateral.{int(found[1]) - 1}.to_heatmaps.{0 if found[2] == 'conv' else 1}.{found[3]}"
    for path, classifier, prefix in PATHS:
        if name.startswith(path):
            return prefix + from_openmmlab(name.removeprefix(path))
        if name.startswith(classifier):
            return f"{prefix}head.3.{name.removeprefix(classifier)}"
    return name


def _in_block(stage: str, block: str, convolution: str, norm: bool, tensor: str) -> str:
    place = CONVOLUTIONS[convolution].replace("conv", "norm") if norm else CONVOLUTIONS[convolution]
    return f"stages.{int(stage) - 1}.res_blocks.{block}.{place}.{tensor}"
