"""How fast the networks train on a GPU, and how much of what it can do they use.

    python benchmarks/gpu.py [--configfile config/mm_gesture.yaml] [--steps 20] [--compile]

Every network of a configuration takes whole training steps (mirror, normalise and draw the input; forward; backward;
update) on made-up clips that lie on the device, as many as one device takes at once by its recipe. Reading clips is not
part of it. It does so in torch's own way (where convolutions of fp32 may run in TF32) and in ours. The table is added
to ``benchmarks/RESULTS.md``, under the name of the device. Without a GPU the script can be tried in small:

    python benchmarks/gpu.py --configfile config/mm_gesture_small.yaml --device cpu --steps 2 --results /dev/null
"""

import argparse
import platform
import re
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import yaml
from torch import nn
from torch.utils.data import default_collate
from torch.utils.flop_counter import FlopCounterMode

from microgesture.config.modalities import HEATMAPS, SKELETONS
from microgesture.config.networks import NetworkSettings
from microgesture.config.recipes import Recipe
from microgesture.config.whole import load_config
from microgesture.machine.precision import autocast
from microgesture.machine.resources import Resources
from microgesture.networks import build
from microgesture.skeletons.selections import Selection, selection_named
from microgesture.streams.augment import input_channels, network_input
from microgesture.streams.cross_entropy import total_focal_loss
from microgesture.streams.optimizers import make_optimizer
from microgesture.streams.samples import Sample

ROOT = Path(__file__).resolve().parent.parent
CLASSES = 32  # of iMiGUE
WARM_UP = 3  # steps that are not timed
# TFLOP/s of dense bf16 matrix products, from the vendor's data sheets; the first name that the device's name contains.
PEAKS = {
    "B200": 2250,
    "H200": 989,
    "GH200": 989,
    "H100 PCIe": 756,
    "H100 NVL": 835,
    "H100": 989,
    "A100": 312,
    "A30": 165,
    "L40S": 362,
    "L40": 181,
    "L4": 121,
    "RTX 6000 Ada": 364,
    "RTX 4090": 165,
    "RTX 3090": 71,
}
COLUMNS = ("network", "sees", "clips a step", "TFLOP a step", "way", "ms a step", "clips/s", "of bf16 peak", "input")


class Workload(NamedTuple):
    """What one stream has a device do in training."""

    network: NetworkSettings
    inputs: tuple[str, ...]
    recipe: Recipe
    selection: Selection

    @property
    def clips(self) -> int:
        """Clips that one device takes at once."""
        return self.recipe.micro_batch_size or self.recipe.batch_size


class Way(NamedTuple):
    """How the work is done: precision, layout in memory, compiled or not."""

    name: str
    precision: str
    plain: bool  # the layout that torch has by default, instead of the network's own
    compiled: bool


def ways(device: torch.device, compiled: bool) -> list[Way]:
    """Torch's way and ours, in bf16 on a GPU only, as in training; ``compiled`` too if wanted."""
    precision = "bf16" if device.type == "cuda" else "fp32"
    found = [Way("fp32, eager", "fp32", True, False), Way(f"{precision}, channels last", precision, False, False)]
    return [*found, Way(f"{precision}, channels last, compiled", precision, False, True)] if compiled else found


def workloads(configfile: Path) -> list[Workload]:
    """The streams of a configuration, but for those that differ from another one in nothing that takes time.

    Nor are there streams that fuse two others, which take the time of both.
    """
    config = load_config(yaml.safe_load(configfile.read_text()))
    selection = selection_named(config.keypoints.selection)
    distinct = {}
    for stream in config.streams.values():
        if stream.fuses:
            continue
        drawn = tuple(modality for modality in stream.inputs if modality in HEATMAPS)
        workload = Workload(stream.network, stream.inputs, config.recipes[stream.recipe], selection)
        distinct.setdefault((stream.network, stream.recipe, drawn), workload)
    return list(distinct.values())


def made_up_clips(work: Workload, clips: int) -> Sample:
    """A batch of noise in the shapes of real clips."""
    rng, recipe = np.random.default_rng(0), work.recipe
    joints = len(work.selection.flip)

    def data(modality: str) -> np.ndarray:
        frames = (len(work.inputs) > 1 and recipe.heatmap_frames) or recipe.frames
        if modality in (*HEATMAPS, *SKELETONS):
            return rng.uniform(0.1, 1, (frames, joints, 3)).astype(np.float32)
        if modality == "flow":
            return rng.normal(0, 0.01, (recipe.frames, recipe.size, recipe.size, 2)).astype(np.float32)
        channels = 1 if modality == "depth" else 3
        return rng.integers(0, 256, (recipe.frames, recipe.size, recipe.size, channels), np.uint8)

    one = np.float32(1)
    return default_collate(
        [
            Sample(
                data=tuple(data(modality) for modality in work.inputs),
                mirror=row % 2 == 0,
                brightness=one,
                contrast=one,
                label=row % CLASSES,
                row=row,
                times=1,
            )
            for row in range(clips)
        ]
    )


def to_device(batch: Sample, device: torch.device) -> Sample:
    data = tuple(data.to(device) for data in batch.data)
    return Sample(data, *(field.to(device) for field in batch[1:]))


