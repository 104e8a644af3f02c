"""A demo corpus without emotions is what it was before there were any: the tables of the README rest on it."""

import hashlib
from pathlib import Path

import av
import numpy as np
import pytest
from python_calamine import CalamineWorkbook

from microgesture.demo import make_demo

SUBJECTS = {"train": 2, "val": 1, "test": 1}
CLIPS = {"train": 6, "val": 2, "test": 3}
# Taken from the code at cae50ae, before there were emotions: a digest of all texts and numbers, and how bright each
# video is. Digests of videos differ between versions of the encoder.
DIGESTS = {
    "miga": "e3cb0ea65fdf315c17569992445a22cc7143effcb2bab593c90510f42f85fde1",
    "ma52": "32bcd39261eb8f01f7e4ec39809f0021e65293945b98bc57fb9a4548a472b026",
}
BRIGHTNESS = {
    "miga": [63.28, 83.75, 76.97, 71.36, 75.16],
    "ma52": [82.78, 82.62, 81.42, 82.23, 81.67, 97.91, 96.65, 62.34, 61.95, 80.33, 77.75],
}


def numbers(path: Path) -> bytes:
    rows = CalamineWorkbook.from_path(path).get_sheet_by_index(0).to_python()
    return np.round(np.array(rows, float) * 1000).astype(np.int64).tobytes()


def brightness(path: Path) -> float:
    with av.open(str(path)) as file:
        return float(np.mean([frame.to_ndarray(format="gray").mean() for frame in file.decode(video=0)]))


@pytest.mark.parametrize("layout", ["miga", "ma52"])
def test_a_corpus_without_emotions_is_what_it_was_before_there_were_any(tmp_path, layout) -> None:
    root = tmp_path / "corpus"
    files = make_demo(root, layout, tmp_path / "truth.csv", 7, SUBJECTS, CLIPS, (96, 96), workers=1)
    digest = hashlib.sha256((tmp_path / "truth.csv").read_bytes())
    for path in files:
        digest.update(path.relative_to(root).as_posix().encode())
        if path.suffix != ".mp4":
            digest.update(numbers(path) if path.suffix == ".xlsx" else path.read_bytes())
    assert digest.hexdigest() == DIGESTS[layout]
    found = [brightness(path) for path in files if path.suffix == ".mp4"]
    np.testing.assert_allclose(found, BRIGHTNESS[layout], atol=0.1)
