"""Tensor names of MViTv2 in checkpoints of its authors and of mmaction2, translated to torchvision's names.

Torchvision's names are ours. Sources: torchvision's ``mvit.py``; ``mvit.py``, ``mvit_head.py`` and ``embed.py`` in
open-mmlab/mmaction2 1.2; ``attention.py``, ``stem_helper.py`` and ``video_model_builder.py`` in
facebookresearch/SlowFast. All three compute the same, except for the epsilon of the layer norms: 1e-6 in torchvision,
1e-5 in some of the authors' norms. In some checkpoints the last layers of a block double the width
(``dim_mul_in_attention`` is false, as in mmaction2's MaskFeat); those blocks have other shapes and are not loaded.
"""

import re

# (pattern in their names, replacement in ours), applied in order.
RENAMED = (
    (r"^patch_embed\.proj(ection)?\.", "conv_proj."),
    (r"^cls_token$", "pos_encoding.class_token"),
    (r"^(blocks\.\d+)\.proj\.", r"\1.project."),
    (r"\.attn\.proj\.", ".attn.project.0."),
    (r"\.attn\.pool_([qkv])\.", r".attn.pool_\1.pool."),
    (r"\.attn\.norm_([qkv])\.", r".attn.pool_\1.norm_act.0."),
    (r"\.mlp\.fc1\.", ".mlp.0."),
    (r"\.mlp\.fc2\.", ".mlp.3."),
    (r"^norm3\.", "norm."),  # mmaction2 numbers the norm by the stage before it
    (r"^(head\.projection|cls_head\.fc_cls)\.", "head.1."),
)


def from_torchvision(name: str) -> str:
    """Translate a name of torchvision's MViT; it is the same here."""
    return name


def from_authors(name: str) -> str:
    """Translate a name of the MViTv2 of its authors (arXiv 2112.01526) or of mmaction2."""
    for theirs, ours in RENAMED:
        name = re.sub(theirs, ours, name)
    return name