def flops_of_step(
    network: NetworkSettings, shapes: Sequence[Sequence[int]], training: bool = True, selection: Selection | None = None
) -> int:
    """Floating-point operations of a forward pass, and in training of the backward one, for inputs of these shapes.

    A multiplication and an addition are two. Counted without any computing, on torch's meta device.
    """
    with torch.device("meta"):
        module = build(network, [shape[1] for shape in shapes], CLASSES, selection).train(training)
        x = [torch.empty(*shape) for shape in shapes]
    with FlopCounterMode(display=False) as counter, torch.set_grad_enabled(training):
        logits = module(*x)
        if training:
            logits.sum().backward()
    return counter.get_total_flops()


def seconds_each(work: Callable[[], object], times: int, device: torch.device) -> float:
    """Mean time of a call, once it has warmed up."""
    for _ in range(WARM_UP):
        work()
    wait_for(device)
    started = time.perf_counter()
    for _ in range(times):
        work()
    wait_for(device)
    return (time.perf_counter() - started) / times


def wait_for(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def bf16_peak(name: str, device: torch.device) -> tuple[float, str]:
    """Operations a second of dense bf16 matrix products, and where the number is from."""
    for part, tera in PEAKS.items():
        if re.search(rf"\b{part}\b", name):
            return tera * 1e12, "by its data sheet"
    side = 8192 if device.type == "cuda" else 512
    factors = torch.randn(2, side, side, device=device, dtype=torch.bfloat16)
    return 2 * side**3 / seconds_each(lambda: factors[0] @ factors[1], 10, device), f"measured with {side} x {side}"


def measure(work: Workload, way: Way, steps: int, device: torch.device) -> tuple[float, float]:
    """Seconds of a training step, and of making the network's input in it."""
    recipe = work.recipe.model_copy(update={"precision": way.precision})
    torch.manual_seed(0)
    batch = to_device(made_up_clips(work, work.clips), device)
    network = build(work.network, input_channels(work.inputs, work.selection), CLASSES, work.selection).to(device)
    if way.plain:
        network.to(memory_format=torch.contiguous_format)
    optimizer = make_optimizer(network, recipe)
    called = torch.compile(network) if way.compiled else network
    weight_K = torch.ones(CLASSES, device=device)

    def make_input() -> tuple[torch.Tensor, ...]:
        x = network_input(batch, work.inputs, recipe, work.selection)
        return tuple(x_BCTHW.contiguous() for x_BCTHW in x) if way.plain else x

    def step() -> None:
        x = make_input()
        with autocast(recipe.precision, device):
            logits = called(*x)
        loss = total_focal_loss(logits, batch.label, weight_K, recipe.label_smoothing) / work.clips
        optimizer.zero_grad()
        loss.backward()
        if recipe.clip_norm is not None:
            nn.utils.clip_grad_norm_(network.parameters(), recipe.clip_norm)
        optimizer.step()

    return seconds_each(step, steps, device), seconds_each(make_input, steps, device)


def rows(
    works: Sequence[Workload], ways: Sequence[Way], steps: int, device: torch.device, peak: float
) -> Iterator[tuple[object, ...]]:
    """The table's rows, each as soon as it is known."""
    for work in works:
        x = network_input(made_up_clips(work, 1), work.inputs, work.recipe, work.selection)
        flops = flops_of_step(
            work.network, [(work.clips, *x_BCTHW.shape[1:]) for x_BCTHW in x], selection=work.selection
        )
        size = getattr(work.network, "size", "")
        about = (f"{work.network.name} {size}".strip(), ", ".join(work.inputs), work.clips, f"{flops / 1e12:.3g}")
        for way in ways:
            try:
                seconds, of_input = measure(work, way, steps, device)
            except torch.cuda.OutOfMemoryError:
                yield (*about, way.name, "out of memory", "", "", "")
                continue
            yield (
                *about,
                way.name,
                f"{seconds * 1e3:.1f}",
                f"{work.clips / seconds:.1f}",
                f"{flops / seconds / peak:.1%}",
                f"{of_input / seconds:.1%}",
            )


def line(cells: Sequence[object]) -> str:
    return f"| {' | '.join(map(str, cells))} |"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--configfile", type=Path, default=ROOT / "config/mm_gesture.yaml", help="whose networks")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto", help="auto: a GPU if there is one")
    parser.add_argument("--steps", type=int, default=20, help="steps that are timed (20)")
    parser.add_argument("--compile", action="store_true", help="measure compiled networks too")
    parser.add_argument("--results", type=Path, default=ROOT / "benchmarks/RESULTS.md", help="file to add the table to")
    chosen = parser.parse_args(arguments)

    device = Resources(chosen.device, threads=torch.get_num_threads()).prepare()
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else f"CPU ({platform.machine()})"
    peak, source = bf16_peak(name, device)
    said = [
        f"\n## {name}\n",
        f"Networks of `{chosen.configfile.name}`, torch {torch.__version__}, {chosen.steps} steps. The bf16 peak is "
        f"{peak / 1e12:.3g} TFLOP/s ({source}). `input`: share of the step in which clips are mirrored and normalised "
        "and heatmaps drawn; the aim is under 5 %.\n",
        line(COLUMNS),
        line(["---"] * len(COLUMNS)),
    ]
    print(*said, sep="\n", flush=True)
    for row in rows(workloads(chosen.configfile), ways(device, chosen.compile), chosen.steps, device, peak):
        said.append(line(row))
        print(said[-1], flush=True)
    with chosen.results.open("a") as results:
        results.write("\n".join(said) + "\n")
    print(f"\nadded to {chosen.results}", file=sys.stderr)


if __name__ == "__main__":
    main()
