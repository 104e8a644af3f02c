"""Optical flow from trained networks: torchvision's RAFT, and any network of the package ptlflow."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from textwrap import shorten
from typing import ClassVar, Protocol

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from ..checkpoints.reading import read_state_dict
from ..errors import InputError, UnusableClip
from ..machine.extras import install_hint
from ..machine.precision import autocast
from ..networks.compat import prepare_torchvision
from ..storage.shards import Shard
from .inference import Batches, device_named, finite
from .stored_flow import to_stored

prepare_torchvision()

from torchvision.models import optical_flow  # noqa: E402

PAIRS = 16  # take about 0.5 GiB with frames of 256 x 256; fewer do not use a GPU fully
SMALLEST, MULTIPLE = 128, 8  # pixels; below the smallest size, RAFT's coarsest correlations are empty


class FlowNetwork(Protocol):
    """Estimates flow for the stage; built as ``(model, weights, precision, device, threads)``, see ``NETWORKS``.

    ``pairs`` is the initial number of pairs of frames in a batch. It is 1 for a network that keeps a memory of earlier
    pairs: such a network gets the pairs of a clip one by one and in order.
    """

    pairs: int

    def __call__(self, frames_THWC: np.ndarray, first: bool) -> np.ndarray:
        """Return the flow between successive RGB frames uint8 (T, H, W, 3): float32 (T - 1, H, W, 2), (u, v) in pixels.

        ``first`` is true if the frames are the first of their clip, and false if they continue the previous call.
        """
        ...


class Raft:
    """RAFT (Teed and Deng, ECCV 2020), torchvision's ``raft_small`` or ``raft_large``, with 12 updates.

    ``weights`` is a file (safetensors or written by ``torch.save``), or a name such as "C_T_V2" or
    "Raft_Small_Weights.C_T_V2", which torchvision downloads once and checks. Raises ``InputError`` if there is no such
    file or name, or if the tensors do not fit the network.
    """

    PUBLISHED: ClassVar = {
        "raft_small": optical_flow.Raft_Small_Weights,
        "raft_large": optical_flow.Raft_Large_Weights,
    }

    def __init__(self, model: str, weights: str, precision: str, device: str, threads: int = 1) -> None:
        self.pairs = PAIRS
        self._device = device_named(device, threads)
        self._precision = precision
        network = getattr(optical_flow, model)(weights=None)
        _fill(network, self._state(model, weights), weights, model)
        self._network = network.eval().to(self._device)

    @classmethod
    def _state(cls, model: str, weights: str) -> dict[str, torch.Tensor]:
        if Path(weights).is_file():
            return _read_file(weights)
        published = cls.PUBLISHED[model]
        name = weights.removeprefix(f"{published.__name__}.")
        names = [one.name for one in published]
        if name not in names:  # DEFAULT is refused too: it means other weights in another version of torchvision
            raise _unpublished(weights, model, "torchvision", names)
        with _fetching(f"torchvision's {published.__name__}.{name}"):
            return published[name].get_state_dict(progress=False, check_hash=True)

    def __call__(self, frames_THWC: np.ndarray, first: bool) -> np.ndarray:
        x_T3HW, inside = padded(2 * as_input(frames_THWC, self._device) - 1)
        with torch.inference_mode(), autocast(self._precision, self._device):
            flow_B2HW = self._network(x_T3HW[:-1], x_T3HW[1:])[-1]
        return _as_array(flow_B2HW[inside])


class PtlFlow:
    """A network of the package ptlflow (Morimitsu) by its name there, such as "memflow" or "sea_raft_s".

    ``weights`` is a file, or a name that ptlflow publishes for the network ("things"), which is downloaded once.
    MemFlow (Dong and Fu, CVPR 2024) gets the pairs of a clip one by one and keeps its memory from pair to pair, as its
    authors run it. Raises ``InputError`` if the package, the network or the weights are missing or do not fit, or if
    the network does not work on pairs of frames.
    """

    def __init__(self, model: str, weights: str, precision: str, device: str, threads: int = 1) -> None:
        try:
            import ptlflow  # an extra, and slow to import
        except ModuleNotFoundError as missing:
            raise InputError(
                f"flow.backend ptlflow needs packages that are not installed ({missing.name} is missing): "
                f"{install_hint('flow')}"
            ) from None
        if model not in ptlflow.get_model_names():
            known = ", ".join(ptlflow.get_model_names())
            raise InputError(f"flow.model: ptlflow has no network '{model}'; choose one of {known}")
        self._device = device_named(device, threads)
        self._precision = precision
        try:
            network = ptlflow.get_model(model)
        except (ImportError, OSError, RuntimeError, ValueError) as error:  # some need further packages or files
            raise InputError(f"flow.model: ptlflow cannot build '{model}' here: {error}") from None
        if Path(weights).is_file():
            _fill(network, _read_file(weights), weights, model)
            if not weights.endswith(".safetensors"):
                with suppress(KeyError):  # a plain state dict; a checkpoint of ptlflow also holds settings
                    ptlflow.restore_model(network, weights)
        else:
            published = getattr(network, "pretrained_checkpoints", {})
            if weights not in published:
                raise _unpublished(weights, model, "ptlflow", published)
            with _fetching(f"ptlflow's '{weights}' for {model}"):
                ptlflow.restore_model(network, weights)
        self._network = network.eval().to(self._device)
        self._remembers = hasattr(network, "clear_memory")
        self.pairs = 1 if self._remembers else PAIRS
        self._try_out(model)

    def _try_out(self, model: str) -> None:
        try:
            flow_THWC = self(np.zeros((2, SMALLEST, SMALLEST, 3), np.uint8), first=True)
        except Exception as error:  # a network made for other input may raise any error
            raise InputError(f"flow.model: '{model}' does not work on a pair of frames: {error}") from error
        if flow_THWC.shape != (1, SMALLEST, SMALLEST, 2):
            raise InputError(f"flow.model: '{model}' does not return exactly one flow for a pair of frames")

    def __call__(self, frames_THWC: np.ndarray, first: bool) -> np.ndarray:
        bgr_THWC = np.ascontiguousarray(frames_THWC[..., ::-1])  # the channel order of ptlflow's readers
        x_T3HW, inside = padded(as_input(bgr_THWC, self._device))
        inputs = {"images": torch.stack([x_T3HW[:-1], x_T3HW[1:]], 1)}
        if self._remembers:
            inputs["meta"] = {"is_seq_start": first, "is_seq_end": False}
        with torch.inference_mode(), autocast(self._precision, self._device):
            flow_B12HW = self._network(inputs)["flows"]
        return _as_array(flow_B12HW[:, 0][inside])


NETWORKS: dict[str, type[FlowNetwork]] = {"raft_small": Raft, "raft_large": Raft, "ptlflow": PtlFlow}


def flow_of_shard(rgb: Path, build: Callable[[], FlowNetwork]) -> Callable[[str], np.ndarray]:
    """Return a function that computes the stored flow of a clip of an rgb shard, int16 (T, H, W, 2), from its id.

    The last flow is repeated. Frames are read batch by batch; see ``Batches`` for what happens when memory runs out.
    The function raises ``UnusableClip`` if the clip has no frames there, or if its flow is not finite.
    """
    network = build()
    frames = Shard(rgb)
    batches = Batches(network.pairs, "pair of frames")

    def make(clip_id: str) -> np.ndarray:
        if reason := frames.reason(clip_id):
            raise UnusableClip(reason)
        stored_THWC = np.zeros((*frames.shape(clip_id)[:3], 2), np.int16)

        def between(start: int, stop: int) -> np.ndarray:
            return network(frames.read(clip_id, range(start, stop + 1)), first=start == 0)

        for start, flow_THWC in batches.over(len(stored_THWC) - 1, between):
            stored_THWC[start : start + len(flow_THWC)] = to_stored(finite(flow_THWC, start))
        if len(stored_THWC) > 1:
            stored_THWC[-1] = stored_THWC[-2]
        return stored_THWC

    return make


def as_input(frames_THWC: np.ndarray, device: torch.device) -> torch.Tensor:
    """Convert frames uint8 (T, H, W, 3) to float32 (T, 3, H, W) in [0, 1] on the device."""
    return torch.from_numpy(frames_THWC).to(device).permute(0, 3, 1, 2).contiguous().float() / 255


def padded(x_T3HW: torch.Tensor) -> tuple[torch.Tensor, tuple]:
    """Pad the frames with their edges to multiples of 8, at least 128 pixels; also return the index of the inside."""
    height, width = x_T3HW.shape[-2:]
    more = [max(-(-side // MULTIPLE) * MULTIPLE, SMALLEST) - side for side in (height, width)]
    top, left = (pixels // 2 for pixels in more)
    edges = (left, more[1] - left, top, more[0] - top)
    return nn.functional.pad(x_T3HW, edges, "replicate"), np.s_[..., top : top + height, left : left + width]


def _as_array(flow_B2HW: torch.Tensor) -> np.ndarray:
    return flow_B2HW.permute(0, 2, 3, 1).float().cpu().numpy()


def _read_file(path: str) -> dict[str, torch.Tensor]:
    if not path.endswith(".safetensors"):
        return read_state_dict(path)
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise InputError(f"flow.weights: {path} is not a readable safetensors file ({error})") from None


def _fill(network: nn.Module, state: dict[str, torch.Tensor], weights: str, model: str) -> None:
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        problems = shorten(str(error).partition("\n")[2], 200)
        raise InputError(f"flow.weights: {weights} does not fit the network {model}: {problems}") from None


def _unpublished(weights: str, model: str, publisher: str, published: Iterable[str]) -> InputError:
    return InputError(
        f"flow.weights: {weights} is neither a file nor a name of weights that {publisher} publishes for {model}; "
        f"the names are {', '.join(published) or 'none'}"
    )


@contextmanager
def _fetching(what: str) -> Iterator[None]:
    try:
        yield
    except (OSError, RuntimeError) as error:  # no connection, or a wrong checksum
        raise InputError(
            f"flow.weights: {what} cannot be downloaded ({error}); without a connection, give a file instead"
        ) from None
