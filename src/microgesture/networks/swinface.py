"""SwinFace (arXiv 2308.11509): a Swin Transformer over an aligned face, and of its branches the one of expression.

The network is that of lxq1000/SwinFace, whose eleven branches look at what all stages of one backbone have found. The
branch of smiling and of seven expressions is kept; the others tell who somebody is, how old and with what hair. That a
stream sees the average of a clip's frames is ours.
"""

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional

from ..config.networks import SwinFaceSettings
from .compat import prepare_torchvision
from .tokens import Features

prepare_torchvision()

from torchvision.models import SwinTransformer  # noqa: E402

WINDOW = 7  # tokens each way that attend to each other
HEAD_WIDTH = 32  # channels of one attention head, as published; a network narrower than that has one head
REDUCTION = 16  # CBAM's, of the channels within its attention


class FaceEncoder(nn.Module):
    """Embedding_BD of faces x_BCHW: aligned RGB (see ``modalities.face``), (x / 255 - 0.5) / 0.5 as published.

    The arguments are those of ``SwinFaceSettings``. Any side will do; 112 pixels with patches of 2 as published.
    """

    def __init__(
        self,
        width: int = 96,
        depths: Sequence[int] = (2, 2, 6, 2),
        patch: int = 2,
        embedding: int = 512,
        drop_path: float = 0.1,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        heads = max(count for count in range(1, max(1, width // HEAD_WIDTH) + 1) if width % count == 0)
        self.swin = SwinTransformer(
            patch_size=[patch, patch],
            embed_dim=width,
            depths=list(depths),
            num_heads=[heads * 2**stage for stage in range(len(depths))],
            window_size=[WINDOW, WINDOW],
            stochastic_depth_prob=drop_path,
        ).features
        behind = [width * 2 ** min(stage + 1, len(depths) - 1) for stage in range(len(depths))]
        self.attention = FeatureAttention(behind, embedding)
        self.subnet = nn.Sequential(*_layer(embedding, dropout), *_layer(embedding, dropout))
        # Every linear layer keeps the variance of its input. The published weights of 0.02 are meant for wide layers
        # and long training; narrow ones would add next to nothing at first.
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=module.in_features**-0.5)

    def features(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        """Features_BDHW, what is pooled for the embedding: 7 x 7 places of a face of 112 x 112 pixels."""
        levels = []
        x_BHWC = self.swin[0](x_BCHW)
        for stage, merge in zip(self.swin[1::2], [*self.swin[2::2], nn.Identity()], strict=True):
            x_BHWC = merge(stage(x_BHWC))
            levels.append(x_BHWC.permute(0, 3, 1, 2))
        return self.attention(levels)

    def embed(self, features_BDHW: torch.Tensor) -> torch.Tensor:
        """Embedding_BD of what ``features`` gives."""
        return self.subnet(self.attention.norm(features_BDHW.amax((2, 3))))

    def forward(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        return self.embed(self.features(x_BCHW))


class FeatureAttention(nn.Module):
    """Features_BDHW of what each stage has found, all on the last one's grid and weighed channel by channel.

    ``channels`` are the stages'; each gets the share of the D ``features`` that it has of all channels: 47, 93, 186 and
    186 of 512 as published. The attention over channels is CBAM's (arXiv 1807.06521).
    """

    def __init__(self, channels: Sequence[int], features: int) -> None:
        super().__init__()
        shares = [round(features * count / sum(channels)) for count in channels[:-1]]
        shares.append(features - sum(shares))
        self.convs = nn.ModuleList(
            nn.Conv2d(count, share, 3, padding=1, bias=False) for count, share in zip(channels, shares, strict=True)
        )
        within = max(1, features // REDUCTION)
        self.weigh = nn.Sequential(nn.Linear(features, within), nn.ReLU(), nn.Linear(within, features))
        self.norm = nn.BatchNorm1d(features, eps=2e-5)

    def forward(self, levels: Sequence[torch.Tensor]) -> torch.Tensor:
        grid = levels[-1].shape[2:]
        pooled = [functional.adaptive_avg_pool2d(level, grid) for level in levels]
        x_BDHW = torch.cat([conv(level) for conv, level in zip(self.convs, pooled, strict=True)], 1)
        weight_BD = torch.sigmoid(self.weigh(x_BDHW.mean((2, 3))) + self.weigh(x_BDHW.amax((2, 3))))
        return torch.relu(x_BDHW * weight_BD[:, :, None, None])


class SwinFace(nn.Module):
    """Logits_BK of the faces of a clip x_BCTHW: what is classified is the mean embedding of the frames with a face.

    A frame of one colour shows none. A clip without any has features of zeros, so that only the classifier's bias
    speaks of it.
    """

    def __init__(self, encoder: FaceEncoder, embedding: int, classes: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.token_width = embedding
        self.head = nn.Linear(embedding, classes)

    def forward(self, x_BCTHW: torch.Tensor) -> torch.Tensor:
        return self.forward_features(x_BCTHW).logits_BK

    def forward_features(self, x_BCTHW: torch.Tensor) -> Features:
        """What the network saw, frame by frame and square by square; zeros where there is no face."""
        found_BT = shows_face(x_BCTHW)
        # The norm of a batch needs two frames; they count as little as all others without a face.
        shown_BT = found_BT if found_BT.sum() > 1 else torch.ones_like(found_BT)
        features_NDHW = self.encoder.features(x_BCTHW.transpose(1, 2)[shown_BT])
        embedding_ND = self.encoder.embed(features_NDHW)
        found_N1 = found_BT[shown_BT][:, None]
        tokens_NDN = features_NDHW.flatten(2) * found_N1[:, None]
        tokens_BTDN = _back(tokens_NDN, shown_BT)
        total_BD = _back(embedding_ND * found_N1, shown_BT).sum(1)
        features_BD = total_BD / found_BT.sum(1, keepdim=True).clamp(min=1)
        return Features(tokens_BTDN.transpose(1, 2), features_BD, self.head(features_BD))


def shows_face(x_BCTHW: torch.Tensor) -> torch.Tensor:
    """Which frames show a face, bool_BT: those that are not of one colour, whatever a norm has made of black."""
    pixels_BCTP = x_BCTHW.flatten(3)
    return (pixels_BCTP.amax(-1) != pixels_BCTP.amin(-1)).any(1)


def build(settings: SwinFaceSettings, channels: Sequence[int], classes: int) -> SwinFace:
    """Build the network; only images of 3 channels are accepted (``ValueError``), for published weights to fit.

    31,064,314 parameters for 32 classes in the published size.
    """
    if tuple(channels) != (3,):
        raise ValueError(f"swinface sees 3 channels, not {' and '.join(map(str, channels))}")
    encoder = FaceEncoder(**settings.model_dump(exclude={"name"}))
    return SwinFace(encoder, settings.embedding, classes)


def _layer(width: int, dropout: float) -> tuple[nn.Module, ...]:
    return nn.Linear(width, width), nn.ReLU(), nn.Dropout(dropout)


def _back(values_N: torch.Tensor, shown_BT: torch.Tensor) -> torch.Tensor:
    """Values of the shown frames in their places, (B, T, ...), zeros elsewhere."""
    values_BT = values_N.new_zeros(*shown_BT.shape, *values_N.shape[1:])
    values_BT[shown_BT] = values_N
    return values_BT
