"""The networks: each maps one x_BCTHW for each of its inputs, or one x_BCTV of a skeleton, to logits_BK.

A network with a classifier for each of its P paths gives logits_PBK (see ``paths``). A path's tensors have the names of
the network that is this path alone, behind one of ``path_prefixes``. A tensor belongs to a classifier if one of the
dotted parts of its name is ``head``. A network for skeletons also gives ``features(x_BCTV)``, which its ``head``
classifies. A network of one input also gives ``see(x)``, a ``Seen``, which holds its tokens beside the logits (see
``tokens``), and ``token_width``, their channels. A fused network is made of two of these (see ``token_fusion``).
"""

import importlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..config.declarations import NetworkSettings
from ..config.modalities import SKELETONS

if TYPE_CHECKING:
    from torch import nn

    from ..skeletons.keypoints import Selection


def build(
    settings: NetworkSettings,
    channels: Sequence[int],
    classes: int,
    selection: "Selection | None" = None,
    branches: Sequence[NetworkSettings] = (),
) -> "nn.Module":
    """Build the network that the settings describe, with random weights from torch's generator.

    ``channels`` are each input's (joints, limbs, or channels of an image or a skeleton), ``classes`` the number of
    logits. The joints of a ``selection`` and how they hang together shape a network for skeletons, and no other.
    ``branches`` are the two networks that a fused one is made of, in the order of its inputs.
    """
    module = importlib.import_module(settings.module)
    if branches:
        each = [build(branch, (of,), classes, selection) for branch, of in zip(branches, channels, strict=True)]
        return module.build(settings, each, classes)
    skeleton = (selection,) if SKELETONS in settings.sees else ()
    return module.build(settings, channels, classes, *skeleton)
