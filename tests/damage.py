"""Damages videos in the ways of broken downloads, wrong tools and mischief: functions from bytes to bytes."""

import random
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import av
import numpy as np

CONTAINER_BOXES = (b"moov", b"trak", b"edts", b"mdia", b"minf", b"stbl", b"dinf")
TABLES = (b"stts", b"ctts", b"stsc", b"stsz", b"stco", b"stss", b"elst")
EBML_ELEMENTS = ("1a45dfa3", "18538067", "114d9b74", "1549a966", "1654ae6b", "1f43b675", "1c53bb6b", "a3", "ae", "e0")
EXTREMES = (0, 1, 7, 8, 9, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF)


def boxes(data: bytes, start: int = 0, end: int | None = None) -> Iterator[tuple[bytes, int]]:
    """Type and place of each box of an mp4 file, from the outermost in."""
    end = len(data) if end is None else end
    while start + 8 <= end:
        size, kind = struct.unpack_from(">I4s", data, start)
        if size < 8:
            return
        yield kind, start
        if kind in CONTAINER_BOXES:
            yield from boxes(data, start + 8, start + size)
        start += size


def box(data: bytes, kind: bytes) -> int:
    """The place of the first box of a kind."""
    return next(place for found, place in boxes(data) if found == kind)


def patched(data: bytes, place: int, format: str, *values: int) -> bytes:
    """The data with numbers written over it."""
    changed = bytearray(data)
    struct.pack_into(format, changed, place, *values)
    return bytes(changed)


def flipped(data: bytes, bits: int, seed: int, first: int = 0) -> bytes:
    """The data with some bits flipped from a place on."""
    choose, changed = random.Random(seed), bytearray(data)
    for _ in range(bits):
        changed[choose.randrange(first, len(data))] ^= 1 << choose.randrange(8)
    return bytes(changed)


def with_hole(data: bytes, start: int, length: int) -> bytes:
    """The data with zeros in a place, as a download that came in parts leaves them."""
    return data[:start] + bytes(length) + data[start + length :]


def later_start(data: bytes, frames: int) -> bytes:
    """An mp4 of 25 frames a second whose edit list leaves out its first frames."""
    media_scale = struct.unpack_from(">I", data, box(data, b"mdhd") + 20)[0]
    movie_scale = struct.unpack_from(">I", data, box(data, b"mvhd") + 20)[0]
    place = box(data, b"elst") + 16
    duration, first = struct.unpack_from(">Ii", data, place)
    left = duration - frames * movie_scale // 25
    return patched(data, place, ">Ii", left, first + frames * media_scale // 25)


def turned(data: bytes) -> bytes:
    """An mp4 that asks to be shown turned by a right angle, clockwise."""
    one = 1 << 16
    return patched(data, box(data, b"tkhd") + 48, ">9i", 0, one, 0, -one, 0, 0, 0, 0, 1 << 30)


def with_size(data: bytes, width: int, height: int) -> bytes:
    """An mp4 whose header gives another size than its H.264 stream."""
    return patched(data, data.index(b"avc1", box(data, b"stsd")) + 28, ">HH", width, height)


def with_jpeg_size(data: bytes, width: int, height: int) -> bytes:
    """A motion JPEG video whose pictures say that they have another size."""
    place = data.find(b"\xff\xc0")
    while place >= 0:
        data = patched(data, place + 5, ">HH", height, width)
        place = data.find(b"\xff\xc0", place + 2)
    return data


def with_avi_length(data: bytes, frames: int) -> bytes:
    """An AVI file whose headers give another number of frames."""
    data = patched(data, data.index(b"avih") + 8 + 16, "<I", frames)
    return patched(data, data.index(b"strh") + 8 + 32, "<I", frames)


def with_table_length(data: bytes, kind: bytes, entries: int) -> bytes:
    """An mp4 one of whose tables claims another length."""
    return patched(data, box(data, kind) + (16 if kind == b"stsz" else 12), ">I", entries)


def at_uneven_times(path: Path, source: Path) -> Path:
    """The same coded frames, at times that lie further and further apart."""
    with av.open(str(source)) as old, av.open(str(path), "w") as new:
        stream = new.add_stream_from_template(old.streams.video[0])
        for packet in old.demux(video=0):
            if packet.size:
                packet.pts, packet.dts = (time + time * abs(time) // 4096 for time in (packet.pts, packet.dts))
                packet.stream = stream
                new.mux(packet)
    return path


def write_sound(path: Path) -> Path:
    """A file with sound and no pictures."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=8000)
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        sound.sample_rate = 8000
        container.mux(stream.encode(sound))
        container.mux(stream.encode())
    return path


def _flip(data: bytes, choose: random.Random) -> bytes:
    return flipped(data, choose.choice((1, 3, 30)), choose.randrange(2**32), first=choose.choice((0, len(data) // 2)))


def _cut(data: bytes, choose: random.Random) -> bytes:
    start = choose.randrange(len(data))
    end = choose.choice((len(data), min(len(data), start + choose.randrange(1, 2000))))
    return data[:start] + data[end:]


def _splice(data: bytes, choose: random.Random) -> bytes:
    source, length = choose.randrange(len(data)), choose.randrange(1, 2000)
    target = choose.randrange(len(data))
    replaced = choose.choice((0, length))
    return data[:target] + data[source : source + length] + data[target + replaced :]


def _mp4_length(data: bytes, choose: random.Random) -> bytes:
    kind, place = choose.choice(list(boxes(data)))
    size = struct.unpack_from(">I", data, place)[0]
    if kind in TABLES and choose.random() < 0.7:
        return with_table_length(data, kind, choose.choice((*EXTREMES, 10**6, 10**9)))
    return patched(data, place, ">I", choose.choice((*EXTREMES, size - 1, size + 1, size + 8, 2 * size)) % 2**32)


def _ebml_length(data: bytes, choose: random.Random) -> bytes:
    places = [place + len(mark) for mark in map(bytes.fromhex, EBML_ELEMENTS) for place in _places(data, mark)]
    place = choose.choice(places)
    width = choose.randrange(1, 9)
    length = choose.choice((0, 1, 255, 10**6, 2 ** (7 * width) - 1)) % 2 ** (7 * width)
    return data[:place] + ((1 << (7 * width)) | length).to_bytes(width, "big") + data[place + width :]


def _places(data: bytes, mark: bytes) -> Iterator[int]:
    place = data.find(mark)
    while place >= 0:
        yield place
        place = data.find(mark, place + 1)


Mutation = Callable[[bytes, random.Random], bytes]
MUTATIONS: Mapping[str, Sequence[Mutation]] = {
    "mp4": (_flip, _cut, _splice, _mp4_length),
    "mkv": (_flip, _cut, _splice, _ebml_length),
}


def mutated(data: bytes, container: str, seed: int) -> bytes:
    """One of many ways to damage a video in a container, up to three at once."""
    choose = random.Random(seed)
    kinds = MUTATIONS[container]
    changed = kinds[seed % len(kinds)](data, choose)
    for _ in range(choose.choice((0, 0, 0, 1, 2))):
        again = choose.choice(kinds[:3])  # the others need the parts of the container in place
        changed = again(changed, choose) if changed else changed
    return changed
