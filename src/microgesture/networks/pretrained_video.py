"""A pretrained video encoder and a head: probing, low-rank adapters (LoRA, arXiv 2106.09685), or full training.

The encoder was trained on millions of videos, so a few hundred clips suffice to train a head. Its tokens are averaged
over the picture, or over the cells of a coarse grid, but not over time, because micro-gestures differ in their course.
So a view of a clip is stored as T x N x D numbers: 8 x 1 x 768 for VideoMAE, 12 kB as float16. All of its 1568 tokens
would take 2.4 MB.
"""

import re
from collections.abc import Mapping, Sequence

import torch
from torch import nn

from ..config.encoders import Encoder
from ..config.pretrained_video import LoraSettings, PretrainedVideoSettings
from ..errors import InputError
from ..machine.extras import install_hint
from .video_encoders import VideoEncoder

QUERIES_KEYS_VALUES = ("query", "key", "value", "qkv", "q_proj", "k_proj", "v_proj")
LAYER = re.compile(r"\.layers?\.(\d+)\.")
ADAPTED = ".base_layer."  # what peft inserts into the names of the tensors of an adapted layer


class MeanPool(nn.Module):
    """The mean of tokens_BND, with a norm."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)

    def forward(self, tokens_BND: torch.Tensor) -> torch.Tensor:
        return self.norm(tokens_BND.mean(1))


class AttentivePool(nn.Module):
    """The answer to a learned query that attends to tokens_BND, with norms before and after.

    V-JEPA (arXiv 2404.08471) probes encoders so, with a further MLP.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.query = nn.Parameter(0.02 * torch.randn(1, 1, width))
        self.norm_in, self.norm_out = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(width, heads, batch_first=True)

    def forward(self, tokens_BND: torch.Tensor) -> torch.Tensor:
        keys_BND = self.norm_in(tokens_BND)
        query_B1D = self.query.expand(len(keys_BND), -1, -1)
        answer_B1D, _ = self.attention(query_B1D, keys_BND, keys_BND, need_weights=False)
        return self.norm_out(answer_B1D[:, 0])


class PretrainedVideo(nn.Module):
    """Logits_BK of videos x_BCTHW; without ``encoder``, of its tokens_BTND, which were computed before."""

    def __init__(self, encoder: VideoEncoder | None, pool: nn.Module, width: int, classes: int, dropout: float) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = nn.Sequential(pool, nn.Dropout(dropout), nn.Linear(width, classes))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        tokens_BTND = self.encoder(x) if self.encoder is not None else x
        return self.head(tokens_BTND.flatten(1, 2))

    def layer_of(self, name: str) -> int:
        """The layer of a parameter for ``layer_decay``: 0 for embeddings, then the blocks, the last for the rest."""
        if found := LAYER.search(name):
            return 1 + int(found[1])
        return 0 if ".embeddings." in name else self.layers

    @property
    def layers(self) -> int:
        """The number of the last layer."""
        return 1 + max((1 + int(found[1]) for name in self.state_dict() if (found := LAYER.search(name))), default=0)

    def renamed(self, state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Tensors with the names that they have in this network, whose layers may be adapted."""
        own = self.state_dict()
        found = {}
        for name, tensor in state.items():
            layer, _, kind = name.rpartition(".")
            adapted = f"{layer}{ADAPTED}{kind}"
            found[adapted if adapted in own else name] = tensor
        return found


def adapt(encoder: nn.Module, lora: LoraSettings) -> None:
    """Add adapters to linear layers of an encoder, and freeze all other weights; they change nothing at first.

    Raises ``InputError`` if peft is not installed, or if no layer has the name of a target.
    """
    try:
        import peft  # an extra
    except ModuleNotFoundError as missing:
        raise InputError(
            f"tune: lora needs packages that are not installed ({missing.name} is missing): "
            f"{install_hint('pretrained')}"
        ) from None
    wanted = lora.targets or QUERIES_KEYS_VALUES
    linear = [name for name, module in encoder.named_modules() if isinstance(module, nn.Linear)]
    chosen = [name for name in linear if name.rpartition(".")[2] in wanted]
    absent = [target for target in lora.targets or () if not any(name.endswith(f".{target}") for name in linear)]
    if absent or not chosen:
        known = ", ".join(sorted({name.rpartition(".")[2] for name in linear}))
        raise InputError(
            f"lora.targets: the encoder has no linear layer {', '.join(absent) or 'of these names'}; choose of {known}"
        )
    settings = peft.LoraConfig(r=lora.rank, lora_alpha=lora.alpha, target_modules=chosen, lora_dropout=0.0)
    peft.inject_adapter_in_model(settings, encoder)


def build(
    settings: PretrainedVideoSettings, channels: Sequence[int], classes: int, encoder: Encoder | None
) -> PretrainedVideo:
    """Build the network that the settings describe, with random weights; raises ``InputError`` without an encoder.

    If the tokens of ``encoder`` are stored, the network is the head alone.
    """
    if encoder is None:
        raise InputError(
            "network pretrained_video needs the description of its encoder, which the stage encoder writes; give it "
            "with --encoder"
        )
    video = None if encoder.stored else VideoEncoder(encoder, settings.grid)
    width = encoder.config["hidden_size"]
    if settings.head == "attentive" and width % settings.heads:
        raise InputError(
            f"network pretrained_video: the tokens of {encoder.model} have {width} channels, not a multiple of heads, "
            f"{settings.heads}; change heads"
        )
    if video is not None and settings.tune == "lora":
        adapt(video, settings.lora)
    if video is not None and settings.tune == "probe":
        video.requires_grad_(False)
    pool = AttentivePool(width, settings.heads) if settings.head == "attentive" else MeanPool(width)
    return PretrainedVideo(video, pool, width, classes, settings.dropout)
