"""Pretrained video encoders: read from a folder or from the Hugging Face hub, and stored as one safetensors file.

No code of a model is run (``trust_remote_code`` is never set), and nothing is unpickled.
"""

import logging
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..config.encoders import READ, Encoder, EncoderStep
from ..errors import InputError
from ..networks.video_encoders import VideoEncoder, family_of, imported, own_settings

log = logging.getLogger(__name__)


def read_encoder(step: EncoderStep) -> tuple[Encoder, dict[str, torch.Tensor]]:
    """The description of an encoder, and its tensors by their names in ``VideoEncoder``.

    A model on the hub is downloaded once, to the cache of the package huggingface_hub. Raises ``InputError`` if a
    package is missing, if there is no such model here or there, or if it is not one that ``video_encoders`` knows.
    """
    transformers = imported()
    transformers.utils.logging.set_verbosity_error()  # it reports unused classifiers
    transformers.utils.logging.disable_progress_bar()
    folder, commit = _on_hub(step) if step.on_hub else (_folder(step.model), None)
    try:
        config = transformers.AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except (OSError, ValueError, KeyError) as error:
        raise _unusable(step, f"its config.json cannot be used ({_line(error)})") from None
    settings = own_settings(config)
    family = family_of(settings, step.model)
    if not any(folder.glob("*.safetensors")):
        raise _unusable(step, "it has no weights as *.safetensors; other files of weights are not read")
    size, mean, std = _preparation(step, folder)
    encoder = Encoder(
        model=step.model if step.on_hub else Path(step.model).name,
        revision=commit,
        config=settings,
        frames=settings[family.frames],
        size=size,
        mean=mean,
        std=std,
    )
    return encoder, _tensors(step, encoder, folder)


def _folder(model: str) -> Path:
    folder = Path(model)
    if not (folder / "config.json").is_file():
        raise InputError(
            f"network pretrained_video: {model} is neither a folder with config.json and *.safetensors nor a model's "
            "id on the Hugging Face hub (owner/name); correct model in the network of the stream"
        )
    return folder


def _on_hub(step: EncoderStep) -> tuple[Path, str]:
    """The folder of a model in the cache, and its commit; downloaded if it is not there."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    def cached(**options: Any) -> Path:
        return Path(snapshot_download(step.model, revision=step.revision, allow_patterns=list(READ), **options))

    try:
        folder = cached(local_files_only=True)
        if any(folder.glob("*.safetensors")):
            return folder, folder.name
    except (LocalEntryNotFoundError, OSError):
        pass
    log.info("downloading %s from the Hugging Face hub", step.model)
    try:
        folder = cached()
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError, ValueError) as error:
        at = f" --revision {step.revision}" if step.revision else ""
        raise InputError(
            f"network pretrained_video: {step.model} is not in the cache, and cannot be downloaded from here "
            f"({_line(error)}); on a machine with a connection run `hf download {step.model}{at} --local-dir FOLDER`, "
            "and name that folder in model of the network, in place of the id"
        ) from None
    log.info("%s is pinned at its commit %s", step.model, folder.name)
    return folder, folder.name


def _preparation(step: EncoderStep, folder: Path) -> tuple[int, tuple[float, ...], tuple[float, ...]]:
    """The side of the input in pixels, and the mean and the deviation by which the processor normalises channels.

    The crop of the processor is not used. Frames are resized as a whole, so no part of a person is cut off.
    """
    transformers = imported()
    try:
        processor = transformers.AutoVideoProcessor.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False
        )
    except (OSError, ValueError, KeyError, ImportError) as error:
        raise _unusable(step, f"its configuration of a processor cannot be used ({_line(error)})") from None
    cropped = processor.crop_size if getattr(processor, "do_center_crop", False) else None
    size = dict(cropped or processor.size)
    side = size.get("height") or size.get("shortest_edge")
    # What it does to black and to white tells the rest: processors differ in more than mean and deviation.
    black_C, grey_C, white_C = (_processed(processor, value, side) for value in (0, 51, 255))
    slope_C = (white_C - black_C) / 255
    if not np.allclose(grey_C, black_C + 51 * slope_C, atol=1e-4) or not (slope_C > 0).all():
        raise _unusable(step, "its processor does not normalise each channel by a mean and a deviation")
    return int(side), *(tuple(of_C.round(4).tolist()) for of_C in (-black_C / slope_C, 1 / slope_C))


def _processed(processor: Any, value: int, side: int) -> np.ndarray:
    frames_THWC = np.full((2, side, side, 3), value, np.uint8)
    prepared = processor(list(frames_THWC), return_tensors="pt", do_sample_frames=False)
    (x_BTCHW,) = prepared.values()
    return x_BTCHW[0].double().mean((0, 2, 3)).numpy()


def _tensors(step: EncoderStep, encoder: Encoder, folder: Path) -> dict[str, torch.Tensor]:
    transformers = imported()
    try:
        network, report = transformers.AutoModel.from_pretrained(
            folder,
            local_files_only=True,
            trust_remote_code=False,
            use_safetensors=True,
            dtype=torch.float32,
            output_loading_info=True,
        )
    except (OSError, ValueError, RuntimeError, ImportError) as error:
        raise _unusable(step, f"its weights cannot be read ({_line(error)})") from None
    names = VideoEncoder(encoder, grid=1).state_dict()
    if absent := [name for name in sorted(report["missing_keys"]) if f"model.{name}" in names]:
        raise _unusable(step, f"{len(absent)} of its {len(names)} tensors are not in the files, such as {absent[0]}")
    found = network.state_dict()
    return {name: found[name.removeprefix("model.")] for name in names}


def _unusable(step: EncoderStep, why: str) -> InputError:
    return InputError(f"network pretrained_video: {step.model} cannot be used: {why}; use another model")


def _line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0].rstrip(".")
