import math
import sys

import pytest
import torch

from fixtures.video_encoders import FRAMES, SIDE, WIDTH, save_encoder
from microgesture.checkpoints.encoders import read_encoder
from microgesture.config.encoders import EncoderStep
from microgesture.config.pretrained_video import PretrainedVideoSettings
from microgesture.config.recipes import Recipe
from microgesture.errors import InputError
from microgesture.networks import build
from microgesture.networks.pretrained_video import AttentivePool, MeanPool
from microgesture.streams.optimizers import parameter_groups

CLASSES = 5


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("encoder")
    save_encoder(folder)
    return read_encoder(EncoderStep(model=str(folder)))[0]


def network(encoder, stored=False, classes=CLASSES, **settings):
    own = PretrainedVideoSettings(name="pretrained_video", model="tiny", **settings)
    torch.manual_seed(0)
    return build(own, (3,), classes, encoder=encoder.model_copy(update={"stored": stored}))


def test_the_attentive_head_weighs_tokens_by_their_products_with_the_query():
    torch.manual_seed(0)
    pool = AttentivePool(8, heads=2).double()
    tokens_BND = torch.randn(3, 4, 8, dtype=torch.float64)
    with torch.no_grad():
        pool.query.normal_()
        found_BD = pool(tokens_BND)
        (wq, wk, wv), (bq, bk, bv) = pool.attention.in_proj_weight.chunk(3), pool.attention.in_proj_bias.chunk(3)
        for tokens_ND, found_D in zip(tokens_BND, found_BD, strict=True):
            keys_ND = (tokens_ND - tokens_ND.mean(1, keepdim=True)) / (
                tokens_ND.var(1, correction=0, keepdim=True) + 1e-5
            ).sqrt()
            query_D, keys, values = wq @ pool.query[0, 0] + bq, keys_ND @ wk.T + bk, keys_ND @ wv.T + bv
            answers = []
            for part in (slice(0, 4), slice(4, 8)):
                powers = [math.exp(float(key[part] @ query_D[part]) / 2) for key in keys]
                weights = [power / sum(powers) for power in powers]
                answers.append(sum(w * value[part] for w, value in zip(weights, values, strict=True)))
            answer_D = pool.attention.out_proj(torch.cat(answers))
            expected_D = (answer_D - answer_D.mean()) / (answer_D.var(correction=0) + 1e-5).sqrt()
            torch.testing.assert_close(found_D, expected_D)


def test_the_linear_head_sees_the_mean_of_the_tokens():
    tokens_BND = torch.randn(2, 6, 8)
    mean_BD = tokens_BND.mean(1)
    expected_BD = (mean_BD - mean_BD.mean(1, keepdim=True)) / (mean_BD.var(1, correction=0, keepdim=True) + 1e-5).sqrt()
    torch.testing.assert_close(MeanPool(8)(tokens_BND), expected_BD)


@pytest.mark.parametrize("head", ["linear", "attentive"])
def test_stored_features_give_the_logits_of_the_videos(encoder, head):
    whole, on_features = network(encoder, head=head).eval(), network(encoder, stored=True, head=head).eval()
    on_features.load_state_dict({k: v for k, v in whole.state_dict().items() if not k.startswith("encoder.")})
    x_BCTHW = torch.randn(2, 3, FRAMES, SIDE, SIDE)
    with torch.no_grad():
        torch.testing.assert_close(on_features(whole.encoder(x_BCTHW)), whole(x_BCTHW))
    assert whole(x_BCTHW).shape == (2, CLASSES)


def test_a_probe_trains_the_head_alone_and_full_trains_everything(encoder):
    probe, full = network(encoder), network(encoder, tune="full")
    assert {name.partition(".")[0] for name, p in probe.named_parameters() if p.requires_grad} == {"head"}
    full(torch.randn(1, 3, FRAMES, SIDE, SIDE)).sum().backward()
    assert all(p.requires_grad and p.grad is not None for p in full.parameters())


def test_rates_decay_from_the_head_to_the_embeddings(encoder):
    full = network(encoder, tune="full")
    groups = parameter_groups(full, Recipe(layer_decay=0.5, optimizer="adamw"))
    scale = {name: group.scale for group in groups for name in group.names}
    assert scale["head.2.weight"] == 1
    assert scale["encoder.model.encoder.layer.1.output.dense.weight"] == 0.5
    assert scale["encoder.model.encoder.layer.0.output.dense.weight"] == 0.25
    assert scale["encoder.model.embeddings.patch_embeddings.projection.weight"] == 0.125


def test_heads_that_do_not_divide_the_channels_are_refused(encoder):
    with pytest.raises(InputError, match=f"{WIDTH} channels, not a multiple of heads, 3"):
        network(encoder, head="attentive", heads=3)


def test_adapters_without_their_package_are_refused(encoder, monkeypatch):
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(InputError, match=r"pip install \"\.\[pretrained\]\""):
        network(encoder, tune="lora")


def test_a_network_without_the_description_of_its_encoder_is_refused():
    settings = PretrainedVideoSettings(name="pretrained_video", model="tiny")
    with pytest.raises(InputError, match="--encoder"):
        build(settings, (3,), CLASSES)


@pytest.mark.parametrize("settings", [{"head": "attentive"}, {"tune": "full"}])
def test_only_the_head_depends_on_the_classes(encoder, settings):
    few, many = (network(encoder, classes=classes, **settings).state_dict() for classes in (5, 9))
    changed = {name for name in few if few[name].shape != many[name].shape}
    assert changed == {"head.2.weight", "head.2.bias"}


def test_the_network_can_be_compiled_for_batches_of_any_length(encoder):
    module = network(encoder, tune="full").eval()
    compiled = torch.compile(module, backend="eager")
    for clips in (2, 3):
        x_BCTHW = torch.rand(clips, 3, FRAMES, SIDE, SIDE)
        torch.testing.assert_close(compiled(x_BCTHW), module(x_BCTHW))
