"""A file that looks like a video may name other files; a canary tells if one of them is opened."""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import av
import pytest

from fixtures.release_files import numbered_frames, write_video
from microgesture.errors import UnusableClip
from microgesture.videos.reading import decode, probe

PLAYLIST = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n{}\n#EXT-X-ENDLIST\n"
PARTS = "ffconcat version 1.0\nfile '{}'\n"
STREAM = (
    "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\na=rtpmap:96 H264/90000\n"
)
MANIFEST = (
    '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" mediaPresentationDuration="PT2S">'
    '<Period><AdaptationSet mimeType="video/mp4"><Representation id="1" bandwidth="1"><BaseURL>{}</BaseURL>'
    "</Representation></AdaptationSet></Period></MPD>"
)


@dataclass
class Canary:
    """A pipe with a video in it: who opens it gets the video, and is noticed."""

    path: Path
    video: bytes
    opened: threading.Event = field(default_factory=threading.Event)

    def wait_for_a_reader(self) -> None:
        with suppress(BrokenPipeError), open(self.path, "wb") as pipe:  # waits until somebody opens it to read
            self.opened.set()
            pipe.write(self.video)


@pytest.fixture
def canary(tmp_path) -> Iterator[Canary]:
    video = write_video(tmp_path / "source.ts", numbered_frames(5)).read_bytes()
    one = Canary(tmp_path / "canary.ts", video)
    os.mkfifo(one.path)
    waiting = threading.Thread(target=one.wait_for_a_reader)
    waiting.start()
    yield one
    reader = os.open(one.path, os.O_RDONLY | os.O_NONBLOCK)
    one.opened.wait(10)
    os.close(reader)
    waiting.join(10)


@pytest.mark.parametrize(
    ("text", "format", "options"),
    [
        (PLAYLIST, "hls", {"allowed_extensions": "ALL", "extension_picky": "0"}),
        (PARTS, "concat", {"safe": "0"}),
    ],
    ids=["playlist", "parts"],
)
def test_the_canary_notices_who_opens_it(tmp_path, canary, text, format, options):
    (tmp_path / "list.mp4").write_text(text.format(canary.path))
    with av.open(str(tmp_path / "list.mp4"), format=format, options=options) as container:
        assert container.streams.video
    assert canary.opened.wait(10)


@pytest.mark.parametrize("name", ["list.mp4", "list.m3u8", "list%03d.mp4"])
@pytest.mark.parametrize(
    "text",
    [PLAYLIST, PARTS, STREAM, MANIFEST, "concat:{0}|{0}\n", "file:{}\n", "{}\n", "subfile,,start,0,end,0,,:{}\n"],
    ids=["playlist", "parts", "stream", "manifest", "concat", "file", "path", "subfile"],
)
def test_a_text_that_names_a_file_opens_no_other(tmp_path, canary, name, text):
    (tmp_path / name).write_text(text.format(canary.path))
    for look in (probe, lambda path: list(decode(path, 0, 0))):
        with pytest.raises(UnusableClip, match=r"list.*not a readable video"):
            look(tmp_path / name)
    time.sleep(0.01)
    assert not canary.opened.is_set()


@pytest.mark.parametrize(
    "name", ["concat:canary.ts|canary.ts", "%06d.ts", "canary.ts", "subfile,,start,0,end,0,,:canary.ts"]
)
def test_a_name_that_names_a_file_opens_no_other(tmp_path, monkeypatch, canary, name):
    (tmp_path / "000001.ts").write_bytes(canary.video)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UnusableClip, match="no such file"):
        probe(name)
    assert not canary.opened.is_set()
