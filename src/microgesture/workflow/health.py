"""Checks of ``microgesture doctor``: versions, devices, decoders, folders and corpora."""

import importlib.util
import platform
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import av
import torch
from av.codec import Codec
from av.codec.codec import UnknownCodecError
from rich.filesize import decimal

from ..config.modalities import MODALITIES, SCENES
from ..config.pose import POSE_METHODS
from ..config.streams import is_published_name
from ..config.whole import Config
from ..corpora import measured_clips
from ..corpora.fitting import SAME_RATE
from ..corpora.listing import Listing
from ..errors import InputError
from ..machine.extras import install_hint
from ..machine.hardware import memory_bytes, own_cores
from ..measures.warnings import corpus_warnings
from ..pose.methods import missing_packages
from ..storage.clips import SPLITS, Clips
from ..storage.disk import free_bytes, nearest
from ..terminal import counted
from .across_corpora import check_across_corpora
from .claims import largest_shard
from .encoder_health import encoders_found
from .findings import Finding
from .given_files import check_given_files
from .keypoint_health import keypoint_health
from .listings import declared, listing_changed
from .modules import described, fault, functions
from .plan import Plan
from .prediction_stages import recordings_to_predict
from .read_plan import read_plan

LIBRARIES = (
    *("microgesture", "snakemake", "torch", "torchvision", "av", "opencv-python-headless", "pyarrow", "numpy"),
    *("pandas", "safetensors"),
)
CODECS = ("h264", "hevc", "vp9", "mjpeg")
TRIED = (3, 11), (3, 13)  # versions of Python
FIRST = 3  # number of unusable clips of a corpus whose reasons are printed


def examine(configfile: Path, changes: Sequence[str], results: Path) -> Iterator[Finding]:
    """Check everything that a run with this configuration needs, without changing anything."""
    yield from versions()
    yield from codecs()
    yield from (writable(folder) for folder in (results, Path(tempfile.gettempdir())))
    try:
        plan = read_plan(configfile, changes, results)
    except InputError as error:
        yield Finding("configuration", str(error), stops=True)
        return
    except Exception as error:  # the reader of a corpus may raise anything
        yield Finding("configuration", described(error), stops=True)
        return
    yield from modules(plan.config)
    yield from devices(plan.config)
    yield from needed_files(plan.config)
    yield from encoders_found(plan.config, results)
    yield from parts_of_the_frame(plan)
    yield from recordings(plan.config)
    yield from stored_listings(plan.config, results)
    listings: dict[str, Listing] = {}
    stopped = False
    for name in plan.config.corpora:
        for finding in corpus_health(name, plan.config, results, plan.kinds(name), listings):
            stopped |= finding.stops
            yield finding
    if not stopped:
        yield from people_across_corpora(plan.config, listings)


def versions() -> Iterator[Finding]:
    """The system, Python and the libraries on which results depend; a missing library stops a run."""
    tried = "" if TRIED[0] <= sys.version_info[:2] <= TRIED[1] else ", which has not been tried; 3.11 to 3.13 have"
    yield Finding("python", f"{platform.python_version()} on {platform.system()} {platform.machine()}{tried}")
    if sys.platform == "win32":
        yield Finding("system", "Windows cannot run it; install it in WSL2, the Linux of Windows", stops=True)
    for library in LIBRARIES:
        try:
            yield Finding(library, version(library))
        except PackageNotFoundError:
            yield Finding(library, "is not installed; run: pip install -r requirements.txt", stops=True)
    yield Finding("ffmpeg", f"{av.ffmpeg_version_info} (inside av)")


def modules(config: Config) -> Iterator[Finding]:
    """Functions that are missing in the modules of declarations, or that cannot be called."""
    for function in dict.fromkeys(functions(config)):
        if (trouble := fault(function)) is not None:
            yield Finding(function.owner, trouble, stops=True)


