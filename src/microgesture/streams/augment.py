"""From a batch of samples to the network input, on the network's device: mirror, normalise, render heatmaps."""

from collections.abc import Sequence

import torch

from ..config.modalities import HEATMAPS, MODALITIES, SKELETONS, VIDEOS, FlowEncoding
from ..config.recipes import Recipe
from ..config.streams import TrainStep
from ..skeletons.input import channels, skeleton_input
from ..skeletons.selections import Selection, selection_named
from .colour_wheel import colour_wheel
from .fused_samples import FusedSample
from .samples import Sample


def input_channels(inputs: Sequence[str], selection: Selection | None) -> tuple[int, ...]:
    """The number of channels of each input: joints, limbs, 3 for an image, 3 or 4 for a skeleton."""
    known = dict.fromkeys(VIDEOS, 3) | {modality: channels(modality) for modality in SKELETONS}
    if selection:
        known |= {"joint": len(selection.joints), "limb": len(selection.edges)}
    return tuple(known[modality] for modality in inputs)


def network_input(
    batch: Sample,
    inputs: Sequence[str],
    recipe: Recipe,
    selection: Selection | None,
    *,
    training: bool = True,
    flow_encoding: FlowEncoding = "vectors",
) -> tuple[torch.Tensor, ...]:
    """The network input of a batch: x_BCTHW, or x_BCTV of a skeleton, for each of ``inputs``, float32 on its device.

    Clips whose ``mirror`` is True are mirrored. For joint and limb the channels are heatmaps in [0, 1], with side
    ``heatmap_size`` if there are several inputs. As in pyskl, training mirrors the keypoints and testing mirrors the
    heatmaps; the two are one pixel apart. For vectors the channels are u, v and speed, divided by ``flow_bound`` and
    clipped to [-1, 1]. All other inputs are normalised images. With the colour wheel, flow is mirrored,
    converted to a picture and normalised like an image.
    """
    size = recipe.heatmap_size or recipe.size if len(inputs) > 1 else recipe.size

    def seen(data: torch.Tensor, modality: str) -> torch.Tensor:
        if modality in SKELETONS:
            return skeleton_input(data, batch.mirror, modality, selection)
        if modality in HEATMAPS:
            mirrored = mirror_keypoints if training else exchange_sides
            heat_BCTHW = heatmaps(mirrored(data, batch.mirror, selection), modality, size, recipe.sigma, selection)
            return heat_BCTHW if training else mirror_heatmaps(heat_BCTHW, batch.mirror)
        return _images(data, batch, modality, recipe, flow_encoding)

    return tuple(map(seen, batch.data, inputs))


def step_input(batch: Sample | FusedSample, step: TrainStep, *, training: bool) -> tuple[torch.Tensor, ...]:
    """The network input of a stream for a batch, with the settings of training or of testing.

    For a fused stream these are the inputs of both branches, mirrored together, followed by the moments_BT of each. For
    stored features it is features_BTND.
    """
    if step.branches:
        samples = [sample._replace(mirror=batch.mirror) for sample in batch.samples]
        inputs = [step_input(*part, training=training) for part in zip(samples, step.parts, strict=True)]
        return (*(x for (x,) in inputs), *batch.moments)
    if step.encoder is not None and step.encoder.stored:
        return (side_shown(*batch.data, batch.mirror),)
    selection = selection_named(step.selection) if step.selection else None
    recipe = step.recipe if training else step.recipe.in_testing()
    options = {"training": training, "flow_encoding": step.flow_encoding}
    return network_input(batch, step.inputs, recipe, selection, **options)


def side_shown(features_BSTND: torch.Tensor, mirror_B: torch.Tensor) -> torch.Tensor:
    """Features_BTND, float32: those of the last side, which is mirrored, for the clips whose ``mirror_B`` is True."""
    return torch.where(_each(mirror_B, features_BSTND[:, 0]), features_BSTND[:, -1], features_BSTND[:, 0]).float()


def _images(
    data_BTHWC: torch.Tensor, batch: Sample, modality: str, recipe: Recipe, flow_encoding: FlowEncoding
) -> torch.Tensor:
    x_BTHWC = data_BTHWC.float()
    seen = MODALITIES[modality]
    if seen.content == "vectors":
        x_BTHWC = mirror_flow(x_BTHWC, batch.mirror)
        x_BTHWC = colour_wheel(x_BTHWC) if flow_encoding == "colour_wheel" else flow_image(x_BTHWC, recipe.flow_bound)
    else:
        x_BTHWC = mirror_image(x_BTHWC, batch.mirror)
        if seen.lit:
            x_BTHWC = relight(x_BTHWC, batch.brightness, batch.contrast)
    if seen.content != "vectors" or flow_encoding == "colour_wheel":
        mean, std = (x_BTHWC.new_tensor(values) for values in (recipe.mean, recipe.std))
        x_BTHWC = (x_BTHWC - mean) / std  # broadcasts one channel to three
    return x_BTHWC.permute(0, 4, 1, 2, 3)


