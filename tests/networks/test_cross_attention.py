"""Cross-attention against a loop over clips, heads, queries and keys, and what must not be seen."""

import math

import pytest
import torch

from microgesture.networks.cross_attention import CrossAttention

WIDTH, HEADS = 8, 2


def block_of(gated=False):
    """A block whose every parameter is random, the ones that start at 0 or 1 too."""
    torch.manual_seed(0)
    block = CrossAttention(WIDTH, HEADS, gated=gated).eval()
    for parameter in block.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return block


def two_sets(B=3, N=4, M=5):
    generator = torch.Generator().manual_seed(1)
    a_BND, b_BMD = (torch.randn(B, count, WIDTH, generator=generator) for count in (N, M))
    found_BN, found_BM = (torch.rand(B, count, generator=generator) < 0.6 for count in (N, M))
    found_BN[0], found_BM[1] = False, False  # nothing was found of one side of a clip
    return a_BND, b_BMD, found_BN, found_BM


def normed(norm, x_D):
    spread = math.sqrt(float(((x_D - x_D.mean()) ** 2).mean()) + norm.eps)
    return (x_D - x_D.mean()) / spread * norm.weight + norm.bias


def by_hand(way, tokens_BND, others_BMD, found_BM):
    """One direction of the block, written out."""
    attention, each = way.attention, WIDTH // HEADS
    (q, k, v), (bias_q, bias_k, bias_v) = attention.in_proj_weight.chunk(3), attention.in_proj_bias.chunk(3)
    layers, out_BND = way.feed_forward, torch.zeros_like(tokens_BND)
    gates = (1.0, 1.0) if way.gates is None else [math.tanh(float(gate)) for gate in way.gates]
    for clip, (tokens_ND, others_MD) in enumerate(zip(tokens_BND, others_BMD, strict=True)):
        seen = [normed(way.norm_others, x_D) for x_D, found in zip(others_MD, found_BM[clip], strict=True) if found]
        keys = [k @ x_D + bias_k for x_D in seen] + [attention.bias_k[0, 0]]  # the last stands for nothing
        values = [v @ x_D + bias_v for x_D in seen] + [attention.bias_v[0, 0]]
        for place, token_D in enumerate(tokens_ND):
            query_D = q @ normed(way.norm, token_D) + bias_q
            heads = []
            for start in range(0, WIDTH, each):
                part = slice(start, start + each)
                scores = [float(query_D[part] @ key_D[part]) / math.sqrt(each) for key_D in keys]
                shares = [math.exp(score) for score in scores]
                total = sum(share * value_D[part] for share, value_D in zip(shares, values, strict=True))
                heads.append(total / sum(shares))
            added_D = attention.out_proj.weight @ torch.cat(heads) + attention.out_proj.bias
            token_D = token_D + gates[0] * added_D
            inner_D = layers[1].weight @ normed(layers[0], token_D) + layers[1].bias
            inner_D = 0.5 * inner_D * (1 + torch.erf(inner_D / math.sqrt(2)))
            out_BND[clip, place] = token_D + gates[1] * (layers[4].weight @ inner_D + layers[4].bias)
    return out_BND


@torch.no_grad()
@pytest.mark.parametrize("gated", [False, True])
def test_each_side_sees_what_a_loop_over_the_tokens_that_were_found_sees(gated):
    block, (a_BND, b_BMD, found_BN, found_BM) = block_of(gated), two_sets()
    to_a_BND, to_b_BMD = block(a_BND, b_BMD, found_BN, found_BM)
    torch.testing.assert_close(to_a_BND, by_hand(block.to_a, a_BND, b_BMD, found_BM), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(to_b_BMD, by_hand(block.to_b, b_BMD, a_BND, found_BN), atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_what_was_not_found_is_never_seen_and_the_rest_is():
    block, (a_BND, b_BMD, found_BN, found_BM) = block_of(), two_sets()
    other_BMD = torch.where(found_BM[..., None], b_BMD, 100.0)
    assert torch.equal(block(a_BND, b_BMD, found_BN, found_BM)[0], block(a_BND, other_BMD, found_BN, found_BM)[0])
    moved_BMD = torch.where(found_BM[..., None], b_BMD + torch.randn(WIDTH), b_BMD)
    changed_B = (block(a_BND, moved_BMD, found_BN, found_BM)[0] != block(a_BND, b_BMD, found_BN, found_BM)[0]).any(
        (1, 2)
    )
    assert torch.equal(changed_B, found_BM.any(1))


@pytest.mark.parametrize("empty", [False, True])
def test_a_clip_of_which_nothing_was_found_gives_finite_tokens_and_gradients(empty):
    block, (a_BND, b_BMD, found_BN, found_BM) = block_of(), two_sets()
    a_BND.requires_grad_(True)
    if empty:
        b_BMD, found_BM = b_BMD[:, :0], found_BM[:, :0]
    to_a_BND, to_b_BMD = block(a_BND, b_BMD, found_BN & False, found_BM & False)
    (to_a_BND.square().mean() + to_b_BMD.sum()).backward()
    assert to_a_BND.isfinite().all()
    assert to_b_BMD.isfinite().all()
    assert a_BND.grad.isfinite().all()


def test_a_gated_block_starts_as_no_change_and_learns_to_be_one():
    block, (a_BND, b_BMD, found_BN, found_BM) = CrossAttention(WIDTH, HEADS, gated=True), two_sets()
    to_a_BND, to_b_BMD = block(a_BND, b_BMD, found_BN, found_BM)
    assert torch.equal(to_a_BND, a_BND)
    assert torch.equal(to_b_BMD, b_BMD)
    (to_a_BND.square().sum() + to_b_BMD.square().sum()).backward()
    assert (block.to_a.gates.grad != 0).all()
    assert (block.to_b.gates.grad != 0).all()