def devices(config: Config) -> Iterator[Finding]:
    """Processors, memory and GPUs."""
    memory = memory_bytes()
    told = f", {decimal(memory)} of memory" if memory else ""
    yield Finding("processor", f"{counted(own_cores(), 'core')} available to this process{told}")
    count = torch.cuda.device_count()
    for number in range(count):
        properties = torch.cuda.get_device_properties(number)
        yield Finding("gpu", f"{number}: {properties.name}, {decimal(properties.total_memory)}")
    if count == 0:
        wanted = "; the configuration requires one (device: cuda)" if config.device == "cuda" else ""
        yield Finding("gpu", f"none{wanted}", stops=bool(wanted))
    elif config.device != "cpu" and config.devices > count:
        yield Finding(
            "gpu", f"{count} found, but a training uses {config.devices} (devices: {config.devices})", stops=True
        )


def codecs() -> Iterator[Finding]:
    """The decoders of common video codecs."""
    for name in CODECS:
        try:
            Codec(name, "r")
            yield Finding(name, "can be decoded")
        except UnknownCodecError:
            yield Finding(
                name, "cannot be decoded by this build of av; install the version in requirements.txt", stops=True
            )


def writable(folder: Path) -> Finding:
    """Whether a folder, or its nearest existing parent, is writable, and the free space there."""
    there = nearest(folder)
    try:
        with tempfile.TemporaryFile(dir=there):
            return Finding(str(folder), f"is writable, {decimal(free_bytes(there))} free")
    except OSError as error:
        return Finding(str(folder), f"is not writable ({error.strerror})", stops=True)


def needed_files(config: Config) -> Iterator[Finding]:
    """Missing files and packages that the configuration needs, besides the corpora."""
    named = {f"streams.{name}.weights": stream.weights for name, stream in config.streams.items()}
    modalities = {name: config.modality(name) for name in MODALITIES}
    named |= {f"corpora.{name}.pose_weights": corpus.pose_weights for name, corpus in config.corpora.items()}
    named |= {f"{name}.{key}": path for name, own in modalities.items() for key, path in own.files.items()}
    for key, path in named.items():
        if path and not is_published_name(path) and not Path(path).exists():
            yield Finding(key, f"{path}: no such file or folder", stops=True)
    for name, own in modalities.items():
        if own.package and importlib.util.find_spec(own.package[0]) is None:
            missing = f"needs packages that are not installed: {install_hint(own.package[1])}"
            yield Finding(f"{name}.backend", missing, stops=True)
    for name, corpus in config.corpora.items():
        if corpus.pose and (missing := missing_packages(POSE_METHODS[corpus.pose])):
            yield Finding(f"corpora.{name}.pose", missing, stops=True)


def parts_of_the_frame(plan: Plan) -> Iterator[Finding]:
    """Streams that start from a stream whose videos show another part of the frame."""
    for name, stream in plan.config.streams.items():
        for parent in stream.parents:
            own, earlier = _part_shown(plan, name), _part_shown(plan, parent)
            if own and earlier and own != earlier:
                yield Finding(
                    "streams",
                    f"warning: {name} sees {own}, but starts from {parent}, which sees {earlier}; with rgb.crop: none, "
                    "both see full frames",
                )


def _part_shown(plan: Plan, name: str) -> str | None:
    """What the video of a stream shows; None if it has no video."""
    stream = plan.config.streams[name]
    video = next((MODALITIES[modality].framed_as for modality in stream.inputs if modality in SCENES), None)
    if video is None:
        return None
    cropped = plan.config.modality(video).person_margin is not None and "keypoints" in plan.provides(stream.corpus)
    return "crops of the person" if cropped else "full frames"


def recordings(config: Config) -> Iterator[Finding]:
    """The recordings in which gestures are to be found, and those whose names cannot be used."""
    if config.predictions is None:
        return
    try:
        found, left_out = recordings_to_predict(config.predictions)
    except InputError as error:
        yield Finding("predictions.folder", str(error), stops=True)
        return
    yield Finding("predictions.folder", f"has {counted(len(found), 'recording')}")
    yield from (Finding("predictions.folder", text) for text in left_out)


def stored_listings(config: Config, results: Path) -> Iterator[Finding]:
    """Damaged listings of an earlier run."""
    try:
        largest_shard(config, results)
    except InputError as error:
        yield Finding("results", str(error), stops=True)


