"""Shard files: the frames of many clips in one Arrow file, read at random by clip and frame.

One record batch holds one clip, one row one encoded frame, so a memory-mapped read touches only the frames asked for.
A clip that could not be made has no frames and says why. Every frame has a checksum that each reading of it checks,
which takes a fortieth of the time that decoding a jpeg does.
"""

import json
import os
import shutil
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa

from ..errors import InputError, UnusableClip
from .checksums import OPEN, damaged, is_whole, seal
from .disk import disk_room
from .files import replacing

SCHEMA = pa.schema([("frame", pa.binary()), ("crc32", pa.uint32())])


def _encode_image(suffix: str, *options: int) -> Callable[[np.ndarray], bytes]:
    return lambda frame: cv2.imencode(suffix, _swap(frame), options)[1].tobytes()


def _decode_image(encoded: memoryview, _shape: Sequence[int], _dtype: np.dtype) -> np.ndarray:
    return _swap(cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_UNCHANGED))


def _swap(frame: np.ndarray) -> np.ndarray:
    """RGB to OpenCV's BGR and back."""
    return cv2.cvtColor(frame, cv2.COLOR_RGB2BGR) if frame.ndim == 3 else frame


def _decode_raw(encoded: memoryview, shape: Sequence[int], dtype: np.dtype) -> np.ndarray:
    return np.frombuffer(encoded, dtype).reshape(shape)


def _decode_zstd(encoded: memoryview, shape: Sequence[int], dtype: np.dtype) -> np.ndarray:
    size = int(np.prod(shape)) * dtype.itemsize
    return _decode_raw(memoryview(pa.decompress(encoded, size, codec="zstd")), shape, dtype)


# jpeg keeps colour at full resolution (4:4:4): the channels of a Taylor frame are three different measurements.
_JPEG = (cv2.IMWRITE_JPEG_QUALITY, 95, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444)
CODECS: dict[str, tuple[Callable, Callable]] = {
    "jpeg": (_encode_image(".jpg", *_JPEG), _decode_image),
    "raw": (lambda frame: np.ascontiguousarray(frame).tobytes(), _decode_raw),
    "zstd": (
        lambda frame: pa.compress(np.ascontiguousarray(frame).tobytes(), codec="zstd", asbytes=True),
        _decode_zstd,
    ),
}


class Shard:
    """A shard file open for reading: ``clip_ids``, the frames of each, and why a clip has none.

    Frames come back as they were written, (T, ...) in their own dtype; ``jpeg`` frames are uint8 (T, H, W, 3) RGB or
    (T, H, W), close to what was written. Raises ``InputError`` if the file is no shard, one without checksums, or
    damaged where it lists its clips.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        try:
            self._file = pa.ipc.open_file(pa.memory_map(str(path)))
            listed = self._file.schema.metadata[b"clips"]
            recorded = self._file.schema.metadata.get(b"crc32")
            as_written = self._file.schema.remove_metadata().equals(SCHEMA)
        except (pa.ArrowException, ValueError, KeyError, TypeError, OSError) as error:
            if getattr(error, "errno", None):  # the system's, not Arrow's own
                raise
            raise InputError(f"{path} is no shard file, or a damaged one ({error}); delete it and run again") from None
        if recorded is None:
            raise InputError(f"{path} was made before shards carried checksums; delete it and run again")
        if recorded != _checksum_text(listed) or not as_written:
            raise InputError(damaged(path, "the list of its clips"))
        self._clips = json.loads(listed)
        self.clip_ids = [clip["clip_id"] for clip in self._clips]

    @cached_property
    def _row(self) -> dict[str, int]:
        return {clip_id: row for row, clip_id in enumerate(self.clip_ids)}

    def reason(self, clip_id: str) -> str | None:
        """Why the clip could not be made, or None if it could."""
        return self._clips[self._row[clip_id]]["reason"]

    @property
    def reasons(self) -> dict[str, str]:
        """The clips that could not be made and why."""
        return {clip["clip_id"]: clip["reason"] for clip in self._clips if clip["reason"]}

    def shape(self, clip_id: str) -> tuple[int, ...]:
        """The shape of the clip's whole array, (T, ...), without reading it."""
        return tuple(self._clips[self._row[clip_id]]["shape"])

    def read(self, clip_id: str, frames: Sequence[int] | None = None) -> np.ndarray:
        """The named frames of a clip (all of them by default), (T, ...); each frame is decoded once.

        Raises ``UnusableClip`` if the clip could not be made, and ``InputError`` if one of the frames is damaged.
        """
        row = self._row[clip_id]
        clip = self._clips[row]
        if clip["reason"]:
            raise UnusableClip(clip["reason"])
        wanted = np.arange(clip["shape"][0]) if frames is None else np.asarray(frames)
        distinct, where = np.unique(wanted, return_inverse=True)
        decode = CODECS[clip["codec"]][1]
        shape, dtype = clip["shape"][1:], np.dtype(clip["dtype"])
        decoded = [decode(encoded, shape, dtype) for encoded in self._encoded(clip_id, distinct)]
        if not decoded:
            return np.empty((0, *shape), dtype)
        return np.stack([decoded[i] for i in where])

    def damage(self, clip_id: str) -> str | None:
        """What is damaged of a clip, as a sentence that names the first such frame, or None."""
        try:
            list(self._encoded(clip_id, range(self.shape(clip_id)[0])))
        except InputError as error:
            return str(error)
        return None

    def _encoded(self, clip_id: str, frames: Iterable[int]) -> Iterator[memoryview]:
        """The frames as they are stored, each compared with its checksum; raises ``InputError``."""
        try:
            batch = self._file.get_batch(self._row[clip_id])
            batch.validate(full=True)
        except (pa.ArrowException, OSError, ValueError) as error:
            raise InputError(f"{damaged(self.path, f'clip {clip_id}')} ({error})") from None
        encoded, checksums = batch.columns
        if len(batch) != self.shape(clip_id)[0] or encoded.null_count or checksums.null_count:
            raise InputError(damaged(self.path, f"clip {clip_id}"))
        for frame in frames:
            stored = memoryview(encoded[int(frame)].as_buffer())
            if _frame_checksum(clip_id, frame, stored) != checksums[int(frame)].as_py():
                raise InputError(damaged(self.path, f"clip {clip_id}, frame {frame}"))
            yield stored


