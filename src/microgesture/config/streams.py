"""Settings of streams. A stream is one trained network with its input and its recipe."""

import re
from collections.abc import Mapping
from typing import Annotated

from pydantic import Field, model_validator

from .base import FilePath, Name, Settings
from .encoders import Encoder
from .layouts import SelectionChoice
from .modalities import FlowEncoding, Input
from .networks import Network, TokenFusionSettings
from .recipes import Recipe

Inputs = Annotated[tuple[Input, ...], Field(min_length=1, max_length=2)]


def is_published_name(text: str) -> bool:
    """Whether a text has the form of torchvision's names of weights, such as ``Swin_S_Weights.IMAGENET1K_V1``.

    Names of files do not, because their last part is not an upper-case word.
    """
    return re.fullmatch(r"[A-Z]\w*_Weights\.[A-Z][A-Z0-9_]*", text) is not None


class Stream(Settings):
    """One trained network, with its own corpus, input and network, or with those of two streams that it fuses.

    In a loaded configuration, every stream has all three (see ``completed``).
    """

    corpus: Name | None = Field(None, description="a key of corpora; null only with fuses")
    input: Input | Inputs | None = Field(
        None,
        description="input of the network; two for a network with two paths: [rgb, joint]; null only with fuses",
    )
    network: Network | None = Field(
        None, description="the network and its settings; null only with fuses, for the default token_fusion"
    )
    recipe: Name = Field(description="a key of recipes")
    fuses: tuple[Name, Name] | None = Field(
        None,
        description="two streams on one corpus, with one input each: [rgb_mvit, graph_joint]. Their networks are fused "
        "by a token_fusion and trained together. Each input is prepared with the recipe of its own stream; the recipe "
        "of this stream sets optimisation, mirroring, and num_clips and num_crops",
    )
    init: Name | tuple[Name, ...] | None = Field(
        None,
        description="another stream from whose weights training starts, with a new head if the classes differ; for a "
        "network with two paths, one stream for each: [rgb_slow, joint]",
    )
    pretraining: Name | None = Field(
        None, description="a key of pretraining from whose weights training starts, in place of init"
    )
    pseudo_labels: Name | None = Field(
        None,
        description="an ensemble on the same corpus; train on train, val and the test clips with its pseudo-labels",
    )
    weights: FilePath | None = Field(
        None,
        description="published weights from which training starts: a file (safetensors or a state dict of torchvision, "
        "mmaction2 or pyskl), or a name of torchvision's weights, which are downloaded once",
    )

    @property
    def inputs(self) -> tuple[Input, ...]:
        """The inputs of the network, in the order of its arguments."""
        return (self.input,) if isinstance(self.input, str) else self.input or ()

    @property
    def parents(self) -> tuple[str, ...]:
        """The streams from whose weights training starts."""
        return () if self.init is None else (self.init,) if isinstance(self.init, str) else self.init

    @model_validator(mode="after")
    def _is_whole(self) -> "Stream":
        if self.fuses is None:
            if missing := [key for key in ("corpus", "input", "network") if getattr(self, key) is None]:
                raise ValueError(f"{missing[0]} is missing; only a stream with fuses may leave it out")
            self._refuse_other_inputs()
        else:
            self._refuse_what_follows()
        if self.network is not None and self.network.has_encoder and self.weights is not None:
            raise ValueError(f"weights is not for network {self.network.name}, whose model has its own; remove it")
        starts = [key for key in ("init", "pretraining", "weights") if getattr(self, key) is not None]
        if len(starts) > 1:
            raise ValueError(f"a stream cannot have both {' and '.join(starts)}; remove one of them")
        if self.fuses is None and len(self.parents) not in (0, 1, len(self.inputs)):
            raise ValueError(
                f"init names {len(self.parents)} streams for {len(self.inputs)} inputs; name one, or one for each input"
            )
        return self

    def _refuse_other_inputs(self) -> None:
        if self.network.name == "token_fusion":
            raise ValueError("network token_fusion fuses two trained streams; name them in fuses, and give no input")
        sees = self.network.sees
        if len(sees) != len(self.inputs) or any(seen not in kind for seen, kind in zip(self.inputs, sees, strict=True)):
            wanted = " and ".join(f"one of {', '.join(kind)}" for kind in sees)
            raise ValueError(f"network {self.network.name} accepts as input {wanted}, not {', '.join(self.inputs)}")

    def _refuse_what_follows(self) -> None:
        given = [key for key in ("corpus", "input", "init", "pretraining", "weights") if getattr(self, key) is not None]
        if given:
            raise ValueError(
                f"{given[0]} cannot be set for a stream with fuses, because it follows from the two streams; remove it"
            )
        if self.network is not None and self.network.name != "token_fusion":
            raise ValueError(f"a stream with fuses needs the network token_fusion, not {self.network.name}")