def corpus_health(
    name: str, config: Config, results: Path, kinds: Sequence[str], listings: dict[str, Listing]
) -> Iterator[Finding]:
    """Read a corpus, add its listing to ``listings``, and count its usable clips.

    A synthetic corpus is made by the run and is not read. Also report what has changed since the run with these
    ``results``, and check the files about its test clips. With "face" in ``kinds``, the modalities that the run makes,
    count the clips whose skeletons have no face landmarks.
    """
    corpus = config.corpora[name]
    if corpus.demo is not None:
        clips = ", ".join(f"{count} {split}" for split, count in corpus.demo.clips.items())
        yield Finding(f"corpus {name}", f"is synthetic and made by the run, about {clips} clips")
        return
    try:
        listings[name] = listing = declared(config, name)
        listed = measured_clips(name, listing, corpus.root, config.shards, corpus.end_tolerance, corpus.fps)
        changed = listing_changed(config, name, listing, results)
    except InputError as error:
        yield Finding(f"corpus {name}", str(error), stops=True)
        return
    except Exception as error:  # the reader of a corpus may raise anything
        yield Finding(f"corpus {name}", f"format {corpus.format} cannot read {corpus.root}: {described(error)}", True)
        return
    yield from [Finding(f"corpus {name}", changed.partition(": ")[2])] if changed else []
    yield from _clips_found(name, listed, config.max_quarantined)
    yield from (Finding(f"corpus {name}", f"warning: {doubt}") for doubt in listed.doubts)
    yield from _rates_found(name, listed)
    yield from (Finding(f"corpus {name}", f"warning: {warning}") for warning in corpus_warnings(listed))
    try:
        for warning in check_given_files(config, name, listed):
            yield Finding("test clips", f"warning: {warning}")
    except InputError as error:
        yield Finding("test clips", str(error), stops=True)
    if not corpus.pose:
        yield from keypoint_health(name, config, listed, kinds)


def people_across_corpora(config: Config, listings: Mapping[str, Listing]) -> Iterator[Finding]:
    """People in test or val from whom a stream has learnt in another corpus."""
    try:
        for warning in check_across_corpora(config, listings):
            yield Finding("people", f"warning: {warning}")
    except InputError as error:
        yield Finding("people", str(error), stops=True)


def _clips_found(name: str, listed: Clips, limit: float) -> Iterator[Finding]:
    table, usable = listed.table, listed.usable
    counts = ", ".join(f"{int((usable.split == split).sum())} {split}" for split in SPLITS)
    kinds = [kind for kind, column in (("video", "video"), ("keypoints", "skeleton")) if usable[column].notna().any()]
    yield Finding(
        f"corpus {name}",
        f"{counts} clips of {counted(usable.recording.nunique(), 'recording')} in "
        f"{counted(len(listed.classes), 'class')}, "
        f"with {' and '.join(kinds) or 'neither video nor keypoints'}",
    )
    bad = table[table.status != "ok"]
    if len(bad):
        stops = len(bad) > limit * len(table)
        yield Finding(
            f"corpus {name}",
            f"{len(bad)} of {len(table)} clips cannot be used"
            + (f", more than the {limit:.1%} of max_quarantined" if stops else ""),
            stops,
        )
        for row in bad.head(FIRST).itertuples():
            yield Finding(f"corpus {name}", f"{row.clip_id}: {row.reason}")


def _rates_found(name: str, listed: Clips) -> Iterator[Finding]:
    """Whether the frame rates of clips differ: optical flow, and the steps between frames, depend on the rate."""
    rates = listed.usable.fps.dropna().round(2)
    if len(rates) and rates.max() > (1 + SAME_RATE) * rates.min():
        counts = rates.value_counts()
        most = ", ".join(f"{count} at {rate:g}" for rate, count in counts.head(FIRST).items())
        others = f" and {int(counts.iloc[FIRST:].sum())} at others" if len(counts) > FIRST else ""
        yield Finding(
            f"corpus {name}",
            f"warning: clips have from {rates.min():g} to {rates.max():g} frames per second ({most}{others}), so the "
            f"same motion looks faster in some; corpora.{name}.fps: {counts.index[0]:g} resamples them to one rate",
        )
