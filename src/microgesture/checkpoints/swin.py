"""Names of Swin's tensors in other projects' checkpoints, and what they are in torchvision's Video Swin, which is ours.

Facts from torchvision's models and from ``swin_transformer.py`` and ``swin.py`` in SwinTransformer/
Video-Swin-Transformer and open-mmlab/mmaction2.
"""

import re


def from_torchvision(name: str) -> str:
    """A name in torchvision's Video Swin: ours has dropout before the classifier."""
    return re.sub(r"^head\.(weight|bias)$", r"head.1.\1", name)


def from_torchvision_images(name: str) -> str:
    """A name in torchvision's Swin for images, whose first feature is the patch embedding."""
    name = re.sub(r"^features\.0\.0\.", "patch_embed.proj.", name)
    name = re.sub(r"^features\.0\.2\.", "patch_embed.norm.", name)
    name = re.sub(r"^features\.(\d+)\.", lambda found: f"features.{int(found[1]) - 1}.", name)
    return from_torchvision(name)


def from_authors(name: str) -> str:
    """A name in the authors' Swin (arXiv 2103.14030), their Video Swin (arXiv 2106.13230) or mmaction2's."""
    name = re.sub(r"^cls_head\.fc_cls\.", "head.", name)
    name = re.sub(r"^norm3\.", "norm.", name)  # mmaction2 counts the stage that it stands behind
    name = re.sub(r"^layers\.(\d+)\.blocks\.", lambda found: f"features.{2 * int(found[1])}.", name)
    name = re.sub(r"^layers\.(\d+)\.downsample\.", lambda found: f"features.{2 * int(found[1]) + 1}.", name)
    name = name.replace(".mlp.fc1.", ".mlp.0.").replace(".mlp.fc2.", ".mlp.3.")
    return from_torchvision(name)
