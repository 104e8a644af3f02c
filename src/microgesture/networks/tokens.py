"""What a network of one input shows of a clip besides its logits: the tokens that another network can look at."""

from typing import NamedTuple

import torch


class Features(NamedTuple):
    """What a network saw: D features of each of T time steps and N places, what of it was classified, and the logits.

    Places are joints in the order of the selection, or squares of the frame row by row. ``features_BD`` is what the
    classifier sees, before its dropout; most networks average the tokens for it.
    """

    tokens_BDTN: torch.Tensor
    features_BD: torch.Tensor
    logits_BK: torch.Tensor
