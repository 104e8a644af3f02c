"""Strips of video frames, embedded in the page as JPEG."""

from base64 import b64encode
from collections.abc import Iterable, Mapping

import cv2
import numpy as np
from markupsafe import Markup

from ..storage.shards import Shard

MOMENTS, HEIGHT, QUALITY = 5, 120, 80  # of one strip: some 20 kB on the page
MOST_STRIPS = 12


def strips(clips: Iterable[tuple[str, int]], rgb: Mapping[int, Shard]) -> dict[str, Markup]:
    """Strips of the first clips that have frames, at most ``MOST_STRIPS``, by clip id.

    ``clips`` are pairs of a clip id and the number of its shard in ``rgb``. Frames are uint8 RGB (T, H, W, 3).
    """
    found: dict[str, Markup] = {}
    for clip_id, number in clips:
        if len(found) == MOST_STRIPS:
            break
        if number in rgb and rgb[number].reason(clip_id) is None:
            found[clip_id] = _strip(rgb[number], clip_id)
    return found


def _strip(shard: Shard, clip_id: str) -> Markup:
    """Evenly spaced frames of a clip, side by side in one JPEG as a data URI."""
    length, height, width = shard.shape(clip_id)[:3]
    moments = ((np.arange(MOMENTS) + 0.5) * length / MOMENTS).astype(int)
    size = round(width * HEIGHT / height), HEIGHT
    small = [cv2.resize(frame, size, interpolation=cv2.INTER_AREA) for frame in shard.read(clip_id, moments)]
    bgr_HWC = cv2.cvtColor(np.hstack(small), cv2.COLOR_RGB2BGR)
    jpeg = cv2.imencode(".jpg", bgr_HWC, (cv2.IMWRITE_JPEG_QUALITY, QUALITY))[1].tobytes()
    image = Markup('<img alt="{} frames of clip {}" width="{}" height="{}" src="data:image/jpeg;base64,{}">')
    return image.format(MOMENTS, clip_id, size[0] * MOMENTS, HEIGHT, b64encode(jpeg).decode())
