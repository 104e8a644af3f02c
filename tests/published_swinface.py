"""SwinFace as far as its checkpoint goes: the same modules under the same names.

Written for the tests from the published description (arXiv 2308.11509, 2103.14030), to compute what its checkpoint
stands for without its code. Windows are cut out one by one and every pair of tokens has its bias looked up by its
distance, so that nothing is shared with torchvision's Swin.
"""

import itertools

import torch
from torch import nn

WINDOW = 7


class Attention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.relative_position_bias_table = nn.Parameter(torch.zeros((2 * WINDOW - 1) ** 2, heads))
        self.register_buffer("relative_position_index", torch.zeros(WINDOW**2, WINDOW**2, dtype=torch.long))

    def forward(self, tokens_BND, regions_N):
        """``regions_N`` tells tokens apart that were no neighbours before the picture was rolled."""
        q, k, v = self.qkv(tokens_BND).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        row_N, column_N = torch.arange(WINDOW**2) // WINDOW, torch.arange(WINDOW**2) % WINDOW
        distance_NN = (
            (row_N[:, None] - row_N + WINDOW - 1) * (2 * WINDOW - 1) + column_N[:, None] - column_N + WINDOW - 1
        )
        scores = q @ k.transpose(-1, -2) * q.shape[-1] ** -0.5
        scores = scores + self.relative_position_bias_table[distance_NN].permute(2, 0, 1)
        scores = scores - 100.0 * (regions_N[:, None] != regions_N)
        return self.proj((scores.softmax(-1) @ v).transpose(1, 2).flatten(2))


class Mlp(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x):
        return self.fc2(nn.functional.gelu(self.fc1(x)))


class Block(nn.Module):
    def __init__(self, width, heads, shifted):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attn, self.mlp, self.shifted = Attention(width, heads), Mlp(width), shifted

    def forward(self, x_BHWD):
        x_BHWD = x_BHWD + self.attend(self.norm1(x_BHWD))
        return x_BHWD + self.mlp(self.norm2(x_BHWD))

    def attend(self, x_BHWD):
        side = x_BHWD.shape[1]
        shift = WINDOW // 2 if self.shifted and side > WINDOW else 0
        rolled = x_BHWD.roll((-shift, -shift), (1, 2))
        # After the roll, the last rows and columns of the picture are those that came from its other end.
        band = (torch.arange(side) >= side - WINDOW).long() + (torch.arange(side) >= side - shift).long() * (shift > 0)
        regions = band[:, None] * 3 + band
        out = torch.empty_like(rolled)
        for top, left in itertools.product(range(0, side, WINDOW), repeat=2):
            rows, columns = slice(top, top + WINDOW), slice(left, left + WINDOW)
            seen = self.attn(rolled[:, rows, columns].flatten(1, 2), regions[rows, columns].flatten())
            out[:, rows, columns] = seen.unflatten(1, (WINDOW, WINDOW))
        return out.roll((shift, shift), (1, 2))


