"""Settings of the networks. Does not import torch."""

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Union, get_args

from pydantic import Field, model_validator

from .declarations import HEAD_DROPOUT, WIDEST, NetworkSettings
from .extensions import by_name
from .modalities import HEATMAPS, SCENES, SKELETONS, VIDEOS
from .pretrained_video import PretrainedVideoSettings

if TYPE_CHECKING:
    from .recipes import Recipe

Depths = Annotated[tuple[Annotated[int, Field(le=100)], ...], Field(min_length=1, max_length=8)]


def _refuse_few_blocks(depths: tuple[int, ...]) -> None:
    # drop_path rises from the first block to the last, so there must be at least two
    if min(depths) < 1 or sum(depths) < 2:
        raise ValueError(f"depths {list(depths)} are too few blocks: every stage needs one, and the network two")


def _refuse_uneven_heads(name: str, width: int, heads: int) -> None:
    if width % heads:
        raise ValueError(f"width of {name} is {width}, not a multiple of {heads} heads; change one of them")


class SlowOnlySettings(NetworkSettings):
    """SlowOnly-R50 (arXiv 1812.03982): a 3-D ResNet over few frames; the video half of RGBPoseConv3D."""

    module: ClassVar = "microgesture.networks.slowonly"
    sees: ClassVar = (VIDEOS,)
    name: Literal["slowonly"]
    layouts: ClassVar = ("resnet",)
    width: int = Field(
        64,
        ge=1,
        le=WIDEST,
        description="channels of the first layer, to which all others are proportional; 64 as published",
    )
    dropout: float = Field(0.5, ge=0, lt=1, description=HEAD_DROPOUT)


class PoseConv3DSettings(NetworkSettings):
    """PoseConv3D (arXiv 2104.13586): a slow 3-D ResNet over joint or limb heatmaps."""

    module: ClassVar = "microgesture.networks.poseconv3d"
    sees: ClassVar = (HEATMAPS,)
    name: Literal["poseconv3d"]
    layouts: ClassVar = ("resnet",)
    width: int = Field(
        32,
        ge=1,
        le=WIDEST,
        description="channels of the first layer, to which all others are proportional; 32 as published",
    )
    dropout: float = Field(0.5, ge=0, lt=1, description=HEAD_DROPOUT)


class RGBPoseConv3DSettings(NetworkSettings):
    """RGBPoseConv3D (arXiv 2104.13586): SlowOnly over a video and PoseConv3D over heatmaps, connected twice."""

    module: ClassVar = "microgesture.networks.rgbposeconv3d"
    paths: ClassVar = 2
    sees: ClassVar = (SCENES, HEATMAPS)
    name: Literal["rgbposeconv3d"]
    layouts: ClassVar = ("resnet",)
    video_width: int = Field(
        64, ge=1, le=WIDEST, description="channels of the first layer of the SlowOnly path; 64 as published"
    )
    heatmap_width: int = Field(
        32, ge=1, le=WIDEST, description="channels of the first layer of the PoseConv3D path; 32 as published"
    )
    frame_ratio: int = Field(4, ge=1, le=100, description="number of heatmaps per frame of the video; 4 as published")
    dropout: float = Field(0.5, ge=0, lt=1, description=HEAD_DROPOUT)

    def check_recipe(self, recipe: "Recipe", inputs: tuple[str, ...], name: str) -> None:
        """Require ``frame_ratio`` heatmaps per frame of the video, with a quarter of its side."""
        if (recipe.heatmap_frames or recipe.frames) != self.frame_ratio * recipe.frames:
            raise ValueError(
                f"its network needs {self.frame_ratio} heatmaps per frame of the video; "
                f"set recipes.{name}.heatmap_frames to {self.frame_ratio * recipe.frames}"
            )
        if (recipe.heatmap_size or recipe.size) * 4 != recipe.size:
            raise ValueError(
                "its network needs heatmaps with a quarter of the video's side; "
                f"set recipes.{name}.heatmap_size to a quarter of size, {recipe.size}"
            )


class VideoSwinSettings(NetworkSettings):
    """Video Swin (arXiv 2106.13230): attention in shifted windows over space and time."""

    module: ClassVar = "microgesture.networks.video_swin"
    sees: ClassVar = (VIDEOS,)
    name: Literal["video_swin"]
    layouts: ClassVar = ("swin",)
    size: Literal["tiny", "small", "base"] = Field(
        "tiny", description="published size: 28, 50 or 88 million parameters"
    )
    width: int | None = Field(
        None, ge=8, le=WIDEST, multiple_of=8, description="channels of the first stage; null: as published"
    )
    depths: Depths | None = Field(
        None,
        description="number of blocks per stage; the width doubles between stages; null: as published",
    )
    drop_path: float | None = Field(
        None,
        ge=0,
        lt=1,
        description="fraction of residual branches skipped in training; null: as published for Kinetics",
    )
    dropout: float = Field(0.5, ge=0, lt=1, description=HEAD_DROPOUT)

    @model_validator(mode="after")
    def _has_blocks_to_skip(self) -> "VideoSwinSettings":
        if self.depths is not None:
            _refuse_few_blocks(self.depths)
        return self


