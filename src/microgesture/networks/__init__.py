"""The networks: each maps its inputs, x_BCTHW or (for a skeleton) x_BCTV, to logits_BK.

* A network with P paths and a classifier for each path returns logits_PBK (see ``paths``). The name of a tensor of a
  path is one of ``path_prefixes`` followed by the tensor's name in the network that consists of this path alone.
* A tensor belongs to a classifier if one of the dotted parts of its name is ``head``.
* A network for skeletons also has ``features(x_BCTV)``, the input of its ``head``.
* A network with one input also has ``forward_features(x)``, which returns ``Features``: its tokens together with the
  logits (see ``tokens``); and ``token_width``, the number of channels of a token.
* A fused network consists of two networks with one input each (see ``token_fusion``).
* A network with a pretrained encoder (see ``pretrained_video``) has ``renamed(state)``, which gives the tensors of an
  encoder's file the names that they have in the network.
"""

import importlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..config.declarations import NetworkSettings
from ..config.modalities import SKELETONS
from ..errors import InputError

if TYPE_CHECKING:
    from torch import nn

    from ..config.encoders import Encoder
    from ..skeletons.selections import Selection


def build(
    settings: NetworkSettings,
    channels: Sequence[int],
    classes: int,
    selection: "Selection | None" = None,
    branches: Sequence[NetworkSettings] = (),
    encoder: "Encoder | None" = None,
) -> "nn.Module":
    """Build the network that the settings describe, with random weights from torch's global generator.

    ``channels`` are the channels of each input (joints, limbs, or the channels of an image or a skeleton), ``classes``
    is the number of logits. Only networks for skeletons use ``selection``: its joints and its limbs. ``branches`` are
    the settings of the two networks that a fused network consists of, in the order of its inputs. ``encoder`` is the
    pretrained encoder of a network that has one. Raises ``InputError`` if a branch cannot be fused.
    """
    module = importlib.import_module(settings.module)
    if branches:
        each = [build(branch, (of,), classes, selection) for branch, of in zip(branches, channels, strict=True)]
        for branch, network in zip(branches, each, strict=True):
            if missing := [name for name in ("forward_features", "token_width") if not hasattr(network, name)]:
                raise InputError(
                    f"network '{branch.name}' cannot be fused, because it has no {' and no '.join(missing)}; add them "
                    f"to {branch.module}, or fuse streams with other networks"
                )
        return module.build(settings, each, classes)
    others = [selection] if needs_selection(type(settings)) else []
    others += [encoder] if settings.has_encoder else []
    return module.build(settings, channels, classes, *others)


def needs_selection(network: type[NetworkSettings]) -> bool:
    """Whether a network accepts a skeleton, so that its ``build`` has a fourth argument, ``selection``."""
    return any(name in SKELETONS for kind in network.sees for name in kind)
