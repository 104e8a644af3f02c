import importlib.util

import pytest

from fixtures.video_encoders import save_encoder
from microgesture.config.whole import load_config
from microgesture.workflow.encoder_health import encoders_found
from microgesture.workflow.encoder_stages import encoders


def config_of(*models, **network):
    streams = {
        f"probe{number}": {
            "corpus": "mine",
            "input": "rgb",
            "network": {"name": "pretrained_video", "model": str(model), **network},
            "recipe": "probe",
        }
        for number, model in enumerate(models)
    }
    return load_config(
        {
            "corpora": {"mine": {"format": "manifest", "root": "clips"}},
            "recipes": {"probe": {"epochs": 1}},
            "streams": streams,
            "ensembles": {"final": {"streams": list(streams)}},
            "submission": {"ensemble": "final"},
        }
    )


@pytest.fixture
def installed(monkeypatch):
    """The packages that are there, which a test may change."""
    there = {"transformers", "peft"}
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name: (name in there or None) if name in ("transformers", "peft") else found(name),
    )
    return there


@pytest.mark.usefixtures("installed")
def test_a_download_is_announced_and_a_missing_folder_stops(tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    save_encoder(tmp_path / "tiny")
    config = config_of(tmp_path / "tiny", "owner/model", tmp_path / "nowhere", "owner/model")
    folder, hub, nowhere = encoders_found(config, tmp_path)
    assert (folder.about, folder.stops) == ("model of probe0", False)
    assert hub.about == "model of probe1, probe3"
    assert "owner/model will be downloaded" in hub.text
    assert (hub.stops, nowhere.stops) == (False, True)
    for name in encoders(config):
        (tmp_path / "encoders").mkdir(exist_ok=True)
        for suffix in ("json", "safetensors"):
            (tmp_path / "encoders" / f"{name}.{suffix}").touch()
    assert not any("downloaded" in found.text or found.stops for found in encoders_found(config, tmp_path))


def test_missing_packages_are_named_with_the_extra(installed, tmp_path):
    installed.discard("peft")
    assert not any(found.stops for found in encoders_found(config_of("owner/model"), tmp_path))
    missing, _ = encoders_found(config_of("owner/model", tune="lora"), tmp_path)
    assert (missing.about, missing.stops) == ("streams.probe0", True)
    assert "(peft)" in missing.text
    assert "pretrained" in missing.text
    installed.clear()
    missing, _ = encoders_found(config_of("owner/model"), tmp_path)
    assert "(transformers)" in missing.text
