"""Optical flow between the frames of a clip, stored with direction, magnitude and sign."""

from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np

from ..errors import InputError
from ..progress import progress
from ..storage.shards import Shard, build_shard, each_clip
from ..videos.isolation import each_clip_isolated
from .stored_flow import to_stored
from .work import Work


class FlowEstimator(Protocol):
    """Estimates the flow of a whole clip without trained weights; for trained networks see ``learned_flow``."""

    def __call__(self, frames_THWC: np.ndarray) -> np.ndarray:
        """Return the flow of RGB frames uint8 (T, H, W, 3): float32 (T, H, W, 2), (u, v) in pixels.

        u is positive to the right and v downwards. Flow i leads from frame i to frame i + 1; the last flow is repeated,
        so that T frames give T flows. The flow of a clip of one frame is 0.
        """
        ...


class DISFlow:
    """Dense inverse search (Kroeger et al., ECCV 2016), OpenCV's implementation.

    ``preset`` is "ultrafast", "fast" or "medium"; on small motion, medium has half the error of the others.
    """

    PRESETS = ("ultrafast", "fast", "medium")

    def __init__(self, preset: str = "medium") -> None:
        self._search = cv2.DISOpticalFlow_create(self.PRESETS.index(preset))

    def __call__(self, frames_THWC: np.ndarray) -> np.ndarray:
        gray = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in frames_THWC]
        flow_THWC = np.zeros((*frames_THWC.shape[:3], 2), np.float32)
        for i in range(len(gray) - 1):
            flow_THWC[i] = self._search.calc(gray[i], gray[i + 1], None)
        if len(gray) > 1:
            flow_THWC[-1] = flow_THWC[-2]
        return flow_THWC


BACKENDS: dict[str, type[FlowEstimator]] = {"dis": DISFlow}
LEARNED = ("raft_small", "raft_large", "ptlflow")


def make_flow(
    rgb: Path,
    output: Path,
    scratch: Path,
    *,
    backend: str,
    model: str | None = None,
    weights: str | None = None,
    precision: str = "fp32",
    device: str = "auto",
    threads: int = 1,
) -> None:
    """Write the flow of one rgb shard, int16 (T, H, W, 2), in its order; a clip without frames there keeps its reason.

    ``backend`` is "dis", "raft_small", "raft_large" or "ptlflow". The other settings are for learned backends:
    ``model`` is the name of a network in ptlflow, ``weights`` a file or a published name, ``precision`` ("fp32",
    "bf16", "fp16") the network's on a GPU, ``device`` "auto", "cpu" or "cuda", ``threads`` the number of CPU threads. A
    network runs in a separate process. A clip that ends this process, or exceeds its memory, is stored as unusable with
    the reason. Raises ``InputError`` if there is no such ``backend``, or if its network cannot be set up.
    """
    if backend not in (*BACKENDS, *LEARNED):
        raise InputError(f"there is no flow backend '{backend}'; choose one of {', '.join((*BACKENDS, *LEARNED))}")
    cv2.setNumThreads(1)  # the workflow runs shards side by side
    frames = Shard(rgb)
    if backend in LEARNED:
        from .learned_flow import NETWORKS, flow_of_shard  # needs torch, which takes seconds to import

        build = partial(NETWORKS[backend], model or backend, weights, precision, device, threads)
        made = partial(each_clip_isolated, start=partial(flow_of_shard, rgb, build))
    else:
        estimate = BACKENDS[backend]()
        made = partial(each_clip, make=lambda clip_id: to_stored(estimate(frames.read(clip_id))))

    def produce(clip_ids: list[str]) -> Iterable:
        return made(progress(clip_ids, f"flow {output.parent.name}/{output.stem}", total=len(clip_ids)))

    build_shard(output, scratch, frames.clip_ids, produce, "zstd")


def make(work: Work) -> None:
    """Run the stage; see ``make_flow``."""
    options = work.settings["flow"].model_dump() | ({"weights": str(work.weights)} if work.weights else {})
    make_flow(work.source("rgb"), work.output, work.scratch, device=work.device, threads=work.threads, **options)
