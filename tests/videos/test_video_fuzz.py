from collections import Counter
from contextlib import suppress
from functools import partial

import numpy as np
import pytest

from fixtures.damage import mutated
from fixtures.release_files import textured_frames, write_video
from microgesture.errors import UnusableClip
from microgesture.modalities.cutting import cutter
from microgesture.modalities.decoded import cut_video
from microgesture.videos.isolation import Isolated
from microgesture.videos.reading import LARGEST_FRAME, probe

FRAMES = 20
MEMORY = 2**30  # a quarter of what the stages allow


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sources")
    frames = textured_frames(FRAMES)
    written = [
        write_video(folder / "first.mp4", frames, movflags="faststart"),
        write_video(folder / "last.mp4", frames),
        write_video(folder / "other.mkv", frames),
    ]
    return written


def outcomes(folder, sources, seeds):
    """What became of each mutation; an outcome that is neither the frames nor our own error ends the test."""
    count = Counter()
    with (
        Isolated(partial(cutter, None, 60, 0.2), MEMORY) as cutting,
        Isolated(partial(partial, probe), MEMORY) as probing,
    ):
        span = {"clip": range(FRAMES)}
        whole = [dict(cut_video(source, span, cutting))["clip"] for source in sources]
        for seed in seeds:
            source = sources[seed % len(sources)]
            path = folder / f"{seed}{source.suffix}"
            path.write_bytes(mutated(source.read_bytes(), source.suffix[1:], seed // len(sources)))
            ((_, made),) = cut_video(path, span, cutting)
            if isinstance(made, UnusableClip):
                assert path.name in str(made)
                count["refused"] += 1
            else:
                assert made.dtype == np.uint8
                assert made.shape[0] == FRAMES
                assert made.shape[-1] == 3
                count["same" if np.array_equal(made, whole[seed % len(sources)]) else "other pictures"] += 1
            with suppress(UnusableClip):
                info = probing.do(path, True, seconds=60)
                assert 0 < info.width * info.height <= LARGEST_FRAME
                assert 0 <= info.n_frames <= path.stat().st_size
            path.unlink()
        for source, frames_THWC in zip(sources, whole, strict=True):
            np.testing.assert_array_equal(dict(cut_video(source, span, cutting))["clip"], frames_THWC)
    return count


def test_a_mutated_video_gives_its_frames_or_our_own_error(tmp_path, sources):
    count = outcomes(tmp_path, sources, range(48))
    assert count.total() == 48
    assert count["refused"] > 24


@pytest.mark.slow
def test_200_mutated_videos_give_their_frames_or_our_own_error(tmp_path, sources):
    count = outcomes(tmp_path, sources, range(1000, 1200))
    assert count.total() == 200
    assert count["refused"] > 100
