"""InterFusion, the pooling and the network, on tokens that are made up."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import save_file
from scipy.special import softmax

from fixtures.emotion_videos import FACE, FEATURES, GESTURES, SOURCES, a_corpus, a_step, a_video
from microgesture.config.emotion import EmotionRecipe
from microgesture.emotion.embeddings import Embedding
from microgesture.emotion.faces import encoded, published_encoder
from microgesture.emotion.forecast import has_tokens, new_network
from microgesture.emotion.interfusion import AttentionPooling, InterFusion
from microgesture.emotion.tokens import (
    Video,
    evenly,
    gesture_features,
    read_tokens,
    read_video,
    shown,
    together,
    visible,
)
from microgesture.errors import InputError, UnusableClip
from microgesture.networks.swinface import FaceEncoder
from microgesture.networks.swinface import build as build_swinface
from microgesture.storage.clips import Clips
from microgesture.storage.shards import Shard, write_shard

CPU = torch.device("cpu")


def three_sources(seed=0, width=8):
    torch.manual_seed(seed)
    tokens = [torch.randn(2, count, width) for count in (3, 3, 3)]
    return tokens, [torch.rand(2, 3) < 0.7 for _ in tokens]


def opened(module):
    """The module with gates that are no longer 0, so that all of it counts."""
    for name, parameter in module.named_parameters():
        if name.endswith("gates"):
            torch.nn.init.constant_(parameter, 0.7)
    return module.eval()


def test_interfusion_changes_nothing_at_first_and_something_once_its_gates_open():
    tokens, found = three_sources()
    interfusion = InterFusion(3, 8, 2, 2, 0.0)
    joined_BMD, found_BM = interfusion(tokens, found)
    assert torch.equal(joined_BMD, torch.cat(tokens, 1))
    assert torch.equal(found_BM, torch.cat(found, 1))
    assert not torch.allclose(opened(interfusion)(tokens, found)[0], joined_BMD)


def test_interfusion_does_not_see_what_is_not_found():
    tokens, found = three_sources()
    interfusion = opened(InterFusion(3, 8, 2, 2, 0.0))
    before, _ = interfusion(tokens, found)
    spoilt = [torch.where(mask[..., None], token, 99.0) for token, mask in zip(tokens, found, strict=True)]
    after, found_BM = interfusion(spoilt, found)
    torch.testing.assert_close(after[found_BM], before[found_BM])


def test_every_source_hears_of_every_other_one():
    tokens, _ = three_sources()
    found = [torch.ones(2, 3, dtype=torch.bool)] * 3
    interfusion = opened(InterFusion(3, 8, 2, 1, 0.0))
    before, _ = interfusion(tokens, found)
    for source in range(3):
        changed = [token + torch.randn(8) * (place == source) for place, token in enumerate(tokens)]
        after, _ = interfusion(changed, found)
        moved_BM = (after - before).abs().amax(-1) > 1e-6
        assert moved_BM.all(), source


def test_the_weights_of_the_pooling_sum_to_1_over_what_is_found():
    torch.manual_seed(0)
    pooling = AttentionPooling(8)
    torch.nn.init.normal_(pooling.score[-1].weight)
    tokens_BMD, found_BM = torch.randn(4, 5, 8), torch.rand(4, 5) < 0.6
    found_BM[0] = True
    found_BM[3] = False
    pooled_BD, weight_BM = pooling(tokens_BMD, found_BM)
    torch.testing.assert_close(weight_BM.sum(1), torch.tensor([1.0, 1.0, 1.0, 0.0]))
    assert (weight_BM[~found_BM] == 0).all()
    assert (pooled_BD[3] == 0).all()
    by_hand_D = sum(weight * token for weight, token in zip(weight_BM[0], tokens_BMD[0], strict=True))
    torch.testing.assert_close(pooled_BD[0], by_hand_D)


def test_the_pooling_is_equation_8_of_its_paper():
    torch.manual_seed(0)
    pooling = AttentionPooling(3)
    for parameter in pooling.parameters():
        torch.nn.init.normal_(parameter)
    (V_DD, b_D), (w_1D, c_1) = (
        [tensor.detach().numpy() for tensor in (layer.weight, layer.bias)]
        for layer in pooling.modules()
        if isinstance(layer, torch.nn.Linear)
    )
    tokens_BMD = torch.randn(1, 4, 3)
    weights_M = softmax([float(w_1D[0] @ np.tanh(V_DD @ h_D + b_D) + c_1[0]) for h_D in tokens_BMD[0].numpy()])
    pooled_BD, weight_BM = pooling(tokens_BMD, torch.ones(1, 4, dtype=torch.bool))
    np.testing.assert_allclose(weight_BM.detach()[0], weights_M, rtol=1e-5)
    np.testing.assert_allclose(pooled_BD.detach()[0], weights_M @ tokens_BMD[0].numpy(), rtol=1e-4, atol=1e-6)


def test_source_and_time_are_added_to_the_projected_token():
    video = a_video("0001", clips=3)
    said = []
    for moved in ("nothing", "source.context", "projections.context.bias", "time.bias"):
        network = a_network(a_step(("context",)), {"0001": video})
        with torch.no_grad():
            if moved != "nothing":
                network.get_parameter(moved)[:4] += 0.5
            said.append(network(together([video], ("context",), CPU)).item())
    assert said[1] != pytest.approx(said[0], abs=1e-3)
    assert said[2:] == pytest.approx([said[1]] * 2, abs=1e-6)


def test_a_token_is_found_by_its_own_source():
    context_ND, gestures_NG = np.zeros((3, 2), np.float32), np.zeros((3, 4), np.float32)
    context_ND[0, 1] = gestures_NG[2, 3] = np.nan
    faces = tuple(np.zeros((count, 4, 4, 3), np.uint8) for count in (1, 0, 2))
    video = Video("v", np.linspace(0, 1, 3, dtype=np.float32), faces, context_ND, gestures_NG)
    found = {source: video.found(source).tolist() for source in SOURCES}
    assert found == {"face": [True, False, True], "context": [False, True, True], "gestures": [True, True, False]}
    assert video.part(np.array([2, 0])).found("gestures").tolist() == [False, True]


def test_the_pooling_starts_as_the_mean():
    torch.manual_seed(0)
    tokens_BMD, found_BM = torch.randn(1, 4, 8), torch.tensor([[True, True, False, True]])
    pooled_BD, _ = AttentionPooling(8)(tokens_BMD, found_BM)
    torch.testing.assert_close(pooled_BD[0], tokens_BMD[0, [0, 1, 3]].mean(0))


def a_network(step, videos):
    torch.manual_seed(0)
    return opened(new_network(videos, step))


def test_neither_company_nor_padding_changes_what_is_said_of_a_video():
    _, videos = a_corpus()
    long, short = a_video("0001", clips=7), a_video("0002", clips=2)
    network = a_network(a_step(), videos)
    with torch.no_grad():
        alone = [network(together([video], SOURCES, CPU)) for video in (long, short)]
        both_B = network(together([long, short], SOURCES, CPU))
        turned_B = network(together([short, long], SOURCES, CPU))
    torch.testing.assert_close(both_B, torch.cat(alone))
    torch.testing.assert_close(turned_B, both_B.flip(0))


def test_the_order_of_the_clips_counts_by_their_place_alone():
    video = a_video("0001", clips=5)
    network = a_network(a_step(), {"0001": video})
    torch.nn.init.normal_(network.time.weight)
    turned = video.part(np.array([3, 0, 4, 1, 2]))
    with torch.no_grad():
        straight, mixed, elsewhere = (
            network(together([one], SOURCES, CPU)) for one in (video, turned, replace(turned, place_N=video.place_N))
        )
    torch.testing.assert_close(mixed, straight)
    assert not torch.allclose(elsewhere, straight)


def test_a_source_that_is_hidden_is_not_read():
    video = a_video("0001", clips=3)
    network = a_network(a_step(), {"0001": video})
    tokens = together([video], SOURCES, CPU)
    found = {**tokens.found, "context": torch.tensor([[True, False, True]])}
    spoilt = tokens.context_BND.clone()
    spoilt[0, 1] = 50.0
    with torch.no_grad():
        said = network(tokens._replace(found=found))
        assert torch.equal(network(tokens._replace(found=found, context_BND=spoilt)), said)
        assert not torch.equal(network(tokens._replace(context_BND=spoilt)), said)


def test_a_clips_face_token_is_the_mean_of_its_faces():
    video = a_video("0001", clips=2)
    network = a_network(a_step(("face",)), {"0001": video})
    with torch.no_grad():
        embedding_MD = network.encoder(together([video], ("face",), CPU).faces_M)
        features_BND = network._face_features(together([video], ("face",), CPU))
    torch.testing.assert_close(features_BND[0], embedding_MD.reshape(2, 2, -1).mean(1))


def test_a_fixed_encoder_says_what_one_within_the_network_says():
    video = a_video("0001", clips=3)
    network = a_network(a_step(("face",)), {"0001": video})
    known = encoded({"0001": video}, network.encoder, 16, CPU)
    inner = together([video], ("face",), CPU)
    outer = together(list(known.values()), ("face",), CPU)
    assert outer.faces_M.shape == (6, 16)
    with torch.no_grad():
        before = network(inner)
        network.encoder = None
        torch.testing.assert_close(network(outer), before)


def test_published_weights_are_those_of_the_file(tmp_path):
    torch.manual_seed(0)
    published = build_swinface(FACE.network, (3,), 2).eval()
    save_file(published.state_dict(), tmp_path / "swinface.safetensors")
    torch.manual_seed(1)
    encoder = published_encoder(FACE.model_copy(update={"weights": str(tmp_path / "swinface.safetensors")}), CPU)
    x_BCHW = torch.randn(2, 3, 16, 16)
    with torch.no_grad():
        assert torch.equal(encoder(x_BCHW), published.encoder(x_BCHW))


def test_one_face_alone_can_be_learnt_from():
    video = a_video("0001", clips=1)
    one = replace(video, faces=(video.faces[0][:1],))
    network = a_network(a_step(("face",)), {"0001": one}).train()
    network(together([one], ("face",), CPU)).sum().backward()
    assert torch.isfinite(network.head[-1].weight.grad).all()


def test_a_step_shows_some_clips_and_one_face_of_each_the_same_for_the_same_draw():
    video = a_video("0003", clips=9)
    recipe = EmotionRecipe(clips=4, token_dropout=0.5)
    first, again, other = (shown(video, recipe, 0, draw) for draw in (0, 0, 1))
    assert len(first.place_N) == 4
    assert (np.diff(first.place_N) > 0).all()
    assert {len(faces) for faces in first.faces} <= {0, 1}
    assert np.array_equal(first.place_N, again.place_N)
    assert np.array_equal(first.context_ND, again.context_ND, equal_nan=True)
    assert not np.array_equal(first.place_N, other.place_N)
    draws = [shown(video, recipe, 0, draw) for draw in range(60)]
    for source in SOURCES:
        assert np.mean([draw.found(source).mean() for draw in draws]) == pytest.approx(0.5, abs=0.12)


def test_mirrored_faces_are_mirrored_and_nothing_is_hidden_without_token_dropout():
    video = a_video("0003", clips=1)
    recipe = EmotionRecipe(token_dropout=0, flip=True)
    faces = [shown(video, recipe, 0, draw).faces[0][0] for draw in range(30)]
    own = [*video.faces[0], *(face[:, ::-1] for face in video.faces[0])]
    which = {next(place for place, known in enumerate(own) if np.array_equal(known, face)) for face in faces}
    assert which == {0, 1, 2, 3}


@pytest.mark.parametrize(("count", "rows"), [(1, [10]), (2, [5, 15]), (40, list(range(20)))])
def test_faces_are_taken_evenly(count, rows):
    assert evenly(np.arange(20), count).tolist() == rows


def test_the_tokens_of_a_recording(tmp_path):
    """Clips out of order, one of them without a visible face, one that no stream could use."""
    table = pd.DataFrame(
        {
            "clip_id": ["c1", "c0", "c2"],
            "start": [100, 0, 120],
            "end": [149, 49, 199],
            "n_frames": [50, 50, 80],
            "fps": [25.0, 25.0, np.nan],
        }
    )
    faces_THWC = np.zeros((8, 112, 112, 3), np.uint8)
    faces_THWC[2:6] = np.arange(50, 90, 10)[:, None, None, None]
    black = np.zeros((3, 112, 112, 3), np.uint8)
    clips = [("c0", faces_THWC), ("c1", black), ("c2", UnusableClip("no face"))]
    write_shard(tmp_path / "0.arrow", clips, "jpeg")
    shard = Shard(tmp_path / "0.arrow")
    assert visible(faces_THWC).tolist() == [False, False, True, True, True, True, False, False]
    probability_K = np.full(GESTURES, 0.25)
    seen = Embedding(np.ones(FEATURES, np.float32), np.log(probability_K).astype(np.float32))
    embeddings = {"c0": seen, "c2": seen}
    video = read_video("v", table, dict.fromkeys(table.clip_id, shard), embeddings, embeddings, frames=2, size=56)
    assert [faces.shape for faces in video.faces] == [(2, 56, 56, 3), (0, 56, 56, 3), (0, 56, 56, 3)]
    assert [face.mean() for face in video.faces[0]] == pytest.approx([60, 80], abs=2)  # of 50, 60, 70, 80
    np.testing.assert_allclose(video.place_N, [25 / 200, 125 / 200, 160 / 200])
    for source in ("context", "gestures"):
        assert video.found(source).tolist() == [True, False, True]
    np.testing.assert_allclose(video.gestures_NG[0], gesture_features(probability_K, 2.0, 0.0))
    np.testing.assert_allclose(video.gestures_NG[2, -2:], np.log1p([3.2, 0]), rtol=1e-6)  # it begins before c1 ends
    np.testing.assert_allclose((gesture_features(np.eye(GESTURES)[1], 0, 0)[:-2] ** 2).mean(), 1)


def test_a_pause_is_counted_from_the_latest_end_of_all_earlier_clips():
    # The second clip lies within the first, and the fourth begins where the third has ended.
    table = pd.DataFrame({"clip_id": list("abcd"), "start": [25, 35, 175, 200], "end": [124, 44, 199, 224]})
    table = table.assign(n_frames=table.end - table.start + 1, fps=25.0)
    said = Embedding(np.zeros(2, np.float32), np.log([0.8, 0.2]).astype(np.float32))
    video = read_video("v", table, {}, None, dict.fromkeys("abcd", said), frames=1, size=16)
    np.testing.assert_allclose(np.expm1(video.gestures_NG[:, -1]), [1, 0, 2, 0], atol=1e-6)
    np.testing.assert_allclose(np.expm1(video.gestures_NG[:, -2]), [4, 0.4, 1, 1], rtol=1e-6)
    np.testing.assert_allclose(video.gestures_NG[:, :2], [np.sqrt(2) * np.array([0.8, 0.2])] * 4, rtol=1e-6)


def test_a_recording_without_usable_clips_has_a_video_without_tokens(tmp_path):
    table = pd.DataFrame({"clip_id": ["a0", "b0"], "recording": ["a", "b"], "status": ["quarantined", "ok"]})
    table = table.assign(start=0, end=9, n_frames=10, fps=25.0)
    write_shard(tmp_path / "0.arrow", [("b0", np.full((2, 112, 112, 3), 90, np.uint8))], "jpeg")
    seen = {"b0": Embedding(np.ones(FEATURES, np.float32), np.zeros(GESTURES, np.float32))}
    clips, recordings = Clips(table, ("x",), ("0",)), {"1": "a", "2": "b"}
    videos = read_tokens(clips, recordings, [tmp_path / "0.arrow"], seen, seen, size=16)
    assert [has_tokens(video, SOURCES) for video in videos.values()] == [False, True]
    none = read_tokens(clips, recordings, [], {}, {})
    assert not any(has_tokens(video, ("context", "gestures")) for video in none.values())
    table["status"] = "ok"
    with pytest.raises(InputError, match="clip a0 is in none of the face shards"):
        read_tokens(clips, recordings, [tmp_path / "0.arrow"], seen, seen)


def test_the_encoder_sees_faces_as_published():
    video = a_video("0001", clips=1)
    faces_M = together([video], ("face",), CPU).faces_M
    expected = (video.faces[0].astype(np.float32) / 255 - 0.5) / 0.5
    np.testing.assert_allclose(faces_M.permute(0, 2, 3, 1), expected, atol=1e-6)
    assert isinstance(a_network(a_step(("face",)), {"0001": video}).encoder, FaceEncoder)
    assert FACE.network.embedding == 16
