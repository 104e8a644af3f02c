"""How much faster the modalities are made and read than in the straightforward way, as ratios in one run.

    python benchmarks/modalities.py [--frames 48] [--grid 56] [--clip 65] [--video 256] [--repeats 9]

All content is made up, in a temporary folder. Repeats of what is compared take turns and medians are printed, so that a
busy machine hurts both alike: trust the ratios, not the milliseconds. One thread does the work.
"""

import argparse
import math
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import av
import cv2
import numpy as np
import torch
from av.video.reformatter import VideoReformatter

from microgesture.modalities.flow import DISFlow
from microgesture.modalities.heatmap import FAINTEST, joint_heatmaps, limb_heatmaps
from microgesture.modalities.stored_flow import to_stored
from microgesture.modalities.taylor import taylor_video
from microgesture.skeletons.selections import SELECTIONS, selection_named
from microgesture.storage.shards import Shard, write_shard
from microgesture.streams.crops import Box, resize_part

SIGMA = 0.6


def compare(
    title: str, ways: dict[str, Callable[[], object]], repeats: int, notes: dict[str, str] | None = None
) -> None:
    """Time the ways in turn and print each one's median, and how many times the time of the last one it takes."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for repeat in range(repeats + 1):
        for name, way in ways.items():
            started = time.perf_counter()
            way()
            if repeat:  # the first turn compiles and warms up
                seconds[name].append(time.perf_counter() - started)
    medians = {name: statistics.median(times) for name, times in seconds.items()}
    fastest = medians[list(ways)[-1]]
    print(f"\n{title}")
    for name, median in medians.items():
        note = (notes or {}).get(name, "")
        print(f"  {name:<42}{median * 1e3:10.1f} ms {median / fastest:8.1f} x  {note}".rstrip())


def walk(frames: int, joints: int, size: int, rng: np.random.Generator) -> np.ndarray:
    """Joints that wander over a size x size grid, float32 (T, V, 3), 5 % of them missing."""
    keypoints_TVC = np.ones((frames, joints, 3), np.float32)
    steps = rng.normal(0, size / 200, (frames, joints, 2))
    keypoints_TVC[..., :2] = rng.uniform(0.1 * size, 0.9 * size, (joints, 2)) + steps.cumsum(0)
    keypoints_TVC[..., 2] = rng.uniform(0.2, 1, (frames, joints))
    keypoints_TVC[rng.uniform(size=(frames, joints)) < 0.05] = 0
    return keypoints_TVC


def joints_frame_by_frame(keypoints_TVC: np.ndarray, size: int) -> np.ndarray:
    """What anybody would write: for each frame and joint a patch of the bell in numpy."""
    heat_TVHW = np.zeros((*keypoints_TVC.shape[:2], size, size), np.float32)
    for heat_VHW, points_VC in zip(heat_TVHW, keypoints_TVC, strict=True):
        for heat_HW, (x, y, confidence) in zip(heat_VHW, points_VC, strict=True):
            if confidence >= FAINTEST:
                draw_joint(heat_HW, x, y, confidence)
    return heat_TVHW


def draw_joint(heat_HW: np.ndarray, x: float, y: float, confidence: float) -> None:
    rows, columns = reach(y, y, len(heat_HW)), reach(x, x, len(heat_HW))
    if len(rows) and len(columns):
        squared = (columns - x) ** 2 + (rows[:, None] - y) ** 2
        heat_HW[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] = np.exp(-squared / 2 / SIGMA**2) * confidence


def reach(low: float, high: float, size: int) -> np.ndarray:
    return np.arange(max(int(low - 3 * SIGMA), 0), min(int(high + 3 * SIGMA) + 1, size))


def limbs_frame_by_frame(keypoints_TVC: np.ndarray, edges: tuple[tuple[int, int], ...], size: int) -> np.ndarray:
    """The same for limbs: the distance to the segment over the patch around it."""
    heat_TEHW = np.zeros((len(keypoints_TVC), len(edges), size, size), np.float32)
    for heat_EHW, points_VC in zip(heat_TEHW, keypoints_TVC, strict=True):
        for heat_HW, (first, second) in zip(heat_EHW, edges, strict=True):
            a, b = points_VC[first], points_VC[second]
            confidence = min(a[2], b[2])
            if confidence < FAINTEST:
                continue
            along = b[:2] - a[:2]
            squared_length = (along**2).sum()
            if squared_length < 1:
                draw_joint(heat_HW, *a)
                continue
            columns = reach(min(a[0], b[0]), max(a[0], b[0]), size)
            rows = reach(min(a[1], b[1]), max(a[1], b[1]), size)
            if len(rows) and len(columns):
                dx, dy = columns - a[0], rows[:, None] - a[1]
                share = np.clip((dx * along[0] + dy * along[1]) / squared_length, 0, 1)
                squared = (dx - share * along[0]) ** 2 + (dy - share * along[1]) ** 2
                patch = np.exp(-squared / 2 / SIGMA**2) * confidence
                heat_HW[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] = patch
    return heat_TEHW


def taylor_frame_by_frame(frames_THWC: np.ndarray, terms: int = 3, window: int = 6) -> np.ndarray:
    """Taylor video with whole-frame numpy arithmetic, the differences of each window computed anew."""
    gray = [np.float32(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)) / 255 for frame in frames_THWC]
    gray += [gray[-1]] * (window - 1)
    video = []
    for first in range(len(frames_THWC)):
        block_THW = np.stack(gray[first : first + window])
        differences = [np.diff(block_THW, order, axis=0)[0] for order in range(1, terms + 3)]
        powers = [((block_THW - block_THW[0]) ** k / math.factorial(k)).mean(0) for k in range(terms)]
        channels = [sum(differences[c + k] * powers[k] for k in range(terms)) for c in range(3)]
        motion_HWC = np.stack(channels, -1).clip(0)
        video.append((motion_HWC * (255 / (motion_HWC.max() or 1))).astype(np.uint8))
    return np.stack(video)


def scene(frames: int, height: int, width: int, rng: np.random.Generator) -> np.ndarray:
    """A textured figure that sways before a textured wall under camera noise, uint8 (T, H, W, 3)."""
    wall, cloth = (
        cv2.resize(
            rng.uniform(0, 255, (side, side, 3)).astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC
        )
        for side in (10, 24)
    )
    y, x = np.mgrid[:height, :width]
    video = []
    for i in range(frames):
        sway = width * (0.5 + 0.03 * math.sin(i / 5))
        figure_HW1 = (((x - sway) / width * 4) ** 2 + ((y - height * 0.6) / height * 2.2) ** 2 < 1)[..., None]
        frame = np.where(figure_HW1, np.roll(cloth, round(sway), axis=1), wall) + rng.normal(0, 2, (height, width, 1))
        video.append(frame.clip(0, 255).astype(np.uint8))
    return np.stack(video)


def write_mp4(path: Path, frames_THWC: np.ndarray) -> None:
    with av.open(str(path), "w") as container:
        height, width = frames_THWC.shape[1:3]
        stream = container.add_stream("libx264", 25, width=width, height=height, pix_fmt="yuv420p")
        stream.options = {"crf": "18"}
        for frame_HWC in frames_THWC:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame_HWC, format="rgb24")))
        container.mux(stream.encode())


def read_with_opencv(path: Path, wanted: np.ndarray, size: int) -> np.ndarray:
    capture, frames = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1]), []
    for index in range(wanted[-1] + 1):
        found, frame_HWC = capture.read()
        if found and index in wanted:
            frames.append(to_size(cv2.cvtColor(frame_HWC, cv2.COLOR_BGR2RGB), size))
    capture.release()
    return np.stack(frames)


def read_with_pyav(path: Path, wanted: np.ndarray, size: int) -> np.ndarray:
    frames, to_rgb = [], VideoReformatter()  # one for all frames: each has tables to set up
    with av.open(str(path)) as container:
        container.streams.video[0].codec_context.thread_count = 1
        for index, frame in zip(range(wanted[-1] + 1), container.decode(video=0), strict=False):
            if index in wanted:
                frames.append(to_size(to_rgb.reformat(frame, format="rgb24", threads=1).to_ndarray(), size))
    return np.stack(frames)


def to_size(frame_HWC: np.ndarray, size: int) -> np.ndarray:
    return cv2.resize(frame_HWC, (size, size), interpolation=cv2.INTER_AREA) if len(frame_HWC) != size else frame_HWC


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=48, help="frames of a heatmap volume (48)")
    parser.add_argument("--clip", type=int, default=65, help="frames of a video clip (65, the mean of iMiGUE)")
    parser.add_argument("--grid", type=int, default=56, help="heatmap pixels along a side (56)")
    parser.add_argument("--video", type=int, default=256, help="stored video pixels along a side (256)")
    parser.add_argument("--source", type=int, default=720, help="height of the source video in pixels, 16:9 (720)")
    parser.add_argument("--selection", choices=SELECTIONS, default="36", help="keypoints (36)")
    parser.add_argument("--repeats", type=int, default=9, help="turns of which the median is taken (9)")
    chosen = parser.parse_args()
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    heatmaps(chosen, rng)
    videos(chosen, rng)
    samples(chosen, rng)


def heatmaps(chosen: argparse.Namespace, rng: np.random.Generator) -> None:
    selection, size = selection_named(chosen.selection), chosen.grid
    keypoints_TVC = walk(chosen.frames, len(selection.joints), size, rng)
    keypoints_BTVC = torch.from_numpy(keypoints_TVC)[None]
    shape = f"{chosen.frames} frames of {size} x {size}"
    slow_TVHW = joints_frame_by_frame(keypoints_TVC, size)
    np.testing.assert_allclose(joint_heatmaps(keypoints_BTVC, size, SIGMA)[0].transpose(0, 1), slow_TVHW, atol=1e-5)
    compare(
        f"Joint heatmaps: {len(selection.joints)} joints, {shape}",
        {
            "numpy, frame by frame": lambda: joints_frame_by_frame(keypoints_TVC, size),
            "microgesture": lambda: joint_heatmaps(keypoints_BTVC, size, SIGMA),
        },
        chosen.repeats,
    )
    slow_TEHW = limbs_frame_by_frame(keypoints_TVC, selection.edges, size)
    fast_TEHW = limb_heatmaps(keypoints_BTVC, selection.edges, size, SIGMA)[0].transpose(0, 1)
    np.testing.assert_allclose(fast_TEHW, slow_TEHW, atol=1e-5)
    compare(
        f"Limb heatmaps: {len(selection.edges)} limbs, {shape}",
        {
            "numpy, frame by frame": lambda: limbs_frame_by_frame(keypoints_TVC, selection.edges, size),
            "microgesture": lambda: limb_heatmaps(keypoints_BTVC, selection.edges, size, SIGMA),
        },
        chosen.repeats,
    )


def videos(chosen: argparse.Namespace, rng: np.random.Generator) -> None:
    frames, size = chosen.clip, chosen.video
    shape = f"{frames} frames of {size} x {size}"
    with tempfile.TemporaryDirectory() as folder:
        small, large, shard = (Path(folder) / name for name in ("small.mp4", "large.mp4", "shard"))
        write_mp4(large, scene(frames, chosen.source, chosen.source * 16 // 9, rng))
        stored_THWC = read_with_pyav(large, np.arange(frames), size)
        write_mp4(small, stored_THWC)
        write_shard(shard, [("clip", stored_THWC)], "jpeg")

        compare(
            f"Taylor video: {shape}",
            {
                "numpy, frame by frame": lambda: taylor_frame_by_frame(stored_THWC),
                "microgesture": lambda: taylor_video(stored_THWC),
            },
            chosen.repeats,
        )
        presets = {f"DIS {preset}": DISFlow(preset) for preset in reversed(DISFlow.PRESETS)}
        compare(
            f"Optical flow: {shape} (the pipeline's choice is medium)",
            {name: lambda estimate=estimate: estimate(stored_THWC) for name, estimate in presets.items()},
            max(1, chosen.repeats // 3),
        )
        wanted = np.unique(np.linspace(0, frames - 1, min(frames, 32)).round().astype(int))
        source = f"mp4 of {chosen.source} lines"
        compare(
            f"Reading {len(wanted)} of {shape}",
            {
                f"{source}, OpenCV": lambda: read_with_opencv(large, wanted, size),
                f"{source}, PyAV": lambda: read_with_pyav(large, wanted, size),
                "mp4 of the stored size, OpenCV": lambda: read_with_opencv(small, wanted, size),
                "mp4 of the stored size, PyAV": lambda: read_with_pyav(small, wanted, size),
                "microgesture shard": lambda: Shard(shard).read("clip", wanted),
            },
            chosen.repeats,
            {
                f"{source}, OpenCV": on_disk(large),
                "mp4 of the stored size, OpenCV": on_disk(small),
                "microgesture shard": on_disk(shard),
            },
        )


def samples(chosen: argparse.Namespace, rng: np.random.Generator) -> None:
    """Part of every second frame, as a training reads it, and the keypoints of a clip."""
    side, size, wanted = chosen.video * 16 // 9, chosen.video, np.arange(0, chosen.clip, 2)
    box, into = Box(side // 5, 10, size // 2, size // 2 + 20), size * 7 // 8
    colours_THWC = scene(chosen.clip, size, side, rng)
    flow_THWC = np.stack([DISFlow("fast")(colours_THWC[:2])[0]] * chosen.clip)
    points_TVC = walk(chosen.clip, len(SELECTIONS[chosen.selection].joints), size, rng)
    with tempfile.TemporaryDirectory() as folder:

        def stored(name: str, array: np.ndarray, codec: str) -> Shard:
            write_shard(Path(folder) / name, [("clip", array)], codec)
            return Shard(Path(folder) / name)

        for name, codec, frames, dtype in (
            ("rgb", "jpeg", colours_THWC, np.uint8),
            ("flow", "zstd", to_stored(flow_THWC), np.float32),
        ):
            ways = {
                "all frames, then parts": partial(
                    parts_together, stored(name, frames, codec), wanted, box, into, dtype
                ),
                "microgesture": partial(parts_one_by_one, stored(name, frames, codec), wanted, box, into, dtype),
            }
            np.testing.assert_array_equal(*(way() for way in ways.values()))
            compare(f"Part of {len(wanted)} frames of {name}, {size} x {side}", ways, chosen.repeats)
        whole = {codec: stored(codec, points_TVC, codec) for codec in ("zstd", "zstd_clip")}
        ways = {codec: partial(shard.read, "clip") for codec, shard in whole.items()}
        compare(f"Keypoints of {chosen.clip} frames", ways, chosen.repeats)


def parts_together(shard: Shard, wanted: np.ndarray, box: Box, size: int, dtype: type) -> np.ndarray:
    cut_THWC = shard.read("clip", wanted).astype(dtype)[:, box.y : box.y + box.height, box.x : box.x + box.width]
    how = cv2.INTER_AREA if max(box.width, box.height) > size else cv2.INTER_LINEAR
    return np.stack([cv2.resize(frame, (size, size), interpolation=how) for frame in cut_THWC])


def parts_one_by_one(shard: Shard, wanted: np.ndarray, box: Box, size: int, dtype: type) -> np.ndarray:
    parts_THWC = np.empty((len(wanted), size, size, shard.shape("clip")[3]), dtype)
    for frame_HWC, part_HWC in zip(shard.each("clip", wanted), parts_THWC, strict=True):
        resize_part(frame_HWC, box, part_HWC)
    return parts_THWC


def on_disk(path: Path) -> str:
    return f"{path.stat().st_size / 1024:.0f} KiB on disk"


if __name__ == "__main__":
    main()
