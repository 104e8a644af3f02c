"""Shard files: the frames of many clips in one Arrow file, read at random by clip and frame.

One record batch holds one clip, one row one encoded frame, so a memory-mapped read touches only the frames asked for.
A clip that could not be made has no frames and says why.
"""

import json
import shutil
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa

from .errors import InputError, UnusableClip
from .files import replacing

SCHEMA = pa.schema([("frame", pa.binary())])


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
    (T, H, W), close to what was written. Raises ``InputError`` if the file is no shard.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        try:
            self._file = pa.ipc.open_file(pa.memory_map(str(path)))
            self._clips = json.loads(self._file.schema.metadata[b"clips"])
        except (pa.ArrowInvalid, KeyError, TypeError) as error:
            raise InputError(f"{path} is no shard file ({error}); delete it and run again") from None
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

        Raises ``UnusableClip`` if the clip could not be made.
        """
        row = self._row[clip_id]
        clip = self._clips[row]
        if clip["reason"]:
            raise UnusableClip(clip["reason"])
        wanted = np.arange(clip["shape"][0]) if frames is None else np.asarray(frames)
        distinct, where = np.unique(wanted, return_inverse=True)
        column = self._file.get_batch(row).column(0)
        decode = CODECS[clip["codec"]][1]
        shape, dtype = clip["shape"][1:], np.dtype(clip["dtype"])
        decoded = [decode(memoryview(column[int(frame)].as_buffer()), shape, dtype) for frame in distinct]
        if not decoded:
            return np.empty((0, *shape), dtype)
        return np.stack([decoded[i] for i in where])


def write_shard(path: Path | str, entries: Iterable[tuple[str, np.ndarray | UnusableClip]], codec: str) -> None:
    """Write one shard file from (clip id, frames (T, ...) or the reason there are none), in the order given."""
    encode = CODECS[codec][0]
    batches, clips = [], []
    for clip_id, frames in entries:
        reason = str(frames) if isinstance(frames, UnusableClip) else None
        encoded = [] if reason else [encode(frame) for frame in frames]
        batches.append(pa.record_batch([pa.array(encoded, pa.binary())], schema=SCHEMA))
        described = {"shape": [0], "dtype": "uint8"}
        if not reason:
            described = {"shape": list(frames.shape), "dtype": frames.dtype.str}
        clips.append({"clip_id": clip_id, **described, "codec": codec, "reason": reason})
    _write(path, clips, batches)


def _write(path: Path | str, clips: list[dict], batches: Iterable[pa.RecordBatch]) -> None:
    schema = SCHEMA.with_metadata({"clips": json.dumps(clips, ensure_ascii=False)})
    with replacing(path) as temporary, pa.ipc.new_file(str(temporary), schema) as writer:
        for batch in batches:
            writer.write_batch(batch.replace_schema_metadata(schema.metadata))


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
    for clip_id, frames in produce([clip_id for clip_id, part in finished.items() if not part.exists()]):
        write_shard(finished[clip_id], [(clip_id, frames)], codec)
    if missing := [clip_id for clip_id, part in finished.items() if not part.exists()]:
        raise RuntimeError(f"{path}: nothing was produced for {missing}")
    # Opened one at a time: a shard may hold more clips than a process may hold files open.
    clips = [Shard(part)._clips[0] for part in finished.values()]
    _write(path, clips, (Shard(part)._file.get_batch(0) for part in finished.values()))
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