def write_shard(path: Path | str, entries: Iterable[tuple[str, np.ndarray | UnusableClip]], codec: str) -> None:
    """Write one shard file from (clip id, frames (T, ...) or the reason there are none), in the order given."""
    clips, batches = _encode(entries, codec)
    with replacing(path, sum(batch.nbytes for batch in batches)) as temporary:
        _write(temporary, clips, batches)


def _encode(
    entries: Iterable[tuple[str, np.ndarray | UnusableClip]], codec: str
) -> tuple[list[dict], list[pa.RecordBatch]]:
    """What a shard file lists of each clip, and the clip's frames."""
    encode = CODECS[codec][0]
    clips, batches = [], []
    for clip_id, frames in entries:
        reason = str(frames) if isinstance(frames, UnusableClip) else None
        encoded = [] if reason else [encode(frame) for frame in frames]
        checksums = [_frame_checksum(clip_id, frame, stored) for frame, stored in enumerate(encoded)]
        columns = [pa.array(encoded, pa.binary()), pa.array(checksums, pa.uint32())]
        batches.append(pa.record_batch(columns, schema=SCHEMA))
        described = {"shape": [0], "dtype": "uint8"}
        if not reason:
            described = {"shape": list(frames.shape), "dtype": frames.dtype.str}
        clips.append({"clip_id": clip_id, **described, "codec": codec, "reason": reason})
    return clips, batches


def _write(path: Path, clips: list[dict], batches: Iterable[pa.RecordBatch]) -> None:
    listed = json.dumps(clips, ensure_ascii=False).encode()
    schema = SCHEMA.with_metadata({"clips": listed, "crc32": _checksum_text(listed), "file": OPEN})
    with pa.ipc.new_file(str(path), schema) as writer:
        for batch in batches:
            writer.write_batch(batch)  # the list of clips stands in the file once, not in each batch
    seal(path)


def _checksum_text(content: bytes) -> bytes:
    return f"{zlib.crc32(content):08x}".encode()


def _frame_checksum(clip_id: str, frame: int, encoded: bytes | memoryview) -> int:
    """CRC-32 of an encoded frame with its place before it, so that no frame passes for another one."""
    return zlib.crc32(encoded, zlib.crc32(f"{clip_id} {frame} ".encode()))


def build_shard(
    path: Path | str,
    scratch: Path | str,
    clip_ids: Sequence[str],
    produce: Callable[[list[str]], Iterable[tuple[str, np.ndarray | UnusableClip]]],
    codec: str,
) -> None:
    """Make a shard clip by clip, so that a killed job goes on where it was.

    ``produce`` is given the ids that are still to do and yields each with its frames, or the reason there are none, in
    any order. A finished clip is a file of its own in ``scratch``; the shard appears by one rename when all are there,
    and its bytes do not depend on how often the job was killed.
    """
    scratch = Path(scratch)
    finished = {clip_id: scratch / f"{row:06d}.arrow" for row, clip_id in enumerate(clip_ids)}
    unfinished = [clip_id for clip_id, part in finished.items() if not (part.exists() and is_whole(part))]
    for clip_id, frames in produce(unfinished):
        # Not forced onto the disk as a result is, which for small clips takes longer than making them: a part that a
        # power cut has spoilt is not whole.
        scratch.mkdir(parents=True, exist_ok=True)
        with disk_room(finished[clip_id]):
            _write(scratch / ".unfinished", *_encode([(clip_id, frames)], codec))
            os.replace(scratch / ".unfinished", finished[clip_id])
    if missing := [clip_id for clip_id, part in finished.items() if not part.exists()]:
        raise RuntimeError(f"{path}: nothing was produced for {missing}")
    # Opened one at a time: a shard may hold more clips than a process may hold files open.
    clips = [Shard(part)._clips[0] for part in finished.values()]
    with replacing(path, sum(part.stat().st_size for part in finished.values())) as temporary:
        _write(temporary, clips, (Shard(part)._file.get_batch(0) for part in finished.values()))
    shutil.rmtree(scratch, ignore_errors=True)


def each_clip(
    clip_ids: Iterable[str], make: Callable[[str], np.ndarray]
) -> Iterable[tuple[str, np.ndarray | UnusableClip]]:
    """Make clips one by one with ``make``; one that raises ``UnusableClip`` is passed on with its reason."""
    for clip_id in clip_ids:
        try:
            yield clip_id, make(clip_id)
        except UnusableClip as reason:
            yield clip_id, reason
