"""Settings of networks with a pretrained video encoder. Does not import torch."""

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field, model_validator

from .base import FilePath, Settings
from .declarations import HEAD_DROPOUT, WIDEST, NetworkSettings
from .encoders import EncoderStep

if TYPE_CHECKING:
    from .recipes import Recipe


class LoraSettings(Settings):
    """Low-rank adapters (LoRA, arXiv 2106.09685) of linear layers."""

    rank: int = Field(8, ge=1, le=WIDEST, description="rank of the change of a layer's weights")
    alpha: float = Field(16, gt=0, description="the change is multiplied by alpha / rank")
    targets: tuple[str, ...] | None = Field(
        None,
        min_length=1,
        description="last parts of the names of the layers that are adapted; null: queries, keys and values",
    )


class PretrainedVideoSettings(NetworkSettings):
    """A pretrained video encoder of the package transformers (VideoMAE, V-JEPA 2, TimeSformer, ViViT) and a head."""

    module: ClassVar = "microgesture.networks.pretrained_video"
    sees: ClassVar = (("rgb", "rgb_person"),)
    layouts: ClassVar = ()
    has_layers: ClassVar = True
    has_encoder: ClassVar = True
    name: Literal["pretrained_video"]
    model: FilePath = Field(
        description="folder with config.json, a preprocessor's configuration and *.safetensors, or the model's id on "
        "the Hugging Face hub, such as MCG-NJU/videomae-base, from which it is downloaded once"
    )
    revision: str | None = Field(
        None, min_length=1, description="commit, tag or branch of the model on the hub; null: main, or a folder"
    )
    tune: Literal["probe", "lora", "full"] = Field(
        "probe",
        description="what is trained. probe: the head alone, on tokens that are computed once; lora: the head and "
        "low-rank adapters (extra pretrained); full: all weights, best with layer_decay in the recipe",
    )
    head: Literal["attentive", "linear"] = Field(
        "linear",
        description="linear: a linear classifier of the mean of the tokens; attentive: a learned query attends to the "
        "tokens, for a few hundred clips or more",
    )
    heads: int = Field(8, ge=1, le=WIDEST, description="for attentive: number of attention heads of the query")
    grid: int = Field(
        1,
        ge=1,
        le=64,
        description="the tokens of a time step are averaged in this number of rows and columns; 1: over the picture",
    )
    frames: int | None = Field(
        None, ge=1, le=10_000, description="frames of its input; null: as many as the model was trained with"
    )
    size: int | None = Field(
        None, ge=8, le=4096, description="side of its input in pixels; null: that with which the model was trained"
    )
    lora: LoraSettings = Field(LoraSettings(), description="for lora: the adapters")
    dropout: float = Field(0.0, ge=0, lt=1, description=HEAD_DROPOUT)

    @model_validator(mode="after")
    def _has_what_it_uses(self) -> "PretrainedVideoSettings":
        if self.tune != "lora" and self.lora != LoraSettings():
            raise ValueError(f"lora is for tune: lora, not {self.tune}; remove it")
        if self.head != "attentive" and self.heads != type(self).model_fields["heads"].default:
            raise ValueError("heads is for head: attentive; remove it")
        return self

    @property
    def encoder(self) -> EncoderStep:
        """Whose weights they are."""
        return EncoderStep(model=self.model, revision=self.revision)

    @property
    def of_features(self) -> "PretrainedVideoSettings":
        """The settings on which the tokens depend; those of the head have their defaults."""
        used = ("name", "model", "revision", "grid", "frames", "size")
        return type(self)(**{key: getattr(self, key) for key in used})

    @property
    def sees_features(self) -> bool:
        """With ``tune: probe``."""
        return self.tune == "probe"

    @property
    def package(self) -> tuple[tuple[str, ...], str]:
        """The package transformers, and for ``tune: lora`` also peft."""
        return ("transformers", *(["peft"] if self.tune == "lora" else [])), "pretrained"

    def check_recipe(self, recipe: "Recipe", inputs: tuple[str, ...], name: str) -> None:
        """Refuse frozen weights: ``tune`` says what is trained."""
        if recipe.freeze != "nothing":
            raise ValueError(f"tune of its network says what is trained; remove freeze from recipes.{name}")
        if self.sees_features and recipe.layer_decay != 1:
            raise ValueError(f"tune: probe trains no layers; remove layer_decay from recipes.{name}")
