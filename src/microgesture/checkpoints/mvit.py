"""Names of MViTv2's tensors in its authors' and in mmaction2's checkpoints, and what they are in torchvision's network.

Torchvision's names are ours. Facts from torchvision's ``mvit.py``, from ``mvit.py``, ``mvit_head.py`` and ``embed.py``
in open-mmlab/mmaction2 1.2 and from ``attention.py``, ``stem_helper.py`` and ``video_model_builder.py`` in
facebookresearch/SlowFast. All three compute the same, but for what torchvision's norms add to a variance, 1e-6, which
is 1e-5 in some of the authors'. Where a checkpoint doubles the width in a block's last layers (``dim_mul_in_attention``
is false, as in mmaction2's MaskFeat) those blocks have other shapes, and start new.
"""

import re

# What names hold there, and what they hold here, one after the other.
RENAMED = (
    (r"^patch_embed\.proj(ection)?\.", "conv_proj."),
    (r"^cls_token$", "pos_encoding.class_token"),
    (r"^(blocks\.\d+)\.proj\.", r"\1.project."),
    (r"\.attn\.proj\.", ".attn.project.0."),
    (r"\.attn\.pool_([qkv])\.", r".attn.pool_\1.pool."),
    (r"\.attn\.norm_([qkv])\.", r".attn.pool_\1.norm_act.0."),
    (r"\.mlp\.fc1\.", ".mlp.0."),
    (r"\.mlp\.fc2\.", ".mlp.3."),
    (r"^norm3\.", "norm."),  # mmaction2 counts the stage that it stands behind
    (r"^(head\.projection|cls_head\.fc_cls)\.", "head.1."),
)


def from_torchvision(name: str) -> str:
    """A name in torchvision's MViT, which is the same here."""
    return name


def from_authors(name: str) -> str:
    """A name in the authors' MViTv2 (arXiv 2112.01526) or in mmaction2's."""
    for theirs, ours in RENAMED:
        name = re.sub(theirs, ours, name)
    return name
