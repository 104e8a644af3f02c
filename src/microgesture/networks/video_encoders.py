"""Video encoders of the package transformers, built from the settings of their architecture without their weights."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import nn

from ..config.encoders import Encoder
from ..errors import InputError
from ..machine.extras import install_hint
from .compat import prepare_torchvision

MOST_TOKENS, WIDEST, DEEPEST = 1 << 17, 8192, 200  # of encoders that anybody has published, with room


class Family(NamedTuple):
    """How the encoders of one kind are called, and what their tokens are.

    ``pixels`` is the name of the argument with the video, (B, T, C, H, W). ``frames`` and ``side`` are the settings
    with the size for which it was trained. ``class_tokens`` come first. With ``time_last``, the tokens of one place
    follow each other, otherwise those of one time step. ``resized`` says how it accepts a video of another size:
    "settings", if it rotates queries and keys by places that it computes from its settings; "itself", if it stretches
    its table of places; "never", if it cannot.
    """

    pixels: str
    frames: str
    side: str
    class_tokens: int
    time_last: bool
    resized: str


# By the ``model_type`` of transformers.
FAMILIES = {
    "videomae": Family("pixel_values", "num_frames", "image_size", 0, False, "never"),
    "vjepa2": Family("pixel_values_videos", "frames_per_clip", "crop_size", 0, False, "settings"),
    "timesformer": Family("pixel_values", "num_frames", "image_size", 1, True, "itself"),
    "vivit": Family("pixel_values", "num_frames", "image_size", 1, False, "never"),
}


def imported() -> Any:
    """The package transformers, which is slow to import; raises ``InputError`` that says how to install it."""
    prepare_torchvision()
    try:
        import transformers
    except ModuleNotFoundError as missing:
        raise InputError(
            f"network pretrained_video needs packages that are not installed ({missing.name} is missing): "
            f"{install_hint('pretrained')}"
        ) from None
    return transformers


def family_of(config: Mapping[str, Any], model: str) -> Family:
    """The family of an encoder; raises ``InputError`` if this package does not know its tokens."""
    kind = config.get("model_type")
    if kind not in FAMILIES:
        raise InputError(
            f"network pretrained_video: {model} is a model of type {kind!r}; choose one of {', '.join(FAMILIES)}"
        )
    return FAMILIES[kind]


class VideoEncoder(nn.Module):
    """Tokens_BTND of videos x_BCTHW: D channels at T time steps and N cells of a grid over the picture, row by row.

    ``grid`` is the number of rows and columns in which the tokens of a time step are averaged. ``model`` is the network
    of transformers, with random weights from torch's global generator.
    """

    def __init__(self, encoder: Encoder, grid: int) -> None:
        super().__init__()
        self._family = family_of(encoder.config, encoder.model)
        config = _settings(encoder)
        self._patch_T, self._grid_HW = places(encoder, config)
        self._grid = grid
        self.model = _built(encoder, config, self._family)

    def forward(self, x_BCTHW: torch.Tensor) -> torch.Tensor:
        tokens_BND = self._called(x_BCTHW.transpose(1, 2))[:, self._family.class_tokens :]
        T, (H, W) = x_BCTHW.shape[2] // self._patch_T, self._grid_HW
        if tokens_BND.shape[1] != T * H * W:
            raise InputError(
                f"network pretrained_video: the encoder has {tokens_BND.shape[1]} tokens for {x_BCTHW.shape[2]} frames "
                f"of {x_BCTHW.shape[4]} x {x_BCTHW.shape[3]} pixels, not {T} x {H} x {W}; use another size or model"
            )
        if self._family.time_last:
            tokens_BTHWD = tokens_BND.unflatten(1, (H, W, T)).permute(0, 3, 1, 2, 4)
        else:
            tokens_BTHWD = tokens_BND.unflatten(1, (T, H, W))
        return pooled(tokens_BTHWD, self._grid)

    def _called(self, x_BTCHW: torch.Tensor) -> torch.Tensor:
        # Without its predictor, V-JEPA 2 returns the tokens that it would predict from.
        more = {"skip_predictor": True} if self._family is FAMILIES["vjepa2"] else {}
        return self.model(**{self._family.pixels: x_BTCHW}, **more).last_hidden_state


def pooled(tokens_BTHWD: torch.Tensor, grid: int) -> torch.Tensor:
    """The means of the tokens of each time step in ``grid`` rows and columns of about equal size, (B, T, N, D)."""
    B, T, H, W, D = tokens_BTHWD.shape
    means_MDGG = nn.functional.adaptive_avg_pool2d(tokens_BTHWD.reshape(B * T, H, W, D).permute(0, 3, 1, 2), grid)
    return means_MDGG.flatten(2).transpose(1, 2).unflatten(0, (B, T))


def places(encoder: Encoder, config: Mapping[str, Any]) -> tuple[int, tuple[int, int]]:
    """The frames of a token, and the rows and columns of tokens in a picture; ``InputError`` if they are impossible."""
    tubelet, patch = config.get("tubelet_size", 1), config.get("patch_size")
    if isinstance(tubelet, list | tuple):
        tubelet, *patch = tubelet
    rows, columns = patch if isinstance(patch, list | tuple) else (patch, patch)
    sizes = (tubelet, rows, columns)
    if not all(isinstance(size, int) and size > 0 for size in sizes):
        raise InputError(f"network pretrained_video: {encoder.model} has patches of {sizes}; use another model")
    T, H, W = encoder.frames // tubelet, encoder.size // rows, encoder.size // columns
    if T * H * W == 0 or encoder.frames % tubelet:
        raise InputError(
            f"network pretrained_video: {encoder.frames} frames of {encoder.size} pixels do not fit {encoder.model}, "
            f"whose tokens have {tubelet} frames of {columns} x {rows} pixels; use a multiple"
        )
    wide, deep = config.get("hidden_size", 0), config.get("num_hidden_layers", 0)
    if not (T * H * W <= MOST_TOKENS and 0 < wide <= WIDEST and 0 < deep <= DEEPEST):
        raise InputError(
            f"network pretrained_video: {encoder.model} has {T * H * W} tokens of {wide} channels and {deep} layers, "
            "which is too large; use another model, or fewer frames"
        )
    return tubelet, (H, W)


def _settings(encoder: Encoder) -> dict[str, Any]:
    """The settings of an architecture, with defaults for those that are not given."""
    transformers, kind = imported(), encoder.config["model_type"]
    # Other settings might name code on the hub, such as that of an attention.
    known = own_settings(transformers.AutoConfig.for_model(kind))
    if unknown := sorted(set(encoder.config) - set(known)):
        raise InputError(
            f"network pretrained_video: {encoder.model} has the setting {unknown[0]!r}, which transformers "
            f"{transformers.__version__} does not know for {kind}; install another version of it"
        )
    return known | encoder.config


def _built(encoder: Encoder, config: dict[str, Any], family: Family) -> nn.Module:
    transformers, kind = imported(), config.pop("model_type")
    if (config[family.frames], _side(config[family.side])) != (encoder.frames, encoder.size):
        if family.resized == "never":
            raise InputError(
                f"network pretrained_video: {encoder.model} accepts only {config[family.frames]} frames of "
                f"{_side(config[family.side])} pixels; remove frames and size of the network"
            )
        if family.resized == "settings":
            config |= {family.frames: encoder.frames, family.side: encoder.size}
    try:
        settings = transformers.AutoConfig.for_model(kind, **config)
        network = transformers.AutoModel.from_config(settings, dtype=torch.float32)
    except (TypeError, ValueError, KeyError, ZeroDivisionError, RuntimeError) as error:
        raise InputError(
            f"network pretrained_video: transformers {transformers.__version__} cannot build {encoder.model} "
            f"({str(error).partition(chr(10))[0]}); use another model"
        ) from None
    except Exception as error:  # the checks of settings raise errors of their own kind
        if type(error).__module__.partition(".")[0] != "huggingface_hub":
            raise
        raise InputError(f"network pretrained_video: the settings of {encoder.model} are not valid: {error}") from None
    for unused in ("pooler", "predictor"):
        if hasattr(network, unused):
            setattr(network, unused, None)
    return network


def own_settings(config: Any) -> dict[str, Any]:
    """The settings of an architecture, with its ``model_type``, and none of those that every model has."""
    shared = set(imported().PreTrainedConfig().to_dict()) - {"model_type"}
    return {key: value for key, value in config.to_dict().items() if key not in shared}


def _side(size: Any) -> Any:
    return size[0] if isinstance(size, list | tuple) else size
