"""The modalities: what the workflow stores of each clip, their settings, and the inputs that networks see of them."""

from pathlib import PurePath
from typing import Any, Literal

from pydantic import Field, create_model, model_validator

from .base import Settings
from .declarations import Modality, ModalitySettings
from .extensions import declared

SelectionName = Literal["21", "22", "36", "42", "68", "25"]


class KeypointSettings(ModalitySettings):
    """Which keypoints the streams see."""

    selection: SelectionName = Field(
        "36",
        description="points: 36 as MM-Gesture, 22 that every file type has, 42 of the hands, 68 with arms and face, "
        "21 of the right hand, 25 of a Kinect v2",
    )

    @property
    def needs(self) -> frozenset[str]:
        """The corpus must have keypoints."""
        return frozenset({"keypoints"})

    @property
    def made_from(self) -> tuple[str, ...]:
        """The skeletons of whole recordings."""
        return ("skeletons",)


class RgbSettings(ModalitySettings):
    """The video that taylor, flow and the rgb stream start from."""

    size: int = Field(256, ge=16, description="side in pixels of a stored frame cut to the person")
    margin: float = Field(0.2, ge=0, description="added to the person's box on each side, as a share of its size")

    @property
    def made_from(self) -> tuple[str, ...]:
        """Nothing but the videos."""
        return ()

    @property
    def made_from_if_there(self) -> tuple[str, ...]:
        """The keypoints, which say where the person is."""
        return ("keypoints",)


class FaceSettings(ModalitySettings):
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

    @property
    def needs(self) -> frozenset[str]:
        """The corpus must have videos and keypoints."""
        return frozenset({"video", "keypoints"})

    @property
    def made_from(self) -> tuple[str, ...]:
        """The skeletons of whole recordings, with the landmarks of the face."""
        return ("skeletons",)


class TaylorSettings(ModalitySettings):
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

    @property
    def rest(self) -> int:
        """The stored value of no motion."""
        return 128 if self.signed else 0


class FlowSettings(ModalitySettings):
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

    @property
    def weights_file(self) -> str | None:
        """The file of the weights; None for DIS, and where the stage fetches them by the network's own name."""
        return self.weights if self.weights and PurePath(self.weights).suffix else None

    @property
    def unused_modules(self) -> tuple[str, ...]:
        """The code of the networks, where none is used."""
        return () if self.is_learned else ("microgesture.modalities.learned_flow",)

    @property
    def files(self) -> dict[str, str | None]:
        """The weights, if they are a file."""
        return {"weights": self.weights_file}

    @property
    def package(self) -> tuple[str, str] | None:
        """The package ptlflow."""
        return ("ptlflow", "flow") if self.backend == "ptlflow" else None

    @property
    def portable_backend(self) -> str | None:
        """DIS needs no weights."""
        return "dis" if self.is_learned else None


class DepthSettings(ModalitySettings):
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

    @property
    def needs(self) -> frozenset[str]:
        """Keypoints for the skeleton backend, videos for the others."""
        return frozenset({"keypoints"} if self.backend == "skeleton" else {"video"})

    @property
    def made_from(self) -> tuple[str, ...]:
        """The rgb frames, if a network sees them."""
        return ("rgb",) if self.is_learned else ()

    @property
    def made_from_if_there(self) -> tuple[str, ...]:
        """The keypoints: the skeleton backend's source, and for all backends where the person is."""
        return ("keypoints",)

    @property
    def unused_modules(self) -> tuple[str, ...]:
        """The code of the networks, where none is used."""
        return () if self.is_learned else ("microgesture.modalities.learned_depth",)

    @property
    def files(self) -> dict[str, str | None]:
        """The folder of depth videos."""
        return {"folder": self.folder}

    @property
    def package(self) -> tuple[str, str] | None:
        """The package transformers."""
        return ("transformers", "depth") if self.is_learned else None

    @property
    def portable_backend(self) -> str | None:
        """The skeleton backend needs nothing but keypoints."""
        return None if self.backend == "skeleton" else "skeleton"


MODALITIES: dict[str, Modality] = {
    modality.name: modality
    for modality in (
        Modality(
            "keypoints",
            "keypoints",
            "microgesture.modalities.keypoints",
            KeypointSettings,
            codec="zstd",
            dtype="float32",
            content="points",
            reads_clips=True,
            seconds=1,
        ),
        Modality(
            "rgb",
            "rgb frames",
            "microgesture.modalities.rgb",
            RgbSettings,
            codec="jpeg",
            lit=True,
            reads_clips=True,
            opens_videos=True,
            first_recipe={"color_jitter": "0.2  # light differs from person to person"},
        ),
        Modality(
            "taylor",
            "Taylor videos",
            "microgesture.modalities.taylor",
            TaylorSettings,
            codec="jpeg",
            caption="displacement, velocity, acceleration as red, green, blue; brightened",
            first_recipe={
                "mean": "[3, 5, 8]  # networks that start from nothing need inputs of about unit size",
                "std": "[8, 11, 17]",
            },
        ),
        Modality(
            "flow",
            "optical flow",
            "microgesture.modalities.flow",
            FlowSettings,
            codec="zstd",
            dtype="int16",
            channels=2,
            content="vectors",
            unit=32,
            first_recipe={"flow_bound": "0.01  # motion a frame that counts as 1, as a share of the side"},
        ),
        Modality(
            "depth",
            "depth",
            "microgesture.modalities.depth",
            DepthSettings,
            codec="jpeg",
            channels=1,
            reads_clips=True,
            uses=("keypoints", "rgb"),
            caption="brighter: nearer",
            first_recipe={},
        ),
        Modality(
            "face",
            "aligned faces",
            "microgesture.modalities.face",
            FaceSettings,
            codec="jpeg",
            in_person_box=False,
            lit=True,
            reads_clips=True,
            opens_videos=True,
            caption="black: no face found",
        ),
        *declared(Modality),
    )
}

# What a network sees. Heatmaps and skeletons are made of keypoints while a stream is trained; every video is an input.
HEATMAPS = ("joint", "limb")
IN_SPACE = ("skeleton3d", "bone3d")  # of joints in metres, which only some corpora have
SKELETONS = ("skeleton", "bone", "direction", "motion", *IN_SPACE)
VIDEOS = tuple(modality.name for modality in MODALITIES.values() if modality.is_video)
SCENES = tuple(name for name in VIDEOS if MODALITIES[name].in_person_box)
Input = Literal[*HEATMAPS, *SKELETONS, *VIDEOS]


def store(name: str) -> str:
    """The modality that an input is made of: ``keypoints``, or a video of the same name."""
    return "keypoints" if name in (*HEATMAPS, *SKELETONS) else name


def _step(modality: Modality) -> type[Settings]:
    """What the stage of a modality receives: its own settings and those that it uses, and the corpus's folder."""
    fields: dict[str, Any] = {
        name: (used.settings, Field(used.settings(), description=f"settings of {used.label}"))
        for name, used in ((name, MODALITIES[name]) for name in (modality.name, *modality.uses))
    }
    if modality.opens_videos:
        fields["root"] = (str, Field(description="folder of the corpus"))
    title = f"{modality.name.capitalize()}Step"
    return create_model(title, __base__=Settings, __doc__=f"{modality.label} to make.", **fields)


STEPS: dict[str, type[Settings]] = {name: _step(modality) for name, modality in MODALITIES.items()}
