"""The features of a clip that a network with one input computes besides its logits."""

from typing import NamedTuple

import torch


class Features(NamedTuple):
    """Tokens with D channels at T time steps and N positions, the input of the classifier, and the logits.

    Positions are the joints in the order of the selection, or the cells of a grid over the frame, row by row.
    ``features_BD`` is the input of the classifier before dropout; in most networks it is the mean of the tokens.
    """

    tokens_BDTN: torch.Tensor
    features_BD: torch.Tensor
    logits_BK: torch.Tensor
