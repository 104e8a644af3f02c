"""Tensor names of SwinFace in the checkpoint of its authors, translated to ours.

Sources: ``backbones/swin.py``, ``analysis/subnets.py``, ``analysis/cbam.py`` and ``train.py`` in lxq1000/SwinFace. The
checkpoint has the parts ``backbone``, ``fam`` (eleven branches, each with attention over features), ``tss`` (a subnet
for each branch) and ``om`` (the outputs).
"""

import re

EXPRESSION = 2  # number of the branch for smiling and seven expressions


def from_authors(name: str) -> str:
    """Translate a name; tensors of the other branches and of face identification keep names that do not match ours."""
    name = re.sub(r"^patch_embed\.proj\.", "encoder.swin.0.0.", name)
    name = re.sub(r"^patch_embed\.norm\.", "encoder.swin.0.2.", name)
    name = re.sub(r"^layers\.(\d+)\.blocks\.", lambda found: f"encoder.swin.{2 * int(found[1]) + 1}.", name)
    name = re.sub(r"^layers\.(\d+)\.downsample\.", lambda found: f"encoder.swin.{2 * int(found[1]) + 2}.", name)
    name = name.replace(".mlp.fc1.", ".mlp.0.").replace(".mlp.fc2.", ".mlp.3.")
    name = re.sub(rf"^fam\.nets\.{EXPRESSION}\.conv\.convs\.", "encoder.attention.convs.", name)
    name = re.sub(rf"^fam\.nets\.{EXPRESSION}\.channel_attention\.mlp\.1\.", "encoder.attention.weigh.0.", name)
    name = re.sub(rf"^fam\.nets\.{EXPRESSION}\.channel_attention\.mlp\.3\.", "encoder.attention.weigh.2.", name)
    name = re.sub(rf"^fam\.nets\.{EXPRESSION}\.norm\.", "encoder.attention.norm.", name)
    name = re.sub(rf"^tss\.nets\.{EXPRESSION}\.feature\.", "encoder.subnet.", name)
    return re.sub(r"^(norm|head|feature)\.", r"backbone.\1.", name)