class MViTSettings(NetworkSettings):
    """MViTv2 (arXiv 2112.01526): attention with pooling over space and time, for videos of a fixed size."""

    module: ClassVar = "microgesture.networks.mvit"
    sees: ClassVar = (VIDEOS,)
    name: Literal["mvit"]
    layouts: ClassVar = ("mvit",)
    size: Literal["small", "base"] = Field("small", description="published size: 34 or 51 million parameters")
    width: int | None = Field(
        None, ge=8, le=WIDEST, multiple_of=8, description="channels of the first stage; null: as published"
    )
    depths: Depths | None = Field(
        None,
        description="number of blocks per stage; the width doubles between stages; null: as published",
    )
    frames: int = Field(
        16,
        ge=2,
        le=1024,
        multiple_of=2,
        description="frames of its input, as in the recipe; published: 16 (small), 32 (base)",
    )
    side: int = Field(
        224, ge=8, le=4096, multiple_of=4, description="side of its input in pixels, as size in the recipe"
    )
    drop_path: float | None = Field(
        None,
        ge=0,
        lt=1,
        description="fraction of residual branches skipped in training; null: as published for Kinetics",
    )
    dropout: float = Field(0.5, ge=0, lt=1, description=HEAD_DROPOUT)

    @model_validator(mode="after")
    def _has_blocks_and_squares(self) -> "MViTSettings":
        stages = 4 if self.depths is None else len(self.depths)
        if self.depths is not None:
            _refuse_few_blocks(self.depths)
        if self.side < 4 * 2 ** (stages - 1):
            raise ValueError(
                f"side {self.side} is too small for {stages} stages, since patches have 4 pixels and each stage "
                f"after the first halves the resolution; it must be at least {4 * 2 ** (stages - 1)}"
            )
        return self

    def check_recipe(self, recipe: "Recipe", inputs: tuple[str, ...], name: str) -> None:
        """Require videos with the length and the side that the network is built for."""
        if (recipe.frames, recipe.size, recipe.in_testing().size) != (self.frames, self.side, self.side):
            raise ValueError(
                f"its network needs {self.frames} frames of {self.side} pixels; set recipes.{name} to "
                f"frames: {self.frames}, size: {self.side} and no other test_size"
            )


class R2Plus1DSettings(NetworkSettings):
    """R(2+1)D (arXiv 1711.11248): a video ResNet with separate convolutions over space and time."""

    module: ClassVar = "microgesture.networks.r2plus1d"
    sees: ClassVar = (VIDEOS,)
    name: Literal["r2plus1d"]
    layouts: ClassVar = ("resnet",)
    layers: Literal[18, 34] = Field(18, description="number of layers; about 31 or 64 million parameters")
    variant: Literal["torchvision", "paper", "mmaction2"] = Field(
        "torchvision",
        description="torchvision: the second convolution of a block has as many channels inside as the first; paper: "
        "as many as its own formula gives; mmaction2: as in the paper, and a stem with pooling and shortcuts of two "
        "convolutions. Published weights fit their own variant only",
    )
    dropout: float = Field(0.5, ge=0, lt=1, description=HEAD_DROPOUT)


class SwinFaceSettings(NetworkSettings):
    """SwinFace (arXiv 2308.11509): a Swin Transformer over aligned faces, frame by frame."""

    module: ClassVar = "microgesture.networks.swinface"
    sees: ClassVar = (("face",),)
    name: Literal["swinface"]
    layouts: ClassVar = ("swinface",)
    width: int = Field(96, ge=8, le=WIDEST, multiple_of=8, description="channels of the first stage; 96 as published")
    depths: Depths = Field((2, 2, 6, 2), description="number of blocks per stage; the width doubles between stages")
    patch: int = Field(2, ge=1, le=112, description="side of a patch in pixels; 2 as published")
    embedding: int = Field(512, ge=16, le=WIDEST, description="number of features of a face; 512 as published")
    drop_path: float = Field(0.1, ge=0, lt=1, description="fraction of residual branches skipped in training")
    dropout: float = Field(
        0.5, ge=0, lt=1, description="fraction of the features dropped in the last layers in training"
    )

    @model_validator(mode="after")
    def _has_blocks_to_skip(self) -> "SwinFaceSettings":
        _refuse_few_blocks(self.depths)
        return self


