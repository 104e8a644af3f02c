"""Initial weights of transformers that are narrower than the published ones."""

from torch import nn


def keep_variance(blocks: nn.Module) -> None:
    """Initialise every linear layer so that it preserves the variance of its input.

    The published standard deviation of 0.02 is meant for wide layers and long training. In narrow networks the residual
    branches would contribute almost nothing at first, and a short training would end too early.
    """
    for module in blocks.modules():
        if isinstance(module, nn.Linear):
            nn.init.trunc_normal_(module.weight, std=module.in_features**-0.5)
