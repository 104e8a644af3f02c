"""SwinFace (arXiv 2308.11509): a Swin Transformer over an aligned face, with its branch for facial expressions.

The network is that of lxq1000/SwinFace. There, one backbone has eleven branches, and each branch uses the features of
all stages. Only the branch for smiling and seven expressions is used here; the others recognise identity, age, hair
and other attributes. The average over the frames of a clip is our addition.
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

WINDOW = 7  # side of an attention window, in tokens
HEAD_WIDTH = 32  # channels of one attention head, as published; a network narrower than that has one head
REDUCTION = 16  # of CBAM: channels divided by the hidden channels of its attention


class FaceEncoder(nn.Module):
    """Embedding_BD of faces x_BCHW: aligned RGB (see ``modalities.face``), (x / 255 - 0.5) / 0.5 as published.

    The arguments are those of ``SwinFaceSettings``. Any side is accepted; the published
    network has 112 pixels and patches of 2.
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
        # Every linear layer preserves the variance of its input. The published standard deviation of 0.02 is meant for
        # wide layers and long training; in narrow layers the branches would contribute almost nothing at first.
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=module.in_features**-0.5)

    def features(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        """Features_BDHW before pooling: 7 x 7 positions for a face of 112 x 112 pixels."""
        levels = []
        x_BHWC = self.swin[0](x_BCHW)
        for stage, merge in zip(self.swin[1::2], [*self.swin[2::2], nn.Identity()], strict=True):
            x_BHWC = merge(stage(x_BHWC))
            levels.append(x_BHWC.permute(0, 3, 1, 2))
        return self.attention(levels)

    def embed(self, features_BDHW: torch.Tensor) -> torch.Tensor:
        """Embedding_BD of the output of ``features``."""
        return self.subnet(self.attention.norm(features_BDHW.amax((2, 3))))

    def forward(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        return self.embed(self.features(x_BCHW))


class FeatureAttention(nn.Module):
    """Features_BDHW: the features of all stages on the grid of the last stage, with attention over channels.

    ``channels`` are the channels of each stage. The D output ``features`` are divided among the stages in proportion to
    their channels: 47, 93, 186 and 186 of 512 as published. The attention over channels is CBAM's (arXiv 1807.06521).
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
    """Logits_BK of the faces of a clip x_BCTHW: the classifier's input is the mean embedding of the frames with a face.

    A frame of one colour has no face. The features of a clip without any face are zeros, so its logits are the bias of
    the classifier.
    """

    def __init__(self, encoder: FaceEncoder, embedding: int, classes: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.token_width = embedding
        self.head = nn.Linear(embedding, classes)

    def forward(self, x_BCTHW: torch.Tensor) -> torch.Tensor:
        return self.forward_features(x_BCTHW).logits_BK

    def forward_features(self, x_BCTHW: torch.Tensor) -> Features:
        """The features with one token for each frame and position; zeros in frames without a face."""
        found_BT = shows_face(x_BCTHW)
        # Batch norm needs two frames; as frames without a face they get weight 0 below.
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
    """Which frames show a face, bool_BT: those of more than one colour, so it works for normalised images too."""
    pixels_BCTP = x_BCTHW.flatten(3)
    return (pixels_BCTP.amax(-1) != pixels_BCTP.amin(-1)).any(1)


def build(settings: SwinFaceSettings, channels: Sequence[int], classes: int) -> SwinFace:
    """Build the network that the settings describe; 31,064,314 parameters for 32 classes in the published size.

    Raises ``ValueError`` unless the images have 3 channels, which the published weights need.
    """
    if tuple(channels) != (3,):
        raise ValueError(f"swinface needs 3 channels, not {' and '.join(map(str, channels))}")
    encoder = FaceEncoder(**settings.model_dump(exclude={"name"}))
    return SwinFace(encoder, settings.embedding, classes)


def _layer(width: int, dropout: float) -> tuple[nn.Module, ...]:
    return nn.Linear(width, width), nn.ReLU(), nn.Dropout(dropout)


def _back(values_N: torch.Tensor, shown_BT: torch.Tensor) -> torch.Tensor:
    """Put values of the shown frames back at their frames, (B, T, ...), with zeros elsewhere."""
    values_BT = values_N.new_zeros(*shown_BT.shape, *values_N.shape[1:])
    values_BT[shown_BT] = values_N
    return values_BT
