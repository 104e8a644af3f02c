"""Reading videos frame by frame without ever hiding damage, and cutting the person out of a frame."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import av
import cv2
import numpy as np
from av.container import InputContainer
from av.video.reformatter import VideoReformatter

from ..errors import UnusableClip

# A playlist or a list of parts could make the decoder open any other file, so only containers of video are read.
CONTAINERS = "mov,matroska,avi,mpegts,mpeg,asf,flv,ogg"
LARGEST_FRAME = 8192 * 8192  # pixels; a header that claims more is damaged, and would exhaust the memory
# What a process that opens a video may allocate, in bytes: a decoder keeps up to 16 frames, which are 3 GiB of the
# largest with 10 bits. At 1920 x 1080 it needs a tenth of that.
DECODER_MEMORY = 4 * 2**30

# These codecs never write a run of zeros, but their decoders often make a picture of one without complaint.
ZERO_FREE_CODECS = ("h264", "hevc")
HOLE = bytes(64)


@dataclass(frozen=True)
class VideoInfo:
    """What a video says of itself.

    ``n_frames`` is the header's count (a hint: an edit list may show fewer), or exact if it was asked for; None where
    the header has none. ``fps`` is frames a second, None where unknown; ``width`` and ``height`` are the pixels of a
    decoded frame, after the rotation that the file asks for.
    """

    n_frames: int | None
    fps: float | None
    width: int
    height: int


@dataclass(frozen=True)
class Box:
    """A rectangle of a frame in whole pixels, which may reach outside the frame: corner ``x``, ``y`` and extent."""

    x: int
    y: int
    width: int
    height: int

    def resized(self, size: int) -> tuple[int, int]:
        """Width and height of the box when its shorter side becomes ``size`` pixels: (size, size) for a square."""
        scale = size / min(self.width, self.height)
        return round(self.width * scale), round(self.height * scale)


class _Time(NamedTuple):
    """When a coded frame is shown, if it is, and for how long, in the time base of its stream."""

    shown: bool
    pts: int | None
    duration: int


def decoding_seconds(n_frames: int) -> float:
    """The longest that it may take to decode so many frames: a minute and a fifth of a second for each, or 12 hours.

    That is a tenth of the speed of one slow core at 1920 x 1080, so whatever takes longer is stuck.
    """
    return min(60 + n_frames / 5, 12 * 3600)


def probe(path: Path | str, count: bool = False) -> VideoInfo:
    """Size, rate and length of a video, proved to be one by decoding its first frame.

    With ``count`` the length is counted from the packets (the whole file is read, but not decoded) rather than
    believed. Raises ``UnusableClip`` if the file is missing or no video, or if frames that the header promises are
    found missing while they are counted.
    """
    with _opened(path) as container:
        stream = container.streams.video[0]
        rate = stream.average_rate or stream.guessed_rate
        n_frames = stream.frames or None
        first = next(_frames(container, path), None)
        if first is None:
            raise UnusableClip(f"{path}: no frame can be decoded from it")
        height, width = _upright(first, VideoReformatter()).shape[:2]
    if count:
        with _opened(path) as container:
            n_frames = _counted(container, path)
    return VideoInfo(n_frames, float(rate) if rate else None, width, height)


def decode(path: Path | str, first: int, last: int) -> Iterator[np.ndarray]:
    """The frames ``first`` to ``last`` (from 0, ``last`` included), each uint8 (H, W, 3) RGB in 0..255.

    Raises ``UnusableClip`` naming file and frame if one of them, or one before, is damaged or missing.
    """
    return (frame_HWC for _, frame_HWC in decode_spans(path, [(first, last)]))


def decode_spans(path: Path | str, spans: Sequence[tuple[int, int]]) -> Iterator[tuple[int, np.ndarray]]:
    """Every frame that lies in one of the spans (first, last), once and in order, as (index, uint8 (H, W, 3) RGB).

    The video is decoded once from its start, because a frame number means nothing after a seek, and only as far as
    the last frame wanted. Raises ``UnusableClip`` naming file and frame at the first damaged or missing one.
    """
    remaining = sorted(spans)
    final = max(last for _, last in remaining)
    converter = VideoReformatter()  # setting it up takes longer than converting a frame
    index = -1
    with _opened(path) as container:
        for index, frame in enumerate(_frames(container, path)):
            while remaining[0][1] < index:
                remaining.pop(0)
            if remaining[0][0] <= index:
                yield index, _upright(frame, converter)
            if index == final:
                return
    raise UnusableClip(f"{path}: the video ends after {index + 1} frames, frame {final} was expected (counted from 0)")


@contextmanager
def _opened(path: Path | str) -> Iterator[InputContainer]:
    path = Path(path)
    if not path.is_file():
        raise UnusableClip(f"{path}: no such file")
    # "file:" keeps a name with a colon in it from being taken for a network address.
    options = {"protocol_whitelist": "file", "format_whitelist": CONTAINERS}
    try:
        container = av.open(f"file:{path.absolute()}", options=options, metadata_errors="replace")
    except av.FFmpegError as error:
        raise UnusableClip(f"{path}: not a readable video ({error.strerror}); expected {CONTAINERS}") from None
    try:
        with container:
            if not container.streams.video:
                raise UnusableClip(f"{path}: the file has no video stream")
            stream = container.streams.video[0]
            if stream.codec_context is None:
                raise UnusableClip(f"{path}: the video is in a coding that is unknown here, or damaged")
            if not 0 < stream.width * stream.height <= LARGEST_FRAME:
                raise UnusableClip(f"{path}: the header claims {stream.width} x {stream.height} pixels a frame")
            # With threads inside a frame, FFmpeg does not mark the frames in which it has patched over damage.
            stream.codec_context.thread_count = 1
            # Frames may claim other sizes than the header does.
            stream.codec_context.options = {"max_pixels": str(LARGEST_FRAME)}
            yield container
    except MemoryError as error:
        raise UnusableClip(f"{path}: memory ran out while it was read ({error})") from None


def _packets(container: InputContainer, path: Path | str) -> Iterator[av.Packet]:
    """The coded frames of the video, and at the end an empty one that makes the decoder give its last frames."""
    try:
        yield from container.demux(container.streams.video[0])
    except av.FFmpegError as error:
        raise UnusableClip(f"{path}: the file cannot be read to its end ({error.strerror})") from None


def _counted(container: InputContainer, path: Path | str) -> int:
    """The number of frames, unless the header promises more: then the file has been cut off."""
    stream = container.streams.video[0]
    # Their times alone are kept: all packets together are the file, which may be larger than the memory.
    packets = [
        _Time(packet.size > 0 and not packet.is_discard, packet.pts, packet.duration or 0)
        for packet in _packets(container, path)
        if packet.size > 0 or packet.dts is not None
    ]
    shown = [packet for packet in packets if packet.shown]
    end = _promised_end(container)
    if end is None:
        missing = len(packets) < stream.frames
    else:
        # Of a whole file, an edit list may leave out frames; but they end when they should.
        left = end - _end(shown, stream.time_base)
        missing = not 0 < stream.frames <= len(shown) and left > 0.5 / (stream.average_rate or 1)
    if missing:
        raise UnusableClip(f"{path}: the file ends after {len(shown)} frames, and its header promises more")
    return len(shown)


def _promised_end(container: InputContainer) -> Fraction | None:
    """When the last frame ends by the header, in seconds; None if the kind of file does not say."""
    stream = container.streams.video[0]
    if container.format.name.startswith("mov") and stream.duration:
        return ((stream.start_time or 0) + stream.duration) * stream.time_base
    written = re.fullmatch(r"(\d+):(\d+):(\d+)(\.\d+)?", stream.metadata.get("DURATION", ""))  # by Matroska's muxers
    if written:
        hours, minutes, seconds, fraction = written.groups()
        return int(hours) * 3600 + int(minutes) * 60 + int(seconds) + Fraction(fraction or 0)
    return None


def _end(packets: Sequence[_Time], time_base: Fraction) -> Fraction:
    """When the last of the frames ends, in seconds; one that does not say its duration takes the longest of all."""
    known = sorted((packet.pts, packet.duration) for packet in packets if packet.pts is not None)
    if not known:
        return Fraction(0)
    longest = max((after[0] - before[0] for before, after in pairwise(known)), default=0)
    time, duration = known[-1]
    return (time + (duration or longest)) * time_base


def _frames(container: InputContainer, path: Path | str) -> Iterator[av.VideoFrame]:
    """The decoded frames; damage of any kind raises ``UnusableClip``."""
    zeros_are_damage = container.streams.video[0].codec_context.name in ZERO_FREE_CODECS
    index, size = 0, None
    for packet in _packets(container, path):
        if zeros_are_damage and HOLE in bytes(packet):
            raise UnusableClip(f"{path}: frame {index} or one soon after it has a hole, as from a broken download")
        try:
            frames = packet.decode()
        except av.FFmpegError as error:
            raise UnusableClip(f"{path}: frame {index} cannot be decoded ({error.strerror})") from None
        for frame in frames:
            if frame.is_corrupt:
                raise UnusableClip(f"{path}: frame {index} is corrupt")
            size = size or (frame.width, frame.height)
            if (frame.width, frame.height) != size:
                sizes = f"{frame.width} x {frame.height} pixels, those before {size[0]} x {size[1]}"
                raise UnusableClip(f"{path}: frame {index} has {sizes}")
            yield frame
            index += 1


def _upright(frame: av.VideoFrame, converter: VideoReformatter) -> np.ndarray:
    """The picture as a player shows it, (H, W, 3): telephones store it lying on its side and say so in the file."""
    rgb_HWC = converter.reformat(frame, format="rgb24", threads=1).to_ndarray()
    return np.ascontiguousarray(np.rot90(rgb_HWC, round(frame.rotation / 90)))


def person_box(keypoints_TVC: np.ndarray | None, width: int | None, height: int | None, margin: float) -> Box:
    """The square around everywhere a person is in a clip, so that the crop does not move with the gesture.

    ``keypoints_TVC`` is (T, V, 3): x, y in pixels, confidence, (0, 0, 0) where missing. The extent of all present
    points, no further than the frame's edge, is enlarged by ``margin`` of its size on each side and then to a square.
    Without two distinct points it is the full frame. ``width`` and ``height`` are the frame's, in pixels; where they
    are unknown (None), there is no edge and there must be points: ``UnusableClip`` otherwise.
    """
    points_N2 = np.empty((0, 2))
    if keypoints_TVC is not None:
        present = np.isfinite(keypoints_TVC).all(-1) & (keypoints_TVC[..., 2] > 0)
        points_N2 = keypoints_TVC[present][:, :2].astype(np.float64)
    if width and height:
        points_N2 = points_N2.clip(0, (width, height))
    side = 0.0
    if len(points_N2):
        low, high = points_N2.min(0), points_N2.max(0)
        side = float((high - low).max()) * (1 + 2 * margin)
    if side > 0:
        corner = np.floor((low + high - side) / 2).astype(int)
        return Box(int(corner[0]), int(corner[1]), int(np.ceil(side)) + 1, int(np.ceil(side)) + 1)
    if not (width and height):
        raise UnusableClip("there is no keypoint to show where the person is, and the size of the frame is unknown")
    return Box(0, 0, width, height)


def crop(frame_HWC: np.ndarray, box: Box, size: int) -> np.ndarray:
    """The part of a frame (H, W, ...) in the box, black outside the frame, resized to ``box.resized(size)``."""
    height, width = frame_HWC.shape[:2]
    left, top = max(box.x, 0), max(box.y, 0)
    right, bottom = min(box.x + box.width, width), min(box.y + box.height, height)
    if (left, top, right - left, bottom - top) == (box.x, box.y, box.width, box.height):
        cut = frame_HWC[top:bottom, left:right]
    else:
        cut = np.zeros((box.height, box.width, *frame_HWC.shape[2:]), frame_HWC.dtype)
        if right > left and bottom > top:
            inside = frame_HWC[top:bottom, left:right]
            cut[top - box.y : bottom - box.y, left - box.x : right - box.x] = inside
    shrinking = size < min(box.width, box.height)
    how = cv2.INTER_AREA if shrinking else cv2.INTER_LINEAR
    try:
        return cv2.resize(np.ascontiguousarray(cut), box.resized(size), interpolation=how)
    except cv2.error as error:
        if error.code == cv2.Error.StsNoMem:
            raise MemoryError(error.err) from None
        raise