def completed(streams: Mapping[str, Stream]) -> dict[str, Stream]:
    """Return the streams, with corpus, input, init and network filled in for those that fuse two others.

    Raises ``ValueError`` if two streams cannot be fused.
    """
    return {name: stream if stream.fuses is None else _fused(name, streams) for name, stream in streams.items()}


def _fused(name: str, streams: Mapping[str, Stream]) -> Stream:
    stream, where = streams[name], f"{name}.fuses"
    for parent in stream.fuses:
        if parent not in streams:
            raise ValueError(f"{where} names '{parent}', which does not exist; choose one of {', '.join(streams)}")
        if streams[parent].fuses is not None or len(streams[parent].inputs) > 1:
            raise ValueError(f"{where} names '{parent}', which has two inputs; name streams with one input")
        if streams[parent].network.has_encoder:
            raise ValueError(
                f"{where} names '{parent}', but network {streams[parent].network.name} cannot be fused; put the stream "
                "in an ensemble instead"
            )
    one, other = (streams[parent] for parent in stream.fuses)
    if one is other:
        raise ValueError(f"{where} names '{stream.fuses[0]}' twice; name two different streams")
    if one.corpus != other.corpus:
        raise ValueError(
            f"{where} names '{stream.fuses[0]}' on the corpus '{one.corpus}' and '{stream.fuses[1]}' on "
            f"'{other.corpus}'; name two streams on one corpus"
        )
    follows = {"corpus": one.corpus, "input": (*one.inputs, *other.inputs), "init": stream.fuses}
    return stream.model_copy(update={**follows, "network": stream.network or TokenFusionSettings()})


class Branch(Settings):
    """One of the two networks of a fused stream."""

    network: Network
    recipe: Recipe = Field(description="recipe of the original stream, with which its input is prepared")


class TrainStep(Settings):
    """A stream to train or to predict with."""

    stream: str
    inputs: Inputs = Field(description="inputs of the network, in the order of its arguments")
    selection: SelectionChoice | None = Field(description="selection of keypoints; null without keypoints")
    margin: float | None = Field(
        None,
        description="margin around the person in the stored videos, for heatmaps in the same crop; null: the videos "
        "are full frames, or there are no such heatmaps",
    )
    flow_encoding: FlowEncoding = Field("vectors", description="what networks see of optical flow")
    network: Network
    branches: tuple[Branch, ...] | None = Field(
        None, description="networks of a fused stream, in the order of its inputs; else null"
    )
    recipe: Recipe
    seed: int
    encoder: Encoder | None = Field(
        None,
        exclude_if=lambda encoder: encoder is None,
        description="the pretrained encoder of the network; null: none, or its weights have not been read yet",
    )
    weights: str | None = Field(None, description="published weights from which training starts: a name or a file")
    pseudo_labels: str | None = Field(None, description="ensemble whose pseudo-labels are used in training")
    folds: int | None = Field(None, ge=2, description="number of folds of the subjects; null: train on all")
    # It can stop a training but does not change its result, so it is not part of the stored settings.
    max_quarantined: float = Field(
        1.0, ge=0, le=1, exclude=True, description="fraction of clips without this input above which training fails"
    )

    def with_encoder(self, encoder: Encoder) -> "TrainStep":
        """The step with an encoder that was read, and with a recipe that prepares videos for it.

        The network's own ``frames`` and ``size`` replace those of the encoder.
        """
        own = {key: value for key in ("frames", "size") if (value := getattr(self.network, key)) is not None}
        encoder = encoder.model_copy(update={**own, "stored": self.network.sees_features})
        seen = {key: getattr(encoder, key) for key in ("frames", "size", "mean", "std")}
        return self.model_copy(update={"encoder": encoder, "recipe": self.recipe.model_copy(update=seen)})

    @property
    def parts(self) -> tuple["TrainStep", ...]:
        """The branches of a fused stream as streams with one input; empty for all other streams.

        Each input is prepared with the recipe of its branch, except for mirroring, which is the same for all.
        """
        return tuple(map(self._part, self.inputs, self.branches)) if self.branches else ()

    def _part(self, modality: Input, branch: Branch) -> "TrainStep":
        shared = {"flip": self.recipe.flip, "test_flip": self.recipe.test_flip}
        changed = {"inputs": (modality,), "network": branch.network, "branches": None}
        return self.model_copy(update={**changed, "recipe": branch.recipe.model_copy(update=shared)})


def features_step(stream: Stream, recipe: Recipe) -> TrainStep:
    """The settings on which the features of a stream's encoder depend; all others have their defaults."""
    used = ("interval", "flip", "test_flip", "num_clips", "num_crops", "precision")
    own = Recipe(**{key: getattr(recipe, key) for key in used})
    network = stream.network.of_features
    return TrainStep(stream="features", inputs=stream.inputs, selection=None, network=network, recipe=own, seed=0)
