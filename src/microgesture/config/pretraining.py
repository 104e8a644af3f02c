"""Settings of pretraining: a network learns from clips without their labels. Does not import torch."""

from typing import Literal

from pydantic import Field

from .base import Name, Settings
from .modalities import SKELETONS
from .networks import SkeletonTransformerSettings
from .streams import TrainStep


class MaskedMotionSettings(Settings):
    """Masked motion prediction (MAMP, arXiv 2308.07092)."""

    ratio: float = Field(0.9, gt=0, lt=1, description="fraction of the tokens that are hidden")
    temperature: float = Field(
        0.8, gt=0, description="the smaller it is, the more the hidden tokens are those that move most"
    )
    decoder_depth: int = Field(5, ge=1, le=100, description="number of blocks of the decoder")


class Pretraining(Settings):
    """A network that learns to predict the motion of hidden joints; streams with ``pretraining`` start from it."""

    corpora: tuple[Name, ...] = Field(min_length=1, description="keys of corpora; their labels are not used")
    test_clips: bool = Field(True, description="also learn from the clips of test, without labels")
    input: Literal[SKELETONS] = Field(description="input of the network, the same as in the streams that start from it")
    network: SkeletonTransformerSettings = Field(description="its sizes are those of the streams that start from it")
    recipe: Name = Field(description="a key of recipes; its loss is not used")
    masking: MaskedMotionSettings = MaskedMotionSettings()


class PretrainStep(TrainStep):
    """A network to pretrain."""

    masking: MaskedMotionSettings