def mirror_keypoints(keypoints_BTVC: torch.Tensor, mirror_B: torch.Tensor, selection: Selection) -> torch.Tensor:
    """Mirror keypoints in the unit square: x becomes 1 - x, left and right swap, missing points stay missing."""
    x, y, confidence = exchange_sides(keypoints_BTVC, mirror_B, selection).unbind(-1)
    mirrored_BTVC = torch.stack((torch.where(confidence > 0, 1 - x, x), y, confidence), -1)
    return torch.where(_each(mirror_B, keypoints_BTVC), mirrored_BTVC, keypoints_BTVC)


def exchange_sides(keypoints_BTVC: torch.Tensor, mirror_B: torch.Tensor, selection: Selection) -> torch.Tensor:
    """Exchange left and right joints of the clips whose ``mirror_B`` is True; they stay at their places."""
    return torch.where(_each(mirror_B, keypoints_BTVC), keypoints_BTVC[:, :, list(selection.flip)], keypoints_BTVC)


def mirror_heatmaps(heat_BCTHW: torch.Tensor, mirror_B: torch.Tensor) -> torch.Tensor:
    """Mirror the heatmaps of the clips whose ``mirror_B`` is True."""
    return torch.where(_each(mirror_B, heat_BCTHW), heat_BCTHW.flip(-1), heat_BCTHW)


def mirror_image(x_BTHWC: torch.Tensor, mirror_B: torch.Tensor) -> torch.Tensor:
    """Mirror the images whose ``mirror_B`` is True."""
    return torch.where(_each(mirror_B, x_BTHWC), x_BTHWC.flip(3), x_BTHWC)


def mirror_flow(flow_BTHWC: torch.Tensor, mirror_B: torch.Tensor) -> torch.Tensor:
    """Mirror flow (u, v): the columns are reversed and u changes its sign."""
    mirrored_BTHWC = flow_BTHWC.flip(3) * flow_BTHWC.new_tensor((-1, 1))
    return torch.where(_each(mirror_B, flow_BTHWC), mirrored_BTHWC, flow_BTHWC)


def flow_image(flow_BTHWC: torch.Tensor, bound: float) -> torch.Tensor:
    """(u, v, speed) of flow (u, v), divided by ``bound`` and clipped to [-1, 1]."""
    speed_BTHW1 = flow_BTHWC.norm(dim=-1, keepdim=True)
    return (torch.cat((flow_BTHWC, speed_BTHW1), -1) / bound).clamp(-1, 1)


def relight(x_BTHWC: torch.Tensor, brightness_B: torch.Tensor, contrast_B: torch.Tensor) -> torch.Tensor:
    """Scale the brightness of images, and their contrast around each clip's mean; a factor of 1 changes nothing."""
    x_BTHWC = x_BTHWC * _each(brightness_B, x_BTHWC)
    mean_B = x_BTHWC.mean((1, 2, 3, 4), keepdim=True)
    return mean_B + (x_BTHWC - mean_B) * _each(contrast_B, x_BTHWC)


def heatmaps(
    keypoints_BTVC: torch.Tensor, modality: str, size: int, sigma: float, selection: Selection
) -> torch.Tensor:
    """Heatmaps (B, V or E, T, size, size) of keypoints in the unit square, for modality joint or limb.

    As in pyskl, a joint at x peaks at the pixel number x * size, counted from 0; that is half a pixel right of and
    below its place in a picture, in which x * size = 0.5 is the centre of the first pixel.
    """
    from ..modalities.heatmap import joint_heatmaps, limb_heatmaps  # needs Numba, which other inputs do not

    pixels_BTVC = keypoints_BTVC * keypoints_BTVC.new_tensor((size, size, 1))
    if modality == "joint":
        return joint_heatmaps(pixels_BTVC, size, sigma)
    return limb_heatmaps(pixels_BTVC, selection.edges, size, sigma)


def _each(values_B: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    return values_B.reshape(-1, *[1] * (like.dim() - 1))
