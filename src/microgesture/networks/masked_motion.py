"""Masked motion: a skeleton transformer that predicts the motion of hidden tokens, as in MAMP (arXiv 2308.07092)."""

from collections.abc import Callable, Sequence

import torch
from torch import nn

from ..config.networks import SkeletonTransformerSettings
from ..config.pretraining import MaskedMotionSettings
from ..skeletons.selections import Selection
from .skeleton_transformer import SPREAD, Block, SkeletonTransformer, in_patches, initialise, lengthened, time_code

STILL = 1e-6  # added to the variance of a patch, so that the motion of joints at rest is finite


class MaskedMotion(SkeletonTransformer):
    """The loss of each clip, loss_B, of skeletons x_BCTV, with most of their tokens hidden.

    The encoder sees only the visible tokens. A decoder receives their features, and a learned token in place of each
    hidden one, and predicts the motion of the joint in each frame of the patch. The hidden tokens are sampled with
    torch's global generator. The tensors of the encoder have the names that they have in ``SkeletonTransformer``.
    """

    returns_loss = True

    def __init__(
        self, channels: int, joints: int, masking: MaskedMotionSettings, width: int, heads: int, **sizes: float
    ) -> None:
        super().__init__(channels, 1, joints, width, heads=heads, **sizes)
        self.head = nn.Identity()  # nothing is classified
        self.masking = masking
        self.to_decoder = nn.Linear(width, width)
        self.hidden = nn.Parameter(SPREAD * torch.randn(width))
        self.decoder_joint = nn.Parameter(SPREAD * torch.randn(joints, width))
        self.decoder = nn.ModuleList(Block(width, heads) for _ in range(masking.decoder_depth))
        self.decoder_norm = nn.LayerNorm(width)
        self.motion = nn.Linear(width, self.patch * (channels - 1))
        initialise(self)

    def forward(self, x_BCTV: torch.Tensor) -> torch.Tensor:
        x_BCTV = x_BCTV.float()
        motion_BNP, known_BN = motion_patches(x_BCTV, self.patch)
        hidden_BN = hidden_tokens(amounts(x_BCTV, self.patch), self.masking.ratio, self.masking.temperature)
        return masked_loss(self.predicted(x_BCTV, hidden_BN), standardised(motion_BNP), hidden_BN & known_BN)

    def predicted(self, x_BCTV: torch.Tensor, hidden_BN: torch.Tensor) -> torch.Tensor:
        """The predicted motion of each token, (B, N, P); each clip has equally many hidden tokens."""
        tokens_BNE = self.embedded(x_BCTV)
        shown = hidden_BN.long().argsort(dim=1, stable=True)[:, : int((~hidden_BN[0]).sum())]
        shown_BNE = shown[..., None].expand(-1, -1, tokens_BNE.shape[2])
        seen_BNE = self.to_decoder(self.encoded(tokens_BNE.gather(1, shown_BNE)))
        all_BNE = self.hidden.to(seen_BNE.dtype).expand(tokens_BNE.shape).scatter(1, shown_BNE, seen_BNE)
        all_BSVE = all_BNE.unflatten(1, (-1, x_BCTV.shape[3]))
        decoded_BNE = (all_BSVE + time_code(all_BSVE)[:, None] + self.decoder_joint).flatten(1, 2)
        for block in self.decoder:
            decoded_BNE = block(decoded_BNE)
        return self.motion(self.decoder_norm(decoded_BNE))


def moved(x_BCTV: torch.Tensor, gap: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The displacement of each joint in ``gap`` frames, (B, D, T - gap, V), and whether it is known, bool.

    It is known if the joint was detected in both frames; otherwise it is 0.
    """
    places_BDTV, found_B1TV = x_BCTV[:, :-1], x_BCTV[:, -1:] > 0
    known_B1TV = found_B1TV[:, :, gap:] & found_B1TV[:, :, :-gap]
    return (places_BDTV[:, :, gap:] - places_BDTV[:, :, :-gap]) * known_B1TV, known_B1TV


def motion_patches(x_BCTV: torch.Tensor, patch: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The motion of each token, (B, N, P), and whether all of it is known, bool (B, N).

    The motion is the displacement from each frame to the next, 0 in the last frame.
    """
    x_BCTV = lengthened(x_BCTV, patch)
    motion_BDTV, known_B1TV = moved(x_BCTV, 1)
    motion_BDTV = torch.cat((motion_BDTV, torch.zeros_like(motion_BDTV[:, :, :1])), 2)
    known_B1TV = torch.cat((known_B1TV, x_BCTV[:, -1:, -1:] > 0), 2)
    return in_patches(motion_BDTV, patch).flatten(1, 2), in_patches(known_B1TV, patch).all(3).flatten(1, 2)


def amounts(x_BCTV: torch.Tensor, patch: int) -> torch.Tensor:
    """How much each token moves, (B, N): the mean absolute displacement since the patch before.

    The first patch has the amount of the second.
    """
    x_BCTV = lengthened(x_BCTV, patch)
    if x_BCTV.shape[2] == patch:
        return x_BCTV.new_zeros(len(x_BCTV), x_BCTV.shape[3])
    amount_BSV = in_patches(moved(x_BCTV, patch)[0].abs(), patch).mean(3)
    return torch.cat((amount_BSV[:, :1], amount_BSV), 1).flatten(1)


def hidden_tokens(amount_BN: torch.Tensor, ratio: float, temperature: float) -> torch.Tensor:
    """Sample the hidden tokens of each clip, bool (B, N): the fraction ``ratio``, more often those that move more.

    Tokens are sampled without replacement, with probabilities proportional to softmax(amount / (temperature * largest
    amount of the clip)), by Gumbel noise (arXiv 2308.07092).
    """
    count = min(round(ratio * amount_BN.shape[1]), amount_BN.shape[1] - 1)  # the encoder needs a token
    largest_B1 = amount_BN.amax(1, keepdim=True)
    score_BN = (amount_BN / (temperature * largest_B1 + 1e-10)).log_softmax(1)
    noise_BN = -torch.empty_like(score_BN).exponential_().log()
    chosen = (score_BN + noise_BN).topk(count, 1).indices
    return torch.zeros_like(amount_BN, dtype=torch.bool).scatter(1, chosen, True)


def standardised(motion_BNP: torch.Tensor) -> torch.Tensor:
    """The motion of each token with mean 0 and sample variance 1 over its values."""
    variance_BN1 = motion_BNP.var(2, keepdim=True)
    return (motion_BNP - motion_BNP.mean(2, keepdim=True)) / (variance_BN1 + STILL).sqrt()


def masked_loss(predicted_BNP: torch.Tensor, target_BNP: torch.Tensor, counted_BN: torch.Tensor) -> torch.Tensor:
    """The mean squared error over the tokens of each clip that count, loss_B; 0 for a clip without any."""
    error_BN = (predicted_BNP.float() - target_BNP).square().mean(2)
    return (error_BN * counted_BN).sum(1) / counted_BN.sum(1).clamp(min=1)


def builder(masking: MaskedMotionSettings) -> Callable[..., MaskedMotion]:
    """A function like ``networks.build`` that makes the network of a pretraining."""

    def build(
        settings: SkeletonTransformerSettings,
        channels: Sequence[int],
        classes: int,
        selection: Selection,
        branches: Sequence[SkeletonTransformerSettings] = (),
        encoder: None = None,
    ) -> MaskedMotion:
        (of_a_joint,) = channels
        return MaskedMotion(of_a_joint, len(selection.joints), masking, **settings.sizes)

    return build
