"""Read videos frame by frame with an error at any damage."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from av.video.reformatter import VideoReformatter

from ..errors import UnusableClip
from .timestamps import FrameTimes, indexed_times, read_times, video_streams

# Only containers of video are read, because a playlist or a list of parts could make the decoder open any other file.
CONTAINERS = "mov,matroska,avi,mpegts,mpeg,asf,flv,ogg"
LARGEST_FRAME = 8192 * 8192  # pixels; a header with a larger size is damaged, and would exhaust the memory
# Bytes that a process which opens a video may allocate. A decoder keeps up to 16 frames: 3 GiB for the largest frames
# with 10 bits, and a tenth of that at 1920 x 1080.
DECODER_MEMORY = 4 * 2**30

# These codecs never write a run of zeros, but their decoders often decode one to a picture without an error.
ZERO_FREE_CODECS = ("h264", "hevc")
HOLE = bytes(64)


@dataclass(frozen=True)
class VideoInfo:
    """Size, rate and length of a video.

    ``n_frames`` is the header's count, which a damaged file may not have, or the exact count if it was requested; None
    if the header has none, or if it shows that the rate varies. ``fps`` is the mean rate in frames per second, None if
    unknown; ``width`` and ``height`` are the pixels of a decoded frame, after the rotation that the file specifies.
    ``times`` are known if the exact count was requested.
    """

    n_frames: int | None
    fps: float | None
    width: int
    height: int
    times: FrameTimes | None = None


def decoding_seconds(n_frames: int) -> float:
    """Return the time limit for decoding so many frames: a minute plus 0.2 s for each frame, at most 12 hours.

    That is a tenth of the speed of one slow core at 1920 x 1080, so a process that takes longer is stuck.
    """
    return min(60 + n_frames / 5, 12 * 3600)


def probe(path: Path | str, count: bool = False) -> VideoInfo:
    """Return the size, rate and length of a video; its first frame is decoded as a check.

    With ``count`` the frames are counted and their times read from the packets (the whole file is read, but not
    decoded) instead of from the header. Raises ``UnusableClip`` if the file is missing or not a video, or if the count
    finds fewer frames than the header declares.
    """
    with _opened(path) as container:
        stream = video_streams(container)[0]
        rate, indexed = stream.average_rate, indexed_times(container)
        first = next(_frames(container, path), None)
        if first is None:
            raise UnusableClip(f"{path}: no frame can be decoded")
        height, width = _upright(first, VideoReformatter()).shape[:2]
    if count:
        with _opened(path) as container:
            n_frames, times = read_times(container, _packets(container, path), first.pts, path)
    else:
        times = indexed
        n_frames = len(indexed) if indexed and indexed.is_constant else None
    fps = times.rate if times else float(rate) if rate else None
    return VideoInfo(n_frames, fps, width, height, times if count else None)


def decode(path: Path | str, first: int, last: int) -> Iterator[np.ndarray]:
    """Yield the frames ``first`` to ``last`` (from 0, ``last`` included), each uint8 (H, W, 3) RGB in 0..255.

    Raises ``UnusableClip`` that names the file and the frame if one of them, or an earlier one, is damaged or missing.
    """
    return (frame_HWC for _, frame_HWC in decode_spans(path, [(first, last)]))


def decode_spans(path: Path | str, spans: Sequence[tuple[int, int]]) -> Iterator[tuple[int, np.ndarray]]:
    """Yield every frame in one of the spans (first, last), once and in order, as (index, uint8 (H, W, 3) RGB).

    The video is decoded once from its start up to the last frame of the spans, because frame numbers are not reliable
    after a seek. Raises ``UnusableClip`` that names the file and the frame at the first damaged or missing one.
    """
    remaining = sorted(spans)
    final = max(last for _, last in remaining)
    converter = VideoReformatter()  # its setup takes longer than converting a frame
    index = -1
    with _opened(path) as container:
        for index, frame in enumerate(_frames(container, path)):
            while remaining[0][1] < index:
                remaining.pop(0)
            if remaining[0][0] <= index:
                yield index, _upright(frame, converter)
            if index == final:
                return
    raise UnusableClip(f"{path}: the video has {index + 1} frames, but frame {final} is needed (counted from 0)")


@contextmanager
def _opened(path: Path | str) -> Iterator[InputContainer]:
    path = Path(path)
    if not os.path.isfile(path):  # unlike Path.is_file, False also for a name too long
        raise UnusableClip(f"{path}: no such file")
    # Without "file:", a name with a colon would be read as a network address.
    options = {"protocol_whitelist": "file", "format_whitelist": CONTAINERS}
    try:
        container = av.open(f"file:{path.absolute()}", options=options, metadata_errors="replace")
    except av.FFmpegError as error:
        raise UnusableClip(f"{path}: not a readable video ({error.strerror}); expected {CONTAINERS}") from None
    try:
        with container:
            if not video_streams(container):
                raise UnusableClip(f"{path}: the file has no video stream")
            stream = video_streams(container)[0]
            if stream.codec_context is None:
                raise UnusableClip(f"{path}: the video has an unknown codec, or is damaged")
            if not 0 < stream.width * stream.height <= LARGEST_FRAME:
                raise UnusableClip(
                    f"{path}: the header has an impossible size, {stream.width} x {stream.height} pixels"
                )
            # With several threads for a frame, FFmpeg does not mark the frames in which it has concealed damage.
            stream.codec_context.thread_count = 1
            # The size in a frame may differ from the size in the header.
            stream.codec_context.options = {"max_pixels": str(LARGEST_FRAME)}
            yield container
    except MemoryError as error:
        raise UnusableClip(f"{path}: memory ran out while reading it ({error})") from None


def _packets(container: InputContainer, path: Path | str) -> Iterator[av.Packet]:
    """Yield the coded frames of the video, and at the end an empty one, so that the decoder gives its last frames."""
    try:
        yield from container.demux(video_streams(container)[0])
    except av.FFmpegError as error:
        raise UnusableClip(f"{path}: the file cannot be read to its end ({error.strerror})") from None


def _frames(container: InputContainer, path: Path | str) -> Iterator[av.VideoFrame]:
    """Yield the decoded frames; damage of any kind raises ``UnusableClip``."""
    zeros_are_damage = video_streams(container)[0].codec_context.name in ZERO_FREE_CODECS
    index, size = 0, None
    for packet in _packets(container, path):
        if zeros_are_damage and HOLE in bytes(packet):
            raise UnusableClip(
                f"{path}: data of frame {index} or one soon after it is missing; download the file again"
            )
        try:
            frames = packet.decode()
        except av.FFmpegError as error:
            raise UnusableClip(f"{path}: frame {index} cannot be decoded ({error.strerror})") from None
        for frame in frames:
            if frame.is_corrupt:
                raise UnusableClip(f"{path}: frame {index} is corrupt")
            size = size or (frame.width, frame.height)
            if (frame.width, frame.height) != size:
                sizes = f"{frame.width} x {frame.height} pixels, earlier frames {size[0]} x {size[1]}"
                raise UnusableClip(f"{path}: frame {index} has {sizes}")
            yield frame
            index += 1


def _upright(frame: av.VideoFrame, converter: VideoReformatter) -> np.ndarray:
    """Return the picture (H, W, 3) in its pixels, rotated as the file specifies, as in videos of telephones."""
    rgb_HWC = converter.reformat(frame, format="rgb24", threads=1).to_ndarray()
    return np.ascontiguousarray(np.rot90(rgb_HWC, round(frame.rotation / 90)))
