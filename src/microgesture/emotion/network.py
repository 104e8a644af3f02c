"""The emotion network: from the tokens of a video to the logit of win."""

from collections.abc import Mapping, Sequence

import torch
from torch import nn

from ..config.emotion import InterFusionSettings, Source
from ..networks.token_fusion import OCTAVES, waves
from .interfusion import AttentionPooling, InterFusion
from .tokens import Tokens

MOST_FACES = 256  # faces in one call of the encoder outside of training


class EmotionNetwork(nn.Module):
    """Compute logit_B of win from the tokens of videos.

    ``features[source]`` is the length of a token: of the encoder's embedding, of the features of a stream, the number
    of gesture classes plus 2, or the width of the layers for posture, whose input has the length ``posture``. With
    ``encoder`` the faces are images, otherwise embeddings by a fixed encoder; a clip's face token is the mean over its
    faces, and its token of posture the mean over its times. All tokens are normalised, projected to one width, and
    added to learned embeddings of the source and of the time in the video.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        features: Mapping[Source, int],
        settings: InterFusionSettings,
        encoder: nn.Module | None = None,
        posture: int | None = None,
    ) -> None:
        super().__init__()
        width = settings.width
        self.sources = tuple(sources)
        self.encoder = encoder if "face" in sources else None
        self.posture = None
        if "pose" in sources:
            hidden = features["pose"]
            self.posture = nn.Sequential(nn.Linear(posture, hidden), nn.GELU(), nn.Linear(hidden, hidden), nn.GELU())
        # Features have no unit, so they are normalised; probabilities are not, as their size is the confidence.
        norms = {source: nn.LayerNorm(features[source], elementwise_affine=False) for source in sources}
        self.norms = nn.ModuleDict({**norms, "gestures": nn.Identity()})
        self.projections = nn.ModuleDict({source: nn.Linear(features[source], width) for source in sources})
        self.source = nn.ParameterDict({source: nn.Parameter(0.02 * torch.randn(width)) for source in sources})
        self.time = nn.Linear(2 * OCTAVES, width)
        nn.init.zeros_(self.time.weight)
        nn.init.zeros_(self.time.bias)
        self.dropout = nn.Dropout(settings.dropout)
        self.interfusion = InterFusion(len(sources), width, settings.heads, settings.layers, settings.dropout)
        self.pooling = AttentionPooling(width)
        self.head = nn.Sequential(nn.Dropout(settings.dropout), nn.Linear(width, 1))

    def forward(self, tokens: Tokens) -> torch.Tensor:
        return self.head(self.attend(tokens)[0]).squeeze(-1)

    def attend(self, tokens: Tokens) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the classifier's input, pooled_BD, and the weight of each token, (B, M), in order of the sources."""
        time_BND = self.time(waves(tokens.place_BN))
        shown = [
            self.dropout(self.projections[source](self.norms[source](self._features(source, tokens))))
            + self.source[source]
            + time_BND
            for source in self.sources
        ]
        return self.pooling(*self.interfusion(shown, [tokens.found[source] for source in self.sources]))

    def _features(self, source: Source, tokens: Tokens) -> torch.Tensor:
        if source == "face":
            return self._face_features(tokens)
        if source == "pose":
            return self.posture(tokens.pose_BNFX).mean(2)
        return tokens.context_BND if source == "context" else tokens.gestures_BNG

    def _face_features(self, tokens: Tokens) -> torch.Tensor:
        features = self.projections["face"].in_features
        total_XD = tokens.place_BN.new_zeros(tokens.place_BN.numel(), features)
        if len(tokens.faces_M):
            total_XD = total_XD.index_add(0, tokens.face_of_M, self._encoded(tokens.faces_M))
        faces_X1 = torch.bincount(tokens.face_of_M, minlength=len(total_XD))[:, None].clamp(min=1)
        return (total_XD / faces_X1).view(*tokens.place_BN.shape, features)

    def _encoded(self, faces_M: torch.Tensor) -> torch.Tensor:
        if self.encoder is None:
            return faces_M
        if not self.training:
            return torch.cat([self.encoder(part_MCHW) for part_MCHW in faces_M.split(MOST_FACES)])
        # Batch normalisation needs at least two faces.
        return self.encoder(faces_M if len(faces_M) > 1 else torch.cat((faces_M, faces_M)))[: len(faces_M)]
