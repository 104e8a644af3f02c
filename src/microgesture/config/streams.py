"""Settings of streams: one trained network each, what it sees and how it is trained."""

import re
from collections.abc import Mapping
from typing import Annotated

from pydantic import Field, model_validator

from .base import Name, Settings
from .modalities import Input, SelectionName
from .networks import Network, TokenFusionSettings
from .recipes import Recipe

Inputs = Annotated[tuple[Input, ...], Field(min_length=1, max_length=2)]


def is_published_name(text: str) -> bool:
    """Whether a text is written like torchvision's names of weights, as ``Swin_S_Weights.IMAGENET1K_V1`` is.

    Files' names are not: their last part is no upper-case word.
    """
    return re.fullmatch(r"[A-Z]\w*_Weights\.[A-Z][A-Z0-9_]*", text) is not None


class Stream(Settings):
    """One trained network: corpus, input and network of its own, or those that follow from two streams that it fuses.

    In a loaded configuration they are known of every stream (see ``completed``).
    """

    corpus: Name | None = Field(None, description="a key of corpora; null only with fuses")
    input: Input | Inputs | None = Field(
        None,
        description="what the network sees; two for a network of two paths: [rgb, joint]; null only with fuses",
    )
    network: Network | None = Field(None, description="null only with fuses, for token_fusion as it is")
    recipe: Name = Field(description="a key of recipes")
    fuses: tuple[Name, Name] | None = Field(
        None,
        description="two streams on one corpus, of one input each: [rgb_mvit, graph_joint]. Their networks are joined "
        "by a token_fusion and trained on together. Each input is shown as its own stream's recipe says; how the "
        "weights are found, whether clips are mirrored, and views and crops in testing are this one's",
    )
    init: Name | tuple[Name, ...] | None = Field(
        None,
        description="another stream whose weights this one starts from, its head new on other classes; for a network "
        "of two paths one for each: [rgb_slow, joint]",
    )
    pseudo_labels: Name | None = Field(
        None,
        description="an ensemble on the same corpus; learn from train, val and the test clips that it labels for sure",
    )
    weights: str | None = Field(
        None,
        description="published weights that this one starts from: a file (safetensors or a state dict of torchvision, "
        "mmaction2 or pyskl), or torchvision's name of one, which is fetched once",
    )

    @property
    def inputs(self) -> tuple[Input, ...]:
        """What the network sees, in the order of its arguments."""
        return (self.input,) if isinstance(self.input, str) else self.input or ()

    @property
    def parents(self) -> tuple[str, ...]:
        """The streams that this one starts from."""
        return () if self.init is None else (self.init,) if isinstance(self.init, str) else self.init

    @model_validator(mode="after")
    def _is_whole(self) -> "Stream":
        if self.fuses is None:
            if missing := [key for key in ("corpus", "input", "network") if getattr(self, key) is None]:
                raise ValueError(f"{missing[0]} is missing; only a stream that fuses two others has none of its own")
            self._refuse_other_inputs()
        else:
            self._refuse_what_follows()
        if self.init is not None and self.weights is not None:
            raise ValueError("a stream starts from another one (init) or from published weights, not from both")
        if self.fuses is None and len(self.parents) not in (0, 1, len(self.inputs)):
            raise ValueError(f"init names {len(self.parents)} streams for {len(self.inputs)} inputs")
        return self

    def _refuse_other_inputs(self) -> None:
        if self.network.name == "token_fusion":
            raise ValueError("network token_fusion joins two trained streams; name them (fuses) and no input")
        sees = self.network.sees
        if len(sees) != len(self.inputs) or any(seen not in kind for seen, kind in zip(self.inputs, sees, strict=True)):
            wanted = " and ".join(f"one of {', '.join(kind)}" for kind in sees)
            raise ValueError(f"network {self.network.name} sees {wanted}, not {', '.join(self.inputs)}")

    def _refuse_what_follows(self) -> None:
        given = [key for key in ("corpus", "input", "init", "weights") if getattr(self, key) is not None]
        if given:
            raise ValueError(f"{given[0]} of a stream that fuses two others follows from them; leave it out")
        if self.network is not None and self.network.name != "token_fusion":
            raise ValueError(f"a stream that fuses two others has the network token_fusion, not {self.network.name}")


def completed(streams: Mapping[str, Stream]) -> dict[str, Stream]:
    """The streams, those that fuse two others with the corpus, inputs, parents and network that follow from that.

    Raises ``ValueError`` if two streams cannot be fused.
    """
    return {name: stream if stream.fuses is None else _fused(name, streams) for name, stream in streams.items()}


def _fused(name: str, streams: Mapping[str, Stream]) -> Stream:
    stream, where = streams[name], f"{name}.fuses"
    for parent in stream.fuses:
        if parent not in streams:
            raise ValueError(f"{where} names '{parent}', but there are only {', '.join(streams)}")
        if streams[parent].fuses is not None or len(streams[parent].inputs) > 1:
            raise ValueError(f"{where} names '{parent}', which has two inputs itself; name streams of one")
    one, other = (streams[parent] for parent in stream.fuses)
    if one is other:
        raise ValueError(f"{where} names '{stream.fuses[0]}' twice; there is nothing that it could tell itself")
    if one.corpus != other.corpus:
        raise ValueError(
            f"{where} names '{stream.fuses[0]}' on the corpus '{one.corpus}' and '{stream.fuses[1]}' on "
            f"'{other.corpus}', which have other clips and classes; name two streams on one corpus"
        )
    follows = {"corpus": one.corpus, "input": (*one.inputs, *other.inputs), "init": stream.fuses}
    return stream.model_copy(update={**follows, "network": stream.network or TokenFusionSettings()})


class Branch(Settings):
    """One of the two networks that a fused stream joins."""

    network: Network
    recipe: Recipe = Field(description="of the stream that it comes from, which says how its input is shown")


class TrainStep(Settings):
    """A stream to train, or to predict with."""

    stream: str
    inputs: Inputs = Field(description="what the network sees, in the order of its arguments")
    selection: SelectionName | None = Field(description="of keypoints; null for videos alone")
    margin: float | None = Field(
        None, description="about the person in the stored videos, for heatmaps seen in the same crop; else null"
    )
    network: Network
    branches: tuple[Branch, ...] | None = Field(
        None, description="of a fused stream, in the order of its inputs; null for every other"
    )
    recipe: Recipe
    seed: int
    weights: str | None = Field(None, description="published weights to start from: a name, or a file")
    pseudo_labels: str | None = Field(None, description="ensemble whose labels of test clips are learnt from too")
    folds: int | None = Field(None, ge=2, description="parts that the subjects are dealt into; null: train on all")
    # It stops a training and changes none, so that it is no part of what a model is known by.
    max_quarantined: float = Field(
        1.0, ge=0, le=1, exclude=True, description="share of clips without this input above which it fails"
    )

    @property
    def parts(self) -> tuple["TrainStep", ...]:
        """The branches of a fused stream, each as a stream of one input; none for every other.

        An input is shown as its branch's recipe says, but for mirroring, which is decided for all of them.
        """
        return tuple(map(self._part, self.inputs, self.branches)) if self.branches else ()

    def _part(self, modality: Input, branch: Branch) -> "TrainStep":
        shared = {"flip": self.recipe.flip, "test_flip": self.recipe.test_flip}
        changed = {"inputs": (modality,), "network": branch.network, "branches": None}
        return self.model_copy(update={**changed, "recipe": branch.recipe.model_copy(update=shared)})
