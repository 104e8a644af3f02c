"""Every kind of damage made out of one clip, through the commands: exactly the right frames, or a reason by name."""

import json
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fixtures import damage
from fixtures.release_files import textured_frames, write_lines, write_video
from microgesture.cli import main
from microgesture.corpora import list_clips
from microgesture.errors import UnusableClip
from microgesture.storage.clips import write_clips
from microgesture.storage.shards import Shard, write_shard
from microgesture.videos.person_box import crop, person_box
from microgesture.videos.reading import decode

FRAMES = 50
SIZE = 48
UNREADABLE = r"not a readable video"
CUT_OFF = r"ends after \d+ frames, but its header"
BROKEN_FRAME = r": frame \d+ (is corrupt|cannot be decoded|or one soon after it is missing)|has \d+ frames, but frame"


@dataclass
class Case:
    """A damaged video: what must come of it is frames of its source, or a reason."""

    data: bytes
    frames: np.ndarray | None = None
    reason: str | None = None
    stage: str = "rgb"
    end: int | None = FRAMES - 1
    suffix: str = "mp4"


def source_frames(path: Path) -> np.ndarray:
    return np.stack(list(decode(path, 0, FRAMES - 1)))


def cases(folder: Path) -> dict[str, Case]:
    pictures = textured_frames(FRAMES)
    first = write_video(folder / "first.mp4", pictures, movflags="faststart")
    last = write_video(folder / "last.mp4", pictures)
    avi = write_video(folder / "other.avi", pictures, codec="mpeg4")
    transport = write_video(folder / "other.ts", pictures)
    matroska = write_video(folder / "other.mkv", pictures).read_bytes()
    smaller = write_video(folder / "smaller.ts", textured_frames(10, 80, 60))
    jpeg = write_video(folder / "jpeg.avi", pictures[:5], codec="mjpeg", pix_fmt="yuvj420p")
    front, back, other = first.read_bytes(), last.read_bytes(), avi.read_bytes()
    frames, avi_frames = source_frames(first), source_frames(avi)
    two_thirds = 2 * len(front) // 3
    return {
        "healthy": Case(front, frames),
        "truncated_moov_first": Case(front[:two_thirds], reason=BROKEN_FRAME),
        "truncated_moov_last": Case(back[:two_thirds], reason=UNREADABLE, stage="clips"),
        "truncated_and_to_its_end": Case(front[:two_thirds], reason=CUT_OFF, stage="clips", end=None),
        "truncated_matroska_to_its_end": Case(
            matroska[: 2 * len(matroska) // 3], reason=CUT_OFF, stage="clips", end=None, suffix="mkv"
        ),
        "truncated_stream": Case(
            transport.read_bytes()[:two_thirds], reason=r"which has 3\d$", stage="clips", suffix="ts"
        ),
        "bit_flips": Case(damage.flipped(front, 60, 0, len(front) // 2), reason=BROKEN_FRAME),
        "hole": Case(damage.with_hole(front, len(front) // 2, 20_000), reason=r"data of frame \d+"),
        "empty": Case(b"", reason=UNREADABLE, stage="clips"),
        "html": Case(b"<html>please log in</html>", reason=UNREADABLE, stage="clips"),
        "audio_only": Case(
            damage.write_sound(folder / "sound.mp4").read_bytes(), reason="no video stream", stage="clips"
        ),
        "edit_list": Case(damage.later_start(front, 13), frames[13:], end=None),
        "edit_list_that_is_overlooked": Case(damage.later_start(front, 13), reason="which has 37$", stage="clips"),
        "moved_edit_list": Case(damage.later_start(back, 13), frames[13:], end=FRAMES - 14),
        "header_with_too_few": Case(damage.with_avi_length(other, 20), avi_frames, suffix="avi"),
        "header_with_too_many": Case(damage.with_avi_length(other, 5000), avi_frames, suffix="avi"),
        "header_beyond_the_end": Case(
            damage.with_avi_length(other, 5000), reason="which has 50$", stage="clips", end=80, suffix="avi"
        ),
        "table_with_too_few": Case(damage.with_table_length(front, b"stsz", 30), reason=CUT_OFF, stage="clips"),
        "table_with_too_few_to_its_end": Case(
            damage.with_table_length(front, b"stsz", 30), reason=CUT_OFF, stage="clips", end=None
        ),
        "table_with_a_milliard": Case(
            damage.with_table_length(front, b"stsz", 10**9), reason=UNREADABLE + "|no video stream", stage="clips"
        ),
        "header_of_30000": Case(damage.with_size(front, 30_000, 30_000), frames),
        "pictures_of_30000": Case(
            damage.with_jpeg_size(jpeg.read_bytes(), 30_000, 30_000),
            reason="30000 x 30000|cannot be decoded",
            stage="clips",
            end=4,
            suffix="avi",
        ),
        "uneven_times": Case(damage.at_uneven_times(folder / "uneven.mp4", last).read_bytes(), frames),
        "uneven_times_to_its_end": Case(
            damage.at_uneven_times(folder / "uneven.mkv", last).read_bytes(), frames, end=None, suffix="mkv"
        ),
        "turned": Case(damage.turned(front), np.rot90(frames, -1, (1, 2))),
        "two_sizes": Case(
            transport.read_bytes() + smaller.read_bytes(), reason="frame 50 has 80 x 60", end=55, suffix="ts"
        ),
    }


@dataclass
class Run:
    """What the commands made of a corpus."""

    stored: Shard
    quarantine: pd.DataFrame


def run(folder: Path, videos: dict[str, Case]) -> Run:
    root = folder / "corpus"
    lines = ["clip_id,split,label,video,start,end"]
    for name, case in videos.items():
        path = root / f"{name}.{case.suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(case.data)
        lines.append(f"{name},train,x,{path.name},{',' if case.end is None else f'0,{case.end}'}")
    write_lines(root / "clips.csv", lines)
    clips, rgb, ledger = folder / "mine.parquet", folder / "rgb/mine/0000.arrow", folder / "quarantine.csv"
    cutting = json.dumps({"root": str(root), "rgb": {"size": SIZE}})
    write_clips(clips, list_clips("mine", "manifest", root, 1))
    for command in (
        ["rgb", "--settings", cutting, "--clips", clips, "--shard", 0, "--output", rgb],
        ["quarantine", "--output", ledger, clips, rgb],
    ):
        with pytest.raises(SystemExit) as ending:
            main([str(part) for part in command])
        assert ending.value.code == 0
    return Run(Shard(rgb), pd.read_csv(ledger).set_index("clip_id"))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("damaged")
    videos = cases(folder)
    healthy = videos.pop("healthy")
    names = list(videos)
    order = [*names[: len(names) // 2], "healthy", *names[len(names) // 2 :]]
    videos["healthy"] = healthy
    return videos, run(folder, {name: videos[name] for name in order})


def expected_frames(folder: Path, frames_THWC: np.ndarray) -> np.ndarray:
    """The frames as the stage stores them, without the stage."""
    height, width = frames_THWC.shape[1:3]
    box = person_box(None, width, height, 0)
    write_shard(folder / "expected.arrow", [("clip", np.stack([crop(one, box, SIZE) for one in frames_THWC]))], "jpeg")
    return Shard(folder / "expected.arrow").read("clip")


NAMES = [
    "truncated_moov_first",
    "truncated_moov_last",
    "truncated_stream",
    "truncated_and_to_its_end",
    "truncated_matroska_to_its_end",
    "bit_flips",
    "hole",
    "empty",
    "html",
    "audio_only",
    "edit_list",
    "edit_list_that_is_overlooked",
    "moved_edit_list",
    "header_with_too_few",
    "header_with_too_many",
    "header_beyond_the_end",
    "table_with_too_few",
    "table_with_too_few_to_its_end",
    "table_with_a_milliard",
    "header_of_30000",
    "pictures_of_30000",
    "uneven_times",
    "uneven_times_to_its_end",
    "turned",
    "two_sizes",
    "healthy",
]


@pytest.mark.parametrize("name", NAMES)
def test_every_damage_gives_the_right_frames_or_a_reason(made, tmp_path, name):
    videos, of = made
    case = videos[name]
    if case.reason is None:
        assert name not in of.quarantine.index, of.quarantine.reason.get(name)
        np.testing.assert_array_equal(of.stored.read(name), expected_frames(tmp_path, case.frames))
    else:
        row = of.quarantine.loc[name]
        assert row.stage == case.stage
        assert re.search(rf"{name}.*({case.reason})", row.reason), row.reason
        if name in of.stored.clip_ids:
            with pytest.raises(UnusableClip):
                of.stored.read(name)


def test_nothing_else_is_in_the_ledger(made):
    videos, of = made
    assert set(videos) == set(NAMES)
    assert set(of.quarantine.index) == {name for name, case in videos.items() if case.reason}


def encoded_frames(shard: Shard, clip_id: str) -> list[bytes]:
    return shard._file.get_batch(shard.clip_ids.index(clip_id)).column(0).to_pylist()


def test_a_healthy_clip_among_them_is_untouched(made, tmp_path):
    videos, among = made
    alone = run(tmp_path, {"healthy": videos["healthy"]})
    assert alone.quarantine.empty
    assert encoded_frames(among.stored, "healthy") == encoded_frames(alone.stored, "healthy")
    assert len(encoded_frames(alone.stored, "healthy")) == FRAMES
