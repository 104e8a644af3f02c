"""Settings of what networks see of a clip, the same for all streams."""

from typing import Literal

from pydantic import Field, model_validator

from .base import Settings

HEATMAPS = ("joint", "limb")
SCENES = ("rgb", "taylor", "flow", "depth")  # in the same box about the person
VIDEOS = (*SCENES, "face")
LIT = ("rgb", "face")  # brighter and darker with the light
IN_SPACE = ("skeleton3d", "bone3d")  # of joints in metres, which only some corpora have
SKELETONS = ("skeleton", "bone", "direction", "motion", *IN_SPACE)
Modality = Literal[
    *("joint", "limb", "skeleton", "bone", "direction", "motion", "skeleton3d", "bone3d"),
    *("rgb", "taylor", "flow", "depth", "face"),
]
SelectionName = Literal["21", "22", "36", "42", "68", "25"]


def store(modality: Modality) -> str:
    """The kind of shard that a modality is made of: ``keypoints`` or a kind of video."""
    return "keypoints" if modality in (*HEATMAPS, *SKELETONS) else modality


class KeypointSettings(Settings):
    """Which keypoints the streams see."""

    selection: SelectionName = Field(
        "36",
        description="points: 36 as MM-Gesture, 22 that every file type has, 42 of the hands, 68 with arms and face, "
        "21 of the right hand, 25 of a Kinect v2",
    )


class RgbSettings(Settings):
    """The video that taylor, flow and the rgb stream start from."""

    size: int = Field(256, ge=16, description="side in pixels of a stored frame cut to the person")
    margin: float = Field(0.2, ge=0, description="added to the person's box on each side, as a share of its size")


class FaceSettings(Settings):
    """Aligned faces, 112 x 112 pixels on ArcFace's five points."""

    margin: float = Field(0.0, ge=0, description="added to ArcFace's square on each side, as a share of its side")
    smallest: int = Field(
        24, ge=1, description="side in pixels of the video that the square has at least; a smaller face is black"
    )
    confidence: float = Field(
        0.4,
        gt=0,
        le=1,
        description="of a landmark that counts as found; 0.4 is from where OpenPose draws those of faces",
    )


class TaylorSettings(Settings):
    """Taylor videos (arXiv 2402.03019)."""

    terms: int = Field(3, ge=1, description="K, terms of the series; more let more of a moving background through")
    window: int = Field(6, ge=4, description="T, frames a window; at least terms + 3")
    signed: bool = Field(False, description="keep the direction of change, 128 = none, instead of cutting at 0")
    scaling: Literal["joint", "channel"] = Field(
        "joint", description="one maximum a frame over the three channels, as MM-Gesture, or one for each channel"
    )

    @model_validator(mode="after")
    def _window_holds_terms(self) -> "TaylorSettings":
        if self.window < self.terms + 3:
            raise ValueError(
                f"taylor.window is {self.window}, but {self.terms} terms need differences over {self.terms + 3} frames"
            )
        return self


class FlowSettings(Settings):
    """Optical flow."""

    backend: Literal["dis", "raft_small", "raft_large", "ptlflow"] = Field(
        "dis",
        description="dis: OpenCV's DIS, medium preset, no weights needed; raft_small, raft_large: torchvision's RAFT; "
        "ptlflow: any network of that package (an extra), such as MemFlow",
    )
    model: str | None = Field(None, description="for ptlflow: the network's name there, such as memflow or sea_raft_s")
    weights: str | None = Field(
        None, description="for all but dis: a file, or a name that torchvision or ptlflow publishes and fetches once"
    )
    precision: Literal["fp32", "bf16", "fp16"] = Field("fp32", description="on a GPU; on a CPU always fp32")

    @model_validator(mode="after")
    def _learned_flow_has_weights(self) -> "FlowSettings":
        if self.is_learned != (self.weights is not None):
            raise ValueError("flow.weights goes with a learned flow.backend, and every learned one needs it")
        if (self.backend == "ptlflow") != (self.model is not None):
            raise ValueError("flow.model goes with flow.backend: ptlflow, and only with it")
        return self

    @property
    def is_learned(self) -> bool:
        """Whether a network makes it."""
        return self.backend != "dis"


class DepthSettings(Settings):
    """Relative depth."""

    backend: Literal["skeleton", "folder", "transformers"] = Field(
        "skeleton",
        description="skeleton: from foreshortened limbs, needs no weights; folder: depth videos of your own; "
        "transformers: a network of that package (an extra), such as Depth Anything V2, steadied over time",
    )
    folder: str | None = Field(None, description="for folder: holds <clip_id>.mp4, as many frames as the clip")
    model: str | None = Field(None, description="for transformers: a folder with the network, or its name on the hub")
    precision: Literal["fp32", "bf16", "fp16"] = Field("fp32", description="on a GPU; on a CPU always fp32")

    @model_validator(mode="after")
    def _backend_has_its_own(self) -> "DepthSettings":
        if (self.backend == "folder") != (self.folder is not None):
            raise ValueError("depth.folder goes with depth.backend: folder, and only with it")
        if self.is_learned != (self.model is not None):
            raise ValueError("depth.model goes with depth.backend: transformers, and only with it")
        return self

    @property
    def is_learned(self) -> bool:
        """Whether a network makes it, and from the rgb frames."""
        return self.backend == "transformers"


class RgbStep(RgbSettings):
    """Clips to cut out of the videos of a corpus."""

    root: str = Field(description="folder of the corpus")


class FaceStep(FaceSettings):
    """Faces to align in the videos of a corpus."""

    root: str = Field(description="folder of the corpus")


class DepthStep(DepthSettings, RgbSettings, KeypointSettings):
    """Depth to make in the same frames as rgb."""
