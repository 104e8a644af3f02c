"""Settings of the networks; light, so that the configuration can be read without torch."""

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Union, get_args

from pydantic import Field, model_validator

from .declarations import NetworkSettings
from .extensions import declared
from .modalities import HEATMAPS, SCENES, SKELETONS, VIDEOS

if TYPE_CHECKING:
    from .recipes import Recipe

# Modules of ``checkpoints``: the layouts of published weights. A network names those of its own.
LAYOUTS = ("mvit", "resnet", "swin", "swinface")
_HEAD_DROPOUT = "share of the features dropped before the classifier, in training"


def _refuse_few_blocks(depths: tuple[int, ...]) -> None:
    # drop_path rises from the first block to the last: they are two at least
    if min(depths) < 1 or sum(depths) < 2:
        raise ValueError(f"depths {list(depths)} leave too few blocks: every stage has one, and all together two")


class SlowOnlySettings(NetworkSettings):
    """SlowOnly-R50 (arXiv 1812.03982): a 3-D ResNet over few frames; the video half of RGBPoseConv3D."""

    module: ClassVar = "microgesture.networks.slowonly"
    sees: ClassVar = (VIDEOS,)
    name: Literal["slowonly"]
    layouts: ClassVar = ("resnet",)
    width: int = Field(64, ge=1, description="channels of the first layer, which all others follow; 64 as published")
    dropout: float = Field(0.5, ge=0, lt=1, description=_HEAD_DROPOUT)


class PoseConv3DSettings(NetworkSettings):
    """PoseConv3D (arXiv 2104.13586): a slow 3-D ResNet over joint or limb heatmaps."""

    module: ClassVar = "microgesture.networks.poseconv3d"
    sees: ClassVar = (HEATMAPS,)
    name: Literal["poseconv3d"]
    layouts: ClassVar = ("resnet",)
    width: int = Field(32, ge=1, description="channels of the first layer, which all others follow; 32 as published")
    dropout: float = Field(0.5, ge=0, lt=1, description=_HEAD_DROPOUT)


class RGBPoseConv3DSettings(NetworkSettings):
    """RGBPoseConv3D (arXiv 2104.13586): SlowOnly over a video and PoseConv3D over heatmaps, joined twice on the way."""

    module: ClassVar = "microgesture.networks.rgbposeconv3d"
    sees: ClassVar = (SCENES, HEATMAPS)
    name: Literal["rgbposeconv3d"]
    layouts: ClassVar = ("resnet",)
    video_width: int = Field(64, ge=1, description="of the SlowOnly path; 64 as published")
    heatmap_width: int = Field(32, ge=1, description="of the PoseConv3D path; 32 as published")
    frame_ratio: int = Field(4, ge=1, description="frames of heatmaps for each frame of the video; 4 as published")
    dropout: float = Field(0.5, ge=0, lt=1, description=_HEAD_DROPOUT)

    def check_recipe(self, recipe: "Recipe", inputs: tuple[str, ...], name: str) -> None:
        """Heatmaps are ``frame_ratio`` times the frames of the video, on a quarter of its side."""
        if (recipe.heatmap_frames or recipe.frames) != self.frame_ratio * recipe.frames:
            raise ValueError(
                f"its network sees {self.frame_ratio} heatmaps a frame of the video, so "
                f"recipes.{name}.heatmap_frames must be {self.frame_ratio * recipe.frames}"
            )
        if (recipe.heatmap_size or recipe.size) * 4 != recipe.size:
            raise ValueError(
                "the two paths of its network meet where heatmaps have a quarter of the video's side, "
                f"so recipes.{name}.heatmap_size must be a quarter of size, {recipe.size}"
            )