class DecoupledSTCNNSettings(NetworkSettings):
    """Decoupled ST-CNN: alternating convolutions over three neighbouring joints and over five frames."""

    module: ClassVar = "microgesture.networks.stcnn"
    sees: ClassVar = (SKELETONS,)
    name: Literal["stcnn"]
    widths: tuple[int, ...] = Field((32, 64, 128), min_length=1, max_length=50, description="channels of each block")
    strides: tuple[int, ...] = Field(
        (2, 2, 2), min_length=1, max_length=50, description="temporal stride of each block"
    )
    joints_apart: bool = Field(
        True, description="classify the averages over time of all joints; false: average over the joints too"
    )
    dropout: float = Field(0.3, ge=0, lt=1, description=HEAD_DROPOUT)

    @model_validator(mode="after")
    def _as_many_strides_as_widths(self) -> "DecoupledSTCNNSettings":
        if len(self.strides) != len(self.widths):
            raise ValueError(
                f"stcnn has {len(self.widths)} widths and {len(self.strides)} strides; give each block one of both"
            )
        if min(*self.widths, *self.strides) < 1 or max(*self.widths, *self.strides) > WIDEST:
            raise ValueError(f"widths and strides of stcnn must be 1 to {WIDEST}")
        return self


class AGCNSettings(NetworkSettings):
    """2s-AGCN (arXiv 1805.07694): graph convolutions over joints with learned graphs; one of its two streams."""

    module: ClassVar = "microgesture.networks.agcn"
    sees: ClassVar = (SKELETONS,)
    name: Literal["agcn"]
    width: int = Field(64, ge=4, le=WIDEST, multiple_of=4, description="channels of the first units; 64 as published")
    dropout: float = Field(0.0, ge=0, lt=1, description=HEAD_DROPOUT)


class CTRGCNSettings(AGCNSettings):
    """CTR-GCN (arXiv 2107.12213): graph convolutions with a graph for each channel; one of its four streams."""

    module: ClassVar = "microgesture.networks.ctrgcn"
    name: Literal["ctrgcn"]


class SkeletonTransformerSettings(NetworkSettings):
    """A plain transformer over joints and time, as in MAMP (arXiv 2308.07092); the defaults are as published."""

    module: ClassVar = "microgesture.networks.skeleton_transformer"
    sees: ClassVar = (SKELETONS,)
    has_layers: ClassVar = True
    name: Literal["skeleton_transformer"]
    width: int = Field(256, ge=8, le=WIDEST, multiple_of=2, description="channels of the tokens; a multiple of heads")
    depth: int = Field(8, ge=2, le=100, description="number of blocks")
    heads: int = Field(8, ge=1, le=WIDEST, description="number of attention heads")
    patch: int = Field(4, ge=1, le=100, description="frames of a token")
    drop_path: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="fraction of residual branches skipped in training, in the last block; 0.3 published",
    )
    dropout: float = Field(0.0, ge=0, lt=1, description=HEAD_DROPOUT)

    @model_validator(mode="after")
    def _heads_share_the_width(self) -> "SkeletonTransformerSettings":
        _refuse_uneven_heads(self.name, self.width, self.heads)
        return self

    @property
    def sizes(self) -> dict[str, int | float]:
        """The arguments of the network."""
        return self.model_dump(exclude={"name"})


class STGCNSettings(NetworkSettings):
    """ST-GCN (arXiv 1801.07455): graph convolutions over joints, alternating with convolutions over time."""

    module: ClassVar = "microgesture.networks.stgcn"
    sees: ClassVar = (SKELETONS,)
    name: Literal["stgcn"]
    width: int = Field(64, ge=1, le=WIDEST, description="channels of the first units; 64 as published")
    dropout: float = Field(
        0.5, ge=0, lt=1, description="fraction of the features dropped after each unit but the first in training"
    )


class TokenFusionSettings(NetworkSettings):
    """Two trained networks fused by cross-attention between their tokens (after arXiv 2512.23291, own design)."""

    module: ClassVar = "microgesture.networks.token_fusion"
    sees: ClassVar = ()  # the inputs of its two networks
    name: Literal["token_fusion"] = "token_fusion"
    layouts: ClassVar = ()
    width: int = Field(256, ge=1, le=WIDEST, description="channels of the tokens; a multiple of heads")
    layers: int = Field(2, ge=1, le=100, description="number of blocks of cross-attention")
    heads: int = Field(4, ge=1, le=WIDEST, description="number of attention heads")
    dropout: float = Field(0.1, ge=0, lt=1, description="fraction dropped in and after the attention in training")

    @model_validator(mode="after")
    def _heads_share_the_width(self) -> "TokenFusionSettings":
        _refuse_uneven_heads(self.name, self.width, self.heads)
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
    CTRGCNSettings,
    SkeletonTransformerSettings,
    STGCNSettings,
    TokenFusionSettings,
    PretrainedVideoSettings,
)
NETWORKS: dict[str, type[NetworkSettings]] = by_name(
    NetworkSettings, _BUILT_IN, lambda network: get_args(network.model_fields["name"].annotation)[0]
)
Network = Annotated[Union[tuple(NETWORKS.values())], Field(discriminator="name")]  # noqa: UP007
