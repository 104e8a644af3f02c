"""Tensor names of Swin in checkpoints of other projects, translated to torchvision's Video Swin, which we use.

Sources: torchvision's models; ``swin_transformer.py`` and ``swin.py`` in SwinTransformer/Video-Swin-Transformer and
open-mmlab/mmaction2.
"""

import re


def from_torchvision(name: str) -> str:
    """Translate a name of torchvision's Video Swin; ours has dropout before the classifier."""
    return re.sub(r"^head\.(weight|bias)$", r"head.1.\1", name)


def from_torchvision_images(name: str) -> str:
    """Translate a name of torchvision's Swin for images, in which ``features.0`` is the patch embedding."""
    name = re.sub(r"^features\.0\.0\.", "patch_embed.proj.", name)
    name = re.sub(r"^features\.0\.2\.", "patch_embed.norm.", name)
    name = re.sub(r"^features\.(\d+)\.", lambda found: f"features.{int(found[1]) - 1}.", name)
    return from_torchvision(name)


def from_authors(name: str) -> str:
    """Translate a name of Swin (arXiv 2103.14030) or Video Swin (arXiv 2106.13230) of their authors or of mmaction2."""
    name = re.sub(r"^cls_head\.fc_cls\.", "head.", name)
    name = re.sub(r"^norm3\.", "norm.", name)  # mmaction2 numbers the norm by the stage before it
    name = re.sub(r"^layers\.(\d+)\.blocks\.", lambda found: f"features.{2 * int(found[1])}.", name)
    name = re.sub(r"^layers\.(\d+)\.downsample\.", lambda found: f"features.{2 * int(found[1]) + 1}.", name)
    name = name.replace(".mlp.fc1.", ".mlp.0.").replace(".mlp.fc2.", ".mlp.3.")
    return from_torchvision(name)