class VideoSwinSettings(NetworkSettings):
    """Video Swin (arXiv 2106.13230): attention in shifted windows over space and time."""

    module: ClassVar = "microgesture.networks.video_swin"
    sees: ClassVar = (VIDEOS,)
    name: Literal["video_swin"]
    layouts: ClassVar = ("swin",)
    size: Literal["tiny", "small", "base"] = Field(
        "tiny", description="published sizes: 28, 50 or 88 million parameters"
    )
    width: int | None = Field(None, ge=8, multiple_of=8, description="channels of the first stage; null: as published")
    depths: tuple[int, ...] | None = Field(
        None, min_length=1, description="blocks of each stage; the width doubles between stages; null: as published"
    )
    drop_path: float | None = Field(
        None, ge=0, lt=1, description="share of residual branches skipped in training; null: as published for Kinetics"
    )
    dropout: float = Field(0.5, ge=0, lt=1, description=_HEAD_DROPOUT)

    @model_validator(mode="after")
    def _has_blocks_to_skip(self) -> "VideoSwinSettings":
        if self.depths is not None:
            _refuse_few_blocks(self.depths)
        return self


class MViTSettings(NetworkSettings):
    """MViTv2 (arXiv 2112.01526): attention over pooled space and time, for videos of one length and one side."""

    module: ClassVar = "microgesture.networks.mvit"
    sees: ClassVar = (VIDEOS,)
    name: Literal["mvit"]
    layouts: ClassVar = ("mvit",)
    size: Literal["small", "base"] = Field("small", description="published sizes: 34 or 51 million parameters")
    width: int | None = Field(None, ge=8, multiple_of=8, description="channels of the first stage; null: as published")
    depths: tuple[int, ...] | None = Field(
        None, min_length=1, description="blocks of each stage; the width doubles between stages; null: as published"
    )
    frames: int = Field(
        16, ge=2, multiple_of=2, description="of its videos, as in the recipe; published are 16 of small and 32 of base"
    )
    side: int = Field(224, ge=8, multiple_of=4, description="of its videos in pixels, as size in the recipe")
    drop_path: float | None = Field(
        None, ge=0, lt=1, description="share of residual branches skipped in training; null: as published for Kinetics"
    )
    dropout: float = Field(0.5, ge=0, lt=1, description=_HEAD_DROPOUT)

    @model_validator(mode="after")
    def _has_blocks_and_squares(self) -> "MViTSettings":
        stages = 4 if self.depths is None else len(self.depths)
        if self.depths is not None:
            _refuse_few_blocks(self.depths)
        if self.side < 4 * 2 ** (stages - 1):
            raise ValueError(
                f"a side of {self.side} pixels is too short for {stages} stages, of which each but the first halves "
                f"the squares of 4 pixels; it is at least {4 * 2 ** (stages - 1)}"
            )
        return self

    def check_recipe(self, recipe: "Recipe", inputs: tuple[str, ...], name: str) -> None:
        """Videos have the one length and the one side that the network is built for."""
        if (recipe.frames, recipe.size, recipe.in_testing().size) != (self.frames, self.side, self.side):
            raise ValueError(
                f"its network is made for {self.frames} frames of {self.side} pixels, so "
                f"recipes.{name} must have frames: {self.frames}, size: {self.side} and no other test_size"
            )


class R2Plus1DSettings(NetworkSettings):
    """R(2+1)D (arXiv 1711.11248): a ResNet over video whose convolutions are split into space and time."""

    module: ClassVar = "microgesture.networks.r2plus1d"
    sees: ClassVar = (VIDEOS,)
    name: Literal["r2plus1d"]
    layouts: ClassVar = ("resnet",)
    layers: Literal[18, 34] = Field(18, description="as published: 31 or 62 million parameters")
    dropout: float = Field(0.5, ge=0, lt=1, description=_HEAD_DROPOUT)


