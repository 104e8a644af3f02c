import json
import sys

import pytest
import torch

from fixtures.video_encoders import FRAMES, KINDS, SIDE, save_encoder
from microgesture.checkpoints.encoders import read_encoder
from microgesture.config.encoders import EncoderStep
from microgesture.errors import InputError


def read(folder):
    return read_encoder(EncoderStep(model=str(folder)))


@pytest.mark.parametrize("kind", KINDS)
def test_an_encoder_is_read_with_the_frames_the_side_and_the_normalisation_of_its_processor(tmp_path, kind):
    network = save_encoder(tmp_path, kind)
    encoder, state = read(tmp_path)
    assert (encoder.frames, encoder.size, encoder.revision) == (FRAMES, SIDE, None)
    processor = KINDS[kind][2]()
    offset = 1 if kind == "vivit" else 0  # its processor subtracts 1 before it normalises
    for of_channel in zip(encoder.mean, encoder.std, processor.image_mean, processor.image_std, strict=True):
        mean, std, image_mean, image_std = of_channel
        assert mean * processor.rescale_factor == pytest.approx(image_mean + offset, abs=1e-5)
        assert std * processor.rescale_factor == pytest.approx(image_std, abs=1e-5)
    own = getattr(network, network.base_model_prefix, network).state_dict()
    assert all(torch.equal(tensor, own[name.removeprefix("model.")]) for name, tensor in state.items())
    assert not any("predictor" in name or "pooler" in name or "classifier" in name for name in state)


IMAGENET = {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}
# As their publishers wrote them, when transformers had processors of pictures here; with smaller sides.
PUBLISHED = {
    "videomae": {**IMAGENET, "crop_size": 32, "size": 32, "feature_extractor_type": "VideoMAEFeatureExtractor"},
    "timesformer": {
        **{"image_mean": [0.45] * 3, "image_std": [0.225] * 3, "rescale_factor": 1 / 255},
        **{"crop_size": {"height": 32, "width": 32}, "size": {"shortest_edge": 32}},
        "image_processor_type": "VideoMAEImageProcessor",
    },
    "vivit": {
        **{"image_mean": [0.5] * 3, "image_std": [0.5] * 3, "rescale_factor": 1 / 127.5, "offset": True},
        **{"crop_size": {"height": 32, "width": 32}, "size": {"shortest_edge": 36}},
        "image_processor_type": "VivitImageProcessor",
    },
}
PREPARED = {"videomae": ([123.675, 116.28, 103.53], [58.395, 57.12, 57.375])}
PREPARED |= {"timesformer": ([114.75] * 3, [57.375] * 3), "vivit": ([191.25] * 3, [63.75] * 3)}


@pytest.mark.parametrize("kind", PUBLISHED)
def test_processors_in_the_files_of_earlier_years_are_read(tmp_path, kind):
    save_encoder(tmp_path, kind)
    for path in tmp_path.glob("*processor_config.json"):
        path.unlink()
    usual = {"do_resize": True, "do_center_crop": True, "do_normalize": True, "resample": 2}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(usual | PUBLISHED[kind]))
    encoder, _ = read(tmp_path)
    assert encoder.size == SIDE
    assert (list(encoder.mean), list(encoder.std)) == tuple(map(pytest.approx, PREPARED[kind]))


def test_without_the_package_one_sentence_says_what_to_install(tmp_path, monkeypatch):
    save_encoder(tmp_path)
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(InputError, match=r"pip install \"\.\[pretrained\]\"") as caught:
        read(tmp_path)
    assert "\n" not in str(caught.value)


def test_weights_that_would_be_unpickled_are_not_read(tmp_path):
    network = save_encoder(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    torch.save(network.state_dict(), tmp_path / "pytorch_model.bin")
    with pytest.raises(InputError, match=r"no weights as \*\.safetensors"):
        read(tmp_path)


def test_missing_tensors_are_refused(tmp_path):
    network = save_encoder(tmp_path)
    state = network.state_dict()
    del state["videomae.encoder.layer.1.output.dense.weight"]
    network.save_pretrained(tmp_path, state_dict=state)
    with pytest.raises(InputError, match=r"1 of its \d+ tensors"):
        read(tmp_path)


def edit(path, **changed):
    path.write_text(json.dumps(json.loads(path.read_text()) | changed))


def test_code_of_a_model_is_not_run(tmp_path):
    save_encoder(tmp_path)
    (tmp_path / "code.py").write_text("raise SystemExit('it ran')")
    edit(tmp_path / "config.json", model_type="own", auto_map={"AutoConfig": "code.Config", "AutoModel": "code.Model"})
    with pytest.raises(InputError, match=r"config\.json"):
        read(tmp_path)


@pytest.mark.parametrize("name", ["nowhere", "owner/name/part", "/no/such/folder"])
def test_what_is_neither_a_folder_nor_an_id_is_refused(name):
    with pytest.raises(InputError, match="neither a folder"):
        read_encoder(EncoderStep(model=name))


def test_a_network_for_pictures_is_refused(tmp_path):
    save_encoder(tmp_path)
    edit(tmp_path / "config.json", model_type="vit")
    with pytest.raises(InputError, match="'vit'; choose one of videomae"):
        read(tmp_path)


def test_a_folder_without_a_processor_is_refused(tmp_path):
    save_encoder(tmp_path)
    for path in tmp_path.glob("*processor_config.json"):
        path.unlink()
    with pytest.raises(InputError, match="processor"):
        read(tmp_path)
