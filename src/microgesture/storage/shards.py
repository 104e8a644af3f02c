"""Shard files: the frames of many clips in one Arrow file, with random access by clip and frame.

A record batch holds one clip, and a row one encoded frame, or with codec ``zstd_clip`` all frames. The file is
memory-mapped, so only the requested rows are read. A clip that could not be made has no frames but a reason. Every row
has a checksum, which is verified whenever the row is read; this takes a fortieth of the time of decoding a JPEG.
"""

import hashlib
import json
import math
import os
import shutil
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import pyarrow as pa

from ..errors import InputError, UnusableClip
from .checksums import OPEN, damaged, is_whole, seal
from .disk import disk_room
from .files import replacing

SCHEMA = pa.schema([("frame", pa.binary()), ("crc32", pa.uint32())])


def _encode_image(suffix: str, *options: int) -> Callable[[np.ndarray], bytes]:
    def encode(frame: np.ndarray) -> bytes:
        swapped = cv2.cvtColor(frame, cv2.COLOR_RGB2BGR) if frame.ndim == 3 else frame
        return cv2.imencode(suffix, swapped, options)[1].tobytes()

    return encode


def _decode_image(encoded: memoryview, shape: Sequence[int], _dtype: np.dtype) -> np.ndarray:
    colours = cv2.IMREAD_COLOR_RGB if len(shape) == 3 else cv2.IMREAD_GRAYSCALE
    return cv2.imdecode(np.frombuffer(encoded, np.uint8), colours)


def _decode_raw(encoded: memoryview, shape: Sequence[int], dtype: np.dtype) -> np.ndarray:
    return np.frombuffer(encoded, dtype).reshape(shape)


def _decode_zstd(encoded: memoryview, shape: Sequence[int], dtype: np.dtype) -> np.ndarray:
    size = math.prod(shape) * dtype.itemsize
    return _decode_raw(memoryview(pa.decompress(encoded, size, codec="zstd")), shape, dtype)


# JPEG with colour at full resolution (4:4:4), because the channels of a Taylor frame are different measurements.
_JPEG = (cv2.IMWRITE_JPEG_QUALITY, 95, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444)
CODECS: dict[str, tuple[Callable, Callable]] = {
    "jpeg": (_encode_image(".jpg", *_JPEG), _decode_image),
    "raw": (lambda frame: np.ascontiguousarray(frame).tobytes(), _decode_raw),
    "zstd": (
        lambda frame: pa.compress(np.ascontiguousarray(frame).tobytes(), codec="zstd", asbytes=True),
        _decode_zstd,
    ),
}
CODECS["zstd_clip"] = CODECS["zstd"]  # of a whole clip: for frames of a few hundred bytes, which are read together
WHOLE = ("zstd_clip",)


class Noted(NamedTuple):
    """The frames of a clip with a note about them, which must be representable in JSON and must not be empty."""

    frames: np.ndarray
    note: dict[str, Any]


Made = np.ndarray | Noted | UnusableClip  # the frames of a clip, or the reason there are none