class SwinFaceSettings(NetworkSettings):
    """SwinFace (arXiv 2308.11509): a Swin Transformer over aligned faces, frame by frame."""

    module: ClassVar = "microgesture.networks.swinface"
    sees: ClassVar = (("face",),)
    name: Literal["swinface"]
    layouts: ClassVar = ("swinface",)
    width: int = Field(96, ge=8, multiple_of=8, description="channels of the first stage; 96 as published")
    depths: tuple[int, ...] = Field(
        (2, 2, 6, 2), min_length=1, description="blocks of each stage; the width doubles between stages"
    )
    patch: int = Field(2, ge=1, description="side in pixels of the squares that a face is cut into; 2 as published")
    embedding: int = Field(512, ge=16, description="features of a face; 512 as published")
    drop_path: float = Field(0.1, ge=0, lt=1, description="share of residual branches skipped in training")
    dropout: float = Field(0.5, ge=0, lt=1, description="share of the features dropped in the last layers, in training")

    @model_validator(mode="after")
    def _has_blocks_to_skip(self) -> "SwinFaceSettings":
        _refuse_few_blocks(self.depths)
        return self


class DecoupledSTCNNSettings(NetworkSettings):
    """Decoupled ST-CNN: convolutions over three neighbouring joints and over five frames, in turns."""

    module: ClassVar = "microgesture.networks.stcnn"
    sees: ClassVar = (SKELETONS,)
    name: Literal["stcnn"]
    layouts: ClassVar = LAYOUTS
    widths: tuple[int, ...] = Field((32, 64, 128), min_length=1, description="channels of each block")
    strides: tuple[int, ...] = Field((2, 2, 2), min_length=1, description="what each block divides time by")
    joints_apart: bool = Field(
        True, description="the classifier sees every joint's average over time; false: one average over joints too"
    )
    dropout: float = Field(0.3, ge=0, lt=1, description=_HEAD_DROPOUT)

    @model_validator(mode="after")
    def _as_many_strides_as_widths(self) -> "DecoupledSTCNNSettings":
        if len(self.strides) != len(self.widths):
            raise ValueError(f"stcnn needs a stride for each block: {len(self.widths)} widths, {len(self.strides)}")
        if min(*self.widths, *self.strides) < 1:
            raise ValueError("widths and strides of stcnn start at 1")
        return self


class AGCNSettings(NetworkSettings):
    """2s-AGCN (arXiv 1805.07694): graph convolutions over joints, on learned graphs; one of its two streams."""

    module: ClassVar = "microgesture.networks.agcn"
    sees: ClassVar = (SKELETONS,)
    name: Literal["agcn"]
    layouts: ClassVar = LAYOUTS
    width: int = Field(64, ge=4, multiple_of=4, description="channels of the first units; 64 as published")
    dropout: float = Field(0.0, ge=0, lt=1, description=_HEAD_DROPOUT)


class TokenFusionSettings(NetworkSettings):
    """Two trained networks whose tokens look at each other (arXiv 2512.23291; how they do is ours)."""

    module: ClassVar = "microgesture.networks.token_fusion"
    sees: ClassVar = ()  # what its two networks see
    name: Literal["token_fusion"] = "token_fusion"
    layouts: ClassVar = ()
    width: int = Field(256, ge=1, description="channels of a token of both networks, of which heads is a divisor")
    layers: int = Field(2, ge=1, description="times that the tokens look at each other")
    heads: int = Field(4, ge=1, description="of the attention")
    dropout: float = Field(0.1, ge=0, lt=1, description="share dropped in the attention and behind it, in training")

    @model_validator(mode="after")
    def _heads_share_the_width(self) -> "TokenFusionSettings":
        if self.width % self.heads:
            raise ValueError(f"the width of token_fusion is {self.width}, which {self.heads} heads cannot share")
        return self


_BUILT_IN = (
    PoseConv3DSettings,
    SlowOnlySettings,
    RGBPoseConv3DSettings,
    VideoSwinSettings,
    MViTSettings,
    R2Plus1DSettings,
    SwinFaceSettings,
    DecoupledSTCNNSettings,
    AGCNSettings,
    TokenFusionSettings,
)
NETWORKS: dict[str, type[NetworkSettings]] = {
    get_args(network.model_fields["name"].annotation)[0]: network
    for network in (*_BUILT_IN, *declared(NetworkSettings))
}
Network = Annotated[Union[tuple(NETWORKS.values())], Field(discriminator="name")]  # noqa: UP007
