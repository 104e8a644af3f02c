import sys
from types import SimpleNamespace

import numpy as np
import pytest

from microgesture.config.declarations import Modality, ModalitySettings
from microgesture.errors import InputError, UnusableClip
from microgesture.modalities.work import Work, make_modality
from microgesture.storage.shards import Shard, build_shard

PICTURE = {"codec": "jpeg"}
GREY = {"codec": "jpeg", "channels": 1}
VECTORS = {"codec": "zstd", "dtype": "int16", "channels": 2, "content": "vectors"}
POINTS = {"codec": "zstd", "dtype": "float32", "content": "points"}


@pytest.fixture
def made(monkeypatch, tmp_path):
    """Makes a shard of a modality whose stage returns an array for clip ``b``, and nothing for clip ``a``."""

    def make(declaration, array, codec=None):
        modality = Modality("mine", "mine", "mine_stage", ModalitySettings, **declaration)
        entries = [("a", UnusableClip("too dark")), ("b", array)]

        def stage(work):
            build_shard(work.output, work.scratch, ["a", "b"], lambda _: entries, codec or modality.codec)

        monkeypatch.setitem(sys.modules, "mine_stage", SimpleNamespace(make=stage))
        output = tmp_path / "0000.arrow"
        make_modality(modality, Work(settings={}, output=output, scratch=tmp_path / "scratch", shards={}))
        return output

    return make


@pytest.mark.parametrize(
    ("declaration", "shape"),
    [
        (PICTURE, (4, 8, 6, 3)),
        (GREY, (4, 8, 6)),
        (VECTORS, (4, 8, 6, 2)),
        (POINTS, (4, 21, 3)),
        (POINTS, (4, 25, 6)),  # with metres
    ],
)
def test_what_fits_the_declaration_is_kept(made, declaration, shape):
    shard = Shard(made(declaration, np.zeros(shape, declaration.get("dtype", "uint8"))))
    assert shard.shape("b") == shape
    assert shard.reasons == {"a": "too dark"}


@pytest.mark.parametrize(
    ("declaration", "shape", "dtype", "declared"),
    [
        (PICTURE, (4, 8, 6), "uint8", "(T, H, W, 3)"),
        (PICTURE, (4, 8, 6, 4), "uint8", "(T, H, W, 3)"),
        (PICTURE, (4, 8, 6, 3), "float32", "uint8"),
        (GREY, (4, 8, 6, 1), "uint8", "(T, H, W) for one channel"),
        (GREY, (4, 8, 6, 3), "uint8", "channels=1"),
        (VECTORS, (4, 8, 6, 3), "int16", "channels=2"),
        (VECTORS, (4, 8, 6), "int16", "(T, H, W, 2)"),
        (VECTORS, (4, 8, 6, 2), "float64", "int16"),
        (POINTS, (4, 21, 2), "float32", "(T, V, 3)"),
        (POINTS, (4, 63), "float32", "(T, V, 3)"),
    ],
)
def test_other_arrays_are_refused_with_clip_shape_and_declaration(made, tmp_path, declaration, shape, dtype, declared):
    with pytest.raises(InputError) as refused:
        made(declaration, np.zeros(shape, dtype))
    message = str(refused.value)
    assert "clip b" in message
    assert str(shape) in message
    assert dtype in message
    assert declared in message
    assert not (tmp_path / "0000.arrow").exists()


def test_another_codec_than_the_declared_one_is_refused(made):
    with pytest.raises(InputError, match=r"clip b .*codec raw.*codec zstd"):
        made(VECTORS, np.zeros((4, 8, 6, 2), np.int16), codec="raw")