class Shard:
    """A shard file that is open for reading: its ``clip_ids``, the frames of each clip, or the reason there are none.

    Frames are returned as they were written, (T, ...) in their dtype. Frames with codec ``jpeg`` are uint8 (T, H, W, 3)
    RGB or (T, H, W) and only close to what was written. Raises ``InputError`` if the file is not a shard, if it has no
    checksums, or if the list of its clips is damaged.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        try:
            self._file = pa.ipc.open_file(pa.memory_map(str(path)))
            listed = self._file.schema.metadata[b"clips"]
            recorded = self._file.schema.metadata.get(b"crc32")
            as_written = self._file.schema.remove_metadata().equals(SCHEMA)
        except (pa.ArrowException, ValueError, KeyError, TypeError, OSError) as error:
            if getattr(error, "errno", None):  # an error of the system, not of Arrow
                raise
            raise InputError(f"{path} is not a shard file, or is damaged ({error}); delete it and run again") from None
        if recorded is None:
            raise InputError(f"{path} was made before shards had checksums; delete it and run again")
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
        """The clips that could not be made, and the reasons."""
        return {clip["clip_id"]: clip["reason"] for clip in self._clips if clip["reason"]}

    def note(self, clip_id: str) -> dict[str, Any]:
        """The note about the frames of a clip, empty if there is none."""
        return self._clips[self._row[clip_id]].get("note", {})

    def shape(self, clip_id: str) -> tuple[int, ...]:
        """The shape (T, ...) of the array of a clip, without reading it."""
        return tuple(self._clips[self._row[clip_id]]["shape"])

    def stored(self, clip_id: str) -> tuple[str, str]:
        """The dtype and the codec of the array of a clip, without reading it."""
        clip = self._clips[self._row[clip_id]]
        return np.dtype(clip["dtype"]).name, clip["codec"]

    def read(self, clip_id: str, frames: Sequence[int] | None = None) -> np.ndarray:
        """The requested frames of a clip (default: all), (T, ...); each frame is decoded once.

        Raises ``UnusableClip`` if the clip could not be made, and ``InputError`` if one of the frames is damaged.
        """
        clip = self._described(clip_id)
        if clip["codec"] in WHOLE:
            (encoded,) = self._encoded(clip_id, [0])
            whole = CODECS[clip["codec"]][1](encoded, clip["shape"], np.dtype(clip["dtype"]))
            return whole.copy() if frames is None else whole[np.asarray(frames, int)]
        wanted = np.arange(clip["shape"][0]) if frames is None else np.asarray(frames)
        distinct, where = np.unique(wanted, return_inverse=True)
        read = np.empty((len(distinct), *clip["shape"][1:]), np.dtype(clip["dtype"]))
        for place, frame in enumerate(self.each(clip_id, distinct)):
            read[place] = frame
        return read if np.array_equal(distinct, wanted) else read[where]

    def each(self, clip_id: str, frames: Iterable[int]) -> Iterator[np.ndarray]:
        """The requested frames of a clip one by one, each decoded when it is asked for; see ``read``."""
        clip = self._described(clip_id)
        if clip["codec"] in WHOLE:
            return iter(self.read(clip_id, frames))
        decode = CODECS[clip["codec"]][1]
        shape, dtype = clip["shape"][1:], np.dtype(clip["dtype"])
        return (decode(encoded, shape, dtype) for encoded in self._encoded(clip_id, frames))

    def _described(self, clip_id: str) -> dict[str, Any]:
        """The description of a clip; raises ``UnusableClip`` if it could not be made."""
        clip = self._clips[self._row[clip_id]]
        if clip["reason"]:
            raise UnusableClip(clip["reason"])
        return clip

    def content(self, clip_id: str) -> str:
        """A text that is equal for clips with equal frames and notes, or the same reason; no frame is read."""
        clip, batch = self._clips[self._row[clip_id]], self._file.get_batch(self._row[clip_id])
        checksums = zlib.crc32(batch.columns[1].to_numpy().tobytes())
        note = f" {clip['note']}" if "note" in clip else ""
        return f"{clip['shape']} {clip['dtype']} {clip['codec']} {clip['reason']} {checksums:08x}{note}"

    def damage(self, clip_id: str) -> str | None:
        """The error message for the first damaged frame of a clip, or None."""
        try:
            list(self._encoded(clip_id, range(self._rows(clip_id))))
        except InputError as error:
            return str(error)
        return None

    def _rows(self, clip_id: str) -> int:
        """The number of rows that a clip has in the file."""
        clip = self._clips[self._row[clip_id]]
        return 1 if clip["codec"] in WHOLE and not clip["reason"] else clip["shape"][0]

    def _encoded(self, clip_id: str, frames: Iterable[int]) -> Iterator[memoryview]:
        """The encoded frames, each verified by its checksum; raises ``InputError`` if one is damaged."""
        try:
            batch = self._file.get_batch(self._row[clip_id])
            batch.validate(full=True)
        except (pa.ArrowException, OSError, ValueError) as error:
            raise InputError(f"{damaged(self.path, f'clip {clip_id}')} ({error})") from None
        encoded, checksums = batch.columns
        if len(batch) != self._rows(clip_id) or encoded.null_count or checksums.null_count:
            raise InputError(damaged(self.path, f"clip {clip_id}"))
        # Slices of the buffers: a scalar of Arrow for each frame takes longer than decompressing it.
        _, offsets, data = encoded.buffers()
        edges = np.frombuffer(offsets, np.int32)[encoded.offset :]
        content, recorded = memoryview(data or b""), checksums.to_numpy()
        for frame in frames:
            stored = content[edges[frame] : edges[frame + 1]]
            if _frame_checksum(clip_id, frame, stored) != recorded[frame]:
                raise InputError(damaged(self.path, f"clip {clip_id}, frame {frame}"))
            yield stored


def write_shard(path: Path | str, entries: Iterable[tuple[str, Made]], codec: str) -> None:
    """Write a shard file from pairs of clip id and frames (T, ...), or the reason there are none, in this order.

    Raises ``InputError`` if the codec cannot store the frames of a clip.
    """
    clips, batches = _encode(entries, codec)
    with replacing(path, sum(batch.nbytes for batch in batches)) as temporary:
        _write(temporary, clips, batches)


def _encode(entries: Iterable[tuple[str, Made]], codec: str) -> tuple[list[dict], list[pa.RecordBatch]]:
    """The description of each clip in the shard file, and its encoded frames."""
    encode = CODECS[codec][0]
    clips, batches = [], []
    for clip_id, made in entries:
        frames, noted = (made.frames, {"note": made.note}) if isinstance(made, Noted) else (made, {})
        reason = str(frames) if isinstance(frames, UnusableClip) else None
        if codec == "jpeg" and not reason and not _are_pictures(frames):
            raise InputError(
                f"clip {clip_id} is an array {frames.shape} of {frames.dtype}, but codec jpeg stores only uint8 "
                "(T, H, W, 3), or (T, H, W) for one channel; correct the stage that makes it, or use codec zstd"
            )
        rows = [] if reason else [frames] if codec in WHOLE else frames
        encoded = [encode(row) for row in rows]
        checksums = [_frame_checksum(clip_id, frame, stored) for frame, stored in enumerate(encoded)]
        columns = [pa.array(encoded, pa.binary()), pa.array(checksums, pa.uint32())]
        batches.append(pa.record_batch(columns, schema=SCHEMA))
        described = {"shape": [0], "dtype": "uint8"}
        if not reason:
            described = {"shape": list(frames.shape), "dtype": frames.dtype.str}
        clips.append({"clip_id": clip_id, **described, "codec": codec, "reason": reason, **noted})
    return clips, batches


def _are_pictures(frames: np.ndarray) -> bool:
    return frames.dtype == np.uint8 and (frames.ndim == 3 or (frames.ndim == 4 and frames.shape[-1] == 3))


def _write(path: Path, clips: list[dict], batches: Iterable[pa.RecordBatch]) -> None:
    listed = json.dumps(clips, ensure_ascii=False).encode()
    schema = SCHEMA.with_metadata({"clips": listed, "crc32": _checksum_text(listed), "file": OPEN})
    with pa.ipc.new_file(str(path), schema) as writer:
        for batch in batches:
            writer.write_batch(batch)  # the list of clips is in the file once, not in each batch
    seal(path)


def _checksum_text(content: bytes) -> bytes:
    return f"{zlib.crc32(content):08x}".encode()


def _frame_checksum(clip_id: str, frame: int, encoded: bytes | memoryview) -> int:
    """CRC-32 of the clip id, the frame number and the encoded frame, so that swapped frames are detected."""
    return zlib.crc32(encoded, zlib.crc32(f"{clip_id} {frame} ".encode()))


def build_shard(
    path: Path | str,
    scratch: Path | str,
    clip_ids: Sequence[str],
    produce: Callable[[list[str]], Iterable[tuple[str, Made]]],
    codec: str,
) -> None:
    """Make a shard clip by clip, so that a killed job can resume.

    ``produce`` gets the ids of the remaining clips and yields each id with its frames, or the reason there are none, in
    any order. Each finished clip is a separate file in ``scratch``. When all clips are finished, the shard is written
    and renamed. Its bytes do not depend on how often the job was killed. Raises ``InputError`` if the codec cannot
    store the frames of a clip.
    """
    scratch = Path(scratch)
    finished = {clip_id: _part(scratch, clip_id) for clip_id in clip_ids}
    for clip_id, frames in produce([clip_id for clip_id in clip_ids if not is_finished(scratch, clip_id)]):
        _store(scratch, clip_id, *_encode([(clip_id, frames)], codec))
    if missing := [clip_id for clip_id, part in finished.items() if not part.exists()]:
        raise RuntimeError(f"{path}: nothing was produced for {missing}")
    # Opened one at a time, because a shard may have more clips than a process may have open files.
    clips = [Shard(part)._clips[0] for part in finished.values()]
    with replacing(path, sum(part.stat().st_size for part in finished.values())) as temporary:
        _write(temporary, clips, (Shard(part)._file.get_batch(0) for part in finished.values()))
    shutil.rmtree(scratch, ignore_errors=True)


def is_finished(scratch: Path, clip_id: str) -> bool:
    """Whether a clip is finished in the folder for unfinished work."""
    part = _part(scratch, clip_id)
    return bool(part.exists() and is_whole(part))


def store_part(scratch: Path, shard: Shard, clip_id: str) -> None:
    """Copy a clip of a shard into the folder for unfinished work, as if it had just been made."""
    row = shard._row[clip_id]
    _store(scratch, clip_id, [shard._clips[row]], [shard._file.get_batch(row)])


def copy_clip(shard: Shard, clip_id: str, path: Path) -> None:
    """Write a shard with one clip of another shard."""
    row = shard._row[clip_id]
    _write(path, [shard._clips[row]], [shard._file.get_batch(row)])


def _store(scratch: Path, clip_id: str, clips: list[dict], batches: list[pa.RecordBatch]) -> None:
    """Store a finished clip.

    No fsync here, unlike for results: for small clips it takes longer than making them. A part that is incomplete after
    a power failure is detected by its checksum.
    """
    scratch.mkdir(parents=True, exist_ok=True)
    with disk_room(_part(scratch, clip_id)):
        _write(scratch / ".unfinished", clips, batches)
        os.replace(scratch / ".unfinished", _part(scratch, clip_id))


def _part(scratch: Path, clip_id: str) -> Path:
    return scratch / f"{int(hashlib.sha256(clip_id.encode()).hexdigest()[:16], 16):020d}.arrow"


def each_clip(clip_ids: Iterable[str], make: Callable[[str], np.ndarray | Noted]) -> Iterable[tuple[str, Made]]:
    """Make clips one by one with ``make``; if it raises ``UnusableClip``, the exception is yielded as the reason."""
    for clip_id in clip_ids:
        try:
            yield clip_id, make(clip_id)
        except UnusableClip as reason:
            yield clip_id, reason
