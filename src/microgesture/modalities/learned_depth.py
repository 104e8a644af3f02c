"""Relative depth from trained networks, estimated frame by frame and then aligned over time."""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import numpy as np
import torch

from ..errors import InputError, UnusableClip
from ..machine.extras import install_hint
from ..machine.precision import autocast
from ..networks.compat import prepare_torchvision
from ..storage.shards import Shard
from .inference import Batches, device_named, finite
from .steady_depth import steady
from .stored_depth import to_stored

FRAMES = 8  # at a time; Depth Anything's head works on 518 x 518 pixels whatever the size of the frame
# The kinds of network whose larger values mean nearer; others estimate distance.
INVERSE_DEPTH = ("depth_anything", "dpt")


class DepthNetwork(Protocol):
    """Estimates depth for the stage; built as ``(model, precision, device, threads)``, see ``NETWORKS``.

    ``frames`` is the initial number of frames in a batch.
    """

    frames: int

    def __call__(self, frames_THWC: np.ndarray) -> np.ndarray:
        """Return the nearness float32 (T, H, W) of RGB frames uint8 (T, H, W, 3).

        Larger is nearer; scale and shift are arbitrary.
        """
        ...


class TransformersDepth:
    """A network of the package transformers, such as Depth Anything V2 (Yang et al., NeurIPS 2024).

    ``model`` is a folder with the network and its image processor, or their name on the hub
    ("depth-anything/Depth-Anything-V2-Small-hf"), from which they are downloaded once. The image processor prepares the
    frames. Raises ``InputError`` if the package, the network or some of its weights are missing, or if the network
    estimates distance instead of relative inverse depth.
    """

    def __init__(self, model: str, precision: str, device: str, threads: int = 1) -> None:
        prepare_torchvision()
        try:
            import transformers  # an extra
        except ModuleNotFoundError as missing:
            raise InputError(
                f"depth.backend transformers needs packages that are not installed ({missing.name} is missing): "
                f"{install_hint('depth')}"
            ) from None
        self.frames = FRAMES
        self._device = device_named(device, threads)
        self._precision = precision
        try:
            self._processor = transformers.AutoImageProcessor.from_pretrained(model)
            network, report = transformers.AutoModelForDepthEstimation.from_pretrained(model, output_loading_info=True)
        except (ImportError, OSError, RuntimeError, ValueError) as error:
            raise InputError(
                f"depth.model: {model} is not a folder with a depth network and its image processor, and it cannot be "
                f"downloaded from the hub: {error}"
            ) from None
        if absent := sorted(report["missing_keys"]):
            raise InputError(f"depth.model: {model} lacks {len(absent)} weights of the network, such as {absent[0]}")
        kind = network.config.model_type
        if kind not in INVERSE_DEPTH or getattr(network.config, "depth_estimation_type", "relative") != "relative":
            raise InputError(
                f"depth.model: {model} ({kind}) estimates distance; choose a network for relative depth, such as "
                "depth-anything/Depth-Anything-V2-Small-hf"
            )
        self._network = network.eval().to(self._device)

    def __call__(self, frames_THWC: np.ndarray) -> np.ndarray:
        length, height, width = frames_THWC.shape[:3]
        inputs = self._processor(
            list(frames_THWC), input_data_format="channels_last", return_tensors="pt", device=self._device
        )
        with torch.inference_mode():
            with autocast(self._precision, self._device):
                found = self._network(**inputs)
            found.predicted_depth = found.predicted_depth.float()
            resized = self._processor.post_process_depth_estimation(found, [(height, width)] * length)
        return torch.stack([frame["predicted_depth"] for frame in resized]).cpu().numpy()


NETWORKS: dict[str, type[DepthNetwork]] = {"transformers": TransformersDepth}


def depth_of_shard(rgb: Path, build: Callable[[], DepthNetwork]) -> Callable[[str], np.ndarray]:
    """Return a function that computes the stored depth of a clip of an rgb shard, uint8 (T, H, W), from its id.

    See ``to_stored`` for the values. Frames are read batch by batch; see ``Batches`` for what happens when memory runs
    out. The function raises ``UnusableClip`` if the clip has no frames there, or if its depth is not finite.
    """
    network = build()
    frames = Shard(rgb)
    batches = Batches(network.frames, "frame")

    def make(clip_id: str) -> np.ndarray:
        if reason := frames.reason(clip_id):
            raise UnusableClip(reason)
        depth_THW = np.empty(frames.shape(clip_id)[:3], np.float32)

        def estimate(start: int, stop: int) -> np.ndarray:
            return network(frames.read(clip_id, range(start, stop)))

        estimated = batches.over(len(depth_THW), estimate)
        maps = (map_HW for start, maps_THW in estimated for map_HW in finite(maps_THW, start))
        for index, map_HW in enumerate(steady(maps)):
            depth_THW[index] = map_HW
        return to_stored(depth_THW)

    return make
