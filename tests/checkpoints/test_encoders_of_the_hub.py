"""Encoders of the Hugging Face hub, by its own client and a hub on this machine."""

import hashlib
import json
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import urlsplit

import pytest
import torch

from fixtures.video_encoders import save_encoder
from microgesture.checkpoints.encoders import read_encoder
from microgesture.config.encoders import EncoderStep
from microgesture.errors import InputError

constants = pytest.importorskip("huggingface_hub").constants

COMMIT, MODEL = "0123456789abcdef0123456789abcdef01234567", "owner/tiny"
NOWHERE = "http://127.0.0.1:9"  # nothing listens there


class Hub(BaseHTTPRequestHandler):
    """The answers of a hub with one model, whose files are in ``folder``; ``asked`` are the paths."""

    def __init__(self, folder, asked, *request) -> None:
        self.folder, self.asked = folder, asked
        super().__init__(*request)

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        self.asked.append(path)
        if path == f"/api/models/{MODEL}/revision/main":
            return self.answer(json.dumps({"id": MODEL, "sha": COMMIT, "siblings": []}).encode())
        files = {file.name: file.read_bytes() for file in self.folder.iterdir()}
        if path.startswith(f"/api/models/{MODEL}/tree/{COMMIT}"):
            listed = [
                {"type": "file", "path": name, "size": len(files[name]), "oid": oid(files[name])} for name in files
            ]
            return self.answer(json.dumps(listed).encode())
        name = path.rpartition("/")[2]
        if path == f"/{MODEL}/resolve/{COMMIT}/{name}" and name in files:
            return self.answer(files[name])
        return self.answer(b"{}", status=404)

    do_HEAD = do_GET

    def answer(self, content: bytes, status: int = 200) -> None:
        self.send_response(status)
        for key, value in {
            "ETag": f'"{oid(content)}"',
            "X-Repo-Commit": COMMIT,
            "Content-Length": len(content),
        }.items():
            self.send_header(key, str(value))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)

    def log_message(self, *_) -> None:
        pass


def oid(content: bytes) -> str:
    return hashlib.sha1(content).hexdigest()


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """A hub with a tiny model, beside files that must not be read; the paths that were asked for, and a switch."""
    folder, asked = tmp_path / "published", []
    save_encoder(folder)
    (folder / "pytorch_model.bin").write_bytes(b"a pickle")
    (folder / "modeling.py").write_text("raise SystemExit")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Hub, folder, asked))
    Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)

    def use(address: str) -> None:
        monkeypatch.setattr(constants, "ENDPOINT", address)
        template = address + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)

    use(f"http://127.0.0.1:{server.server_port}")
    yield folder, asked, use
    server.shutdown()
    server.server_close()


def test_a_model_is_downloaded_once_at_a_commit_that_is_noted(hub):
    folder, asked, use = hub
    encoder, state = read_encoder(EncoderStep(model=MODEL))
    assert (encoder.model, encoder.revision) == (MODEL, COMMIT)
    expected = read_encoder(EncoderStep(model=str(folder)))[1]
    assert all(torch.equal(state[name], expected[name]) for name in expected)
    assert any(path.endswith("model.safetensors") for path in asked)
    assert not any(path.endswith((".bin", ".py")) for path in asked)
    asked.clear()
    use(NOWHERE)
    again, _ = read_encoder(EncoderStep(model=MODEL))
    assert (again, asked) == (encoder, [])


def test_without_a_connection_one_sentence_says_what_to_do(hub):
    hub[2](NOWHERE)
    with pytest.raises(InputError) as caught:
        read_encoder(EncoderStep(model=MODEL, revision="v1"))
    text = str(caught.value)
    assert "\n" not in text
    assert all(
        part in text for part in (MODEL, f"hf download {MODEL} --revision v1 --local-dir FOLDER", "model of the")
    )


def test_a_model_that_the_hub_does_not_have_is_named(hub):
    with pytest.raises(InputError, match="owner/none"):
        read_encoder(EncoderStep(model="owner/none"))


def test_a_folder_needs_no_connection(hub):
    folder, asked, _ = hub
    read_encoder(EncoderStep(model=str(folder)))
    assert asked == []
