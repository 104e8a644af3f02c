"""Names of SwinFace's tensors in its authors' checkpoint, and what they are in ours.

Facts from ``backbones/swin.py``, ``analysis/subnets.py``, ``analysis/cbam.py`` and ``train.py`` in lxq1000/SwinFace.
The checkpoint has the parts ``backbone``, ``fam`` (eleven branches, each with its attention to features), ``tss`` (a
subnet for each) and ``om`` (what they say).
"""

import re

EXPRESSION = 2  # the branch of smiling and of seven expressions; before it come gender and age


def from_authors(name: str) -> str:
    """A name in the checkpoint; the other branches keep theirs, and so does what only recognises people."""
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
