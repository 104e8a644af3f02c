"""The stages of pretrained video encoders: their weights, and the features of clips."""

from collections.abc import Iterator

from ..config.encoders import EncoderStep, short_digest
from ..config.streams import TrainStep, features_step
from ..config.whole import Config
from .corpus_stages import REGISTRY
from .stages import Planned


def encoders(config: Config) -> dict[str, EncoderStep]:
    """The encoders of all streams, by the names of their files."""
    used = [stream.network.encoder for stream in config.streams.values() if stream.network.has_encoder]
    return {encoder.file_name: encoder for encoder in used}


def all_features(config: Config) -> dict[str, str]:
    """The features of encoders that are stored, by the names of their folders; each with a stream that uses them."""
    using = [name for name, stream in config.streams.items() if stream.network.sees_features]
    return {features_of(config, name): name for name in using}


def features_of(config: Config, name: str) -> str | None:
    """The folder of the features that a stream is trained on; streams with equal features share it. None: none."""
    stream = config.streams[name]
    if not stream.network.sees_features:
        return None
    model = stream.network.encoder.file_name.rpartition("_")[0]
    return f"{stream.corpus}_{stream.input}_{model}_{short_digest(_step(config, name).model_dump_json())}"


def encoder_stages(config: Config) -> Iterator[Planned]:
    """The stages that read encoders and compute features, which depend neither on labels nor on the head."""
    for name, encoder in encoders(config).items():
        modules = ["microgesture.checkpoints.encoders", "microgesture.streams.weights:save_weights"]
        yield Planned("encoder", name, encoder, modules, [])
    for name, stream in all_features(config).items():
        of = config.streams[stream]
        above = [(of.input, of.corpus), ("encoder", of.network.encoder.file_name)]
        modules = ["microgesture.streams.encode"]
        yield Planned("features", name, _step(config, stream), modules, above, [REGISTRY])


def encoder_above(config: Config, name: str) -> list[tuple[str, str]]:
    """The stage on whose output a stream depends for its pretrained encoder; none for other networks."""
    stream = config.streams[name]
    if features := features_of(config, name):
        return [("features", features)]
    return [("encoder", stream.network.encoder.file_name)] if stream.network.has_encoder else []


def _step(config: Config, name: str) -> TrainStep:
    stream = config.streams[name]
    return features_step(stream, config.recipes[stream.recipe])
