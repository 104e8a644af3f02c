"""JSON files of keypoints: read with a limit of size, and with numbers only where numbers must be."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import UnusableClip

LARGEST = 1 << 30  # bytes; an hour of frames with 133 points of one person takes 3e8


def read_json(path: Path) -> Any:
    """Read a JSON file; raises ``UnusableClip`` if it is damaged or too large."""
    try:
        if (size := path.stat().st_size) > LARGEST:
            raise UnusableClip(f"{path}: {size} bytes are more than the limit of {LARGEST}; cut the recording")
        return json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise UnusableClip(f"{path}: not a readable JSON file ({error})") from None


def numbers(path: Path, values: Any) -> np.ndarray:
    """Return a list of numbers as float32; raises ``UnusableClip`` if it has anything else. null is NaN."""
    try:
        kinds = {type(value) for value in np.array(values, object).ravel()}
        if kinds <= {int, float, type(None)}:
            return np.array(values, np.float32)
    except (ValueError, TypeError, OverflowError):
        pass
    raise UnusableClip(f"{path}: a list of keypoints has something that is not a number: {str(values)[:60]}")
