"""What is missing for the pretrained encoders of a configuration, for ``microgesture doctor``."""

import importlib.util
from collections.abc import Iterator
from pathlib import Path

from ..config.encoders import EncoderStep
from ..config.whole import Config
from ..machine.extras import install_hint
from .findings import Finding


def encoders_found(config: Config, results: Path) -> Iterator[Finding]:
    """Check each encoder and its packages; nothing is downloaded."""
    for name, stream in config.streams.items():
        packages, extra = stream.network.package or ((), "")
        absent = [package for package in packages if importlib.util.find_spec(package) is None]
        if absent:
            needed = f"needs packages that are not installed ({', '.join(absent)}): {install_hint(extra)}"
            yield Finding(f"streams.{name}", needed, True)
    own = {name: stream.network.encoder for name, stream in config.streams.items() if stream.network.has_encoder}
    for encoder in dict.fromkeys(own.values()):
        users = ", ".join(name for name, used in own.items() if used == encoder)
        files = [results / "encoders" / f"{encoder.file_name}.{suffix}" for suffix in ("json", "safetensors")]
        yield Finding(f"model of {users}", *_state(encoder, all(file.exists() for file in files)))


def _state(encoder: EncoderStep, made: bool) -> tuple[str, bool]:
    if made:
        return f"{encoder.model} has been read", False
    if not encoder.on_hub:
        if (Path(encoder.model) / "config.json").is_file():
            return f"{encoder.model} is a folder", False
        return f"{encoder.model} is neither a folder with config.json nor a model's id on the hub (owner/name)", True
    if _is_cached(encoder):
        return f"{encoder.model} is in the cache of huggingface_hub", False
    return f"{encoder.model} will be downloaded once from the Hugging Face hub, when the run starts", False


def _is_cached(encoder: EncoderStep) -> bool:
    if importlib.util.find_spec("huggingface_hub") is None:
        return False
    from huggingface_hub import try_to_load_from_cache

    return isinstance(try_to_load_from_cache(encoder.model, "config.json", revision=encoder.revision), str)