class Merging(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.norm, self.reduction = nn.LayerNorm(4 * width), nn.Linear(4 * width, 2 * width, bias=False)

    def forward(self, x_BHWD):
        corners = [x_BHWD[:, row::2, column::2] for column in (0, 1) for row in (0, 1)]
        return self.reduction(self.norm(torch.cat(corners, -1)))


class Layer(nn.Module):
    def __init__(self, width, heads, depth, merges):
        super().__init__()
        self.blocks = nn.Sequential(*(Block(width, heads, block % 2 == 1) for block in range(depth)))
        self.downsample = Merging(width) if merges else None

    def forward(self, x_BHWD):
        x_BHWD = self.blocks(x_BHWD)
        return x_BHWD if self.downsample is None else self.downsample(x_BHWD)


class PatchEmbed(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.proj, self.norm = nn.Conv2d(3, width, 2, 2), nn.LayerNorm(width)

    def forward(self, x_BCHW):
        return self.norm(self.proj(x_BCHW).permute(0, 2, 3, 1))


class Backbone(nn.Module):
    def __init__(self, width, heads, depths, embedding):
        super().__init__()
        last = len(depths) - 1
        self.patch_embed = PatchEmbed(width)
        self.layers = nn.ModuleList(
            Layer(width * 2**i, heads * 2**i, depth, i < last) for i, depth in enumerate(depths)
        )
        widest = width * 2**last
        self.norm, self.head = nn.LayerNorm(widest), nn.Linear(widest, embedding)
        self.feature = nn.Sequential(
            *(nn.Linear(widest, widest, bias=False), nn.BatchNorm1d(widest)),
            *(nn.Linear(widest, embedding, bias=False), nn.BatchNorm1d(embedding)),
        )

    def forward(self, x_BCHW):
        x_BHWD, levels = self.patch_embed(x_BCHW), []
        for layer in self.layers:
            x_BHWD = layer(x_BHWD)
            levels.append(x_BHWD.permute(0, 3, 1, 2))
        sides = [level.shape[2] // levels[-1].shape[2] for level in levels]
        return torch.cat([nn.functional.avg_pool2d(level, side) for level, side in zip(levels, sides, strict=True)], 1)


class Convs(nn.Module):
    def __init__(self, into, out):
        super().__init__()
        self.convs = nn.ModuleList(nn.Conv2d(i, o, 3, padding=1, bias=False) for i, o in zip(into, out, strict=True))

    def forward(self, x_BDHW):
        parts = x_BDHW.split([conv.in_channels for conv in self.convs], 1)
        return torch.cat([conv(part) for conv, part in zip(self.convs, parts, strict=True)], 1)


class ChannelGate(nn.Module):
    def __init__(self, width):
        super().__init__()
        within = width // 16
        self.mlp = nn.Sequential(nn.Flatten(), nn.Linear(width, within), nn.ReLU(), nn.Linear(within, width))

    def forward(self, x_BDHW):
        said = self.mlp(nn.functional.adaptive_avg_pool2d(x_BDHW, 1)) + self.mlp(
            nn.functional.adaptive_max_pool2d(x_BDHW, 1)
        )
        return x_BDHW * said.sigmoid()[..., None, None]


class FeatureAttention(nn.Module):
    def __init__(self, into, out):
        super().__init__()
        self.conv, self.channel_attention = Convs(into, out), ChannelGate(sum(out))
        self.norm = nn.BatchNorm1d(sum(out), eps=2e-5)

    def forward(self, x_BDHW):
        return self.norm(self.channel_attention(self.conv(x_BDHW)).relu().amax((2, 3)))


class Subnet(nn.Module):
    def __init__(self, width):
        super().__init__()
        layers = [(nn.Linear(width, width), nn.ReLU(), nn.Dropout(0.5)) for _ in range(2)]
        self.feature = nn.Sequential(*layers[0], *layers[1])

    def forward(self, x_BD):
        return self.feature(x_BD)


class PublishedSwinFace(nn.Module):
    """The features of the branch of expression, which is the third of ``branches``; ``out`` are those of its parts."""

    def __init__(self, width=96, heads=3, depths=(2, 2, 6, 2), out=(47, 93, 186, 186), branches=11):
        super().__init__()
        last = len(depths) - 1
        into = [width * 2 ** min(i + 1, last) for i in range(len(depths))]
        self.backbone = Backbone(width, heads, depths, sum(out))
        self.fam, self.tss, self.om = nn.Module(), nn.Module(), nn.Module()
        self.fam.nets = nn.ModuleList(FeatureAttention(into, out) for _ in range(branches))
        self.tss.nets = nn.ModuleList(Subnet(sum(out)) for _ in range(branches))
        self.om.output_fcs = nn.ModuleList(nn.Linear(sum(out), classes) for classes in (2, 1, 2, 7, 2))

    def forward(self, x_BCHW):
        return self.tss.nets[2](self.fam.nets[2](self.backbone(x_BCHW)))

    def checkpoint(self):
        """What the authors' training saves, as far as it is weights."""
        parts = {part: module.state_dict() for part, module in self.named_children()}
        beside = {"epoch": 3, "global_step": 79999, "state_optimizer": {"state": {}, "param_groups": []}}
        return beside | {f"state_dict_{part}": state for part, state in parts.items()}
