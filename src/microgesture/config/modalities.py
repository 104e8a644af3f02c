"""The modalities that the workflow stores for each clip, their settings, and the network inputs made from them."""

from collections.abc import Callable, Iterable
from pathlib import PurePath
from typing import Any, Literal

from pydantic import Field, create_model, model_validator

from .base import FilePath, Settings
from .corpus_format import LARGEST, Person
from .declarations import Modality, ModalitySettings
from .extensions import by_name
from .layouts import SelectionChoice
from .rgb import RgbPersonSettings, RgbSettings


class KeypointSettings(ModalitySettings):
    """Which keypoints the streams use."""

    selection: SelectionChoice = Field(
        "36",
        description="joints that networks receive: 36 as in MM-Gesture, 22 with the tips of the fingers, 42 of the "
        "hands, 68 with arms and face, 21 of the right hand, 25 of a Kinect v2; the name of a layout for all its "
        "points; all for all points of keypoints.layout of the corpora; or {joints: [...], limbs: [...]} by names",
    )
    fill_gaps: int = Field(
        0,
        ge=0,
        le=1000,
        exclude_if=lambda frames: frames == 0,
        description="longest gap in frames that is filled: a point that is missing in so few consecutive frames, and "
        "found before and after them, is interpolated; 0: none",
    )
    smoothing: int | None = Field(
        None,
        ge=5,
        le=1001,
        exclude_if=lambda window: window is None,
        description="window in frames, an odd number, in which the positions of a point are smoothed (Savitzky-Golay, "
        "degree 2), after gaps are filled; null: they are not",
    )

    @model_validator(mode="after")
    def _window_is_odd(self) -> "KeypointSettings":
        if self.smoothing is not None and self.smoothing % 2 == 0:
            raise ValueError(f"keypoints.smoothing is {self.smoothing}, but the window must be odd, such as 5, 7 or 9")
        return self

    @property
    def unused_modules(self) -> tuple[str, ...]:
        """The code that fills gaps and smooths, if neither is done."""
        return () if self.is_steadied else ("microgesture.skeletons.trajectories",)

    @property
    def is_steadied(self) -> bool:
        """Whether gaps are filled or positions smoothed."""
        return bool(self.fill_gaps or self.smoothing)

    @property
    def needs(self) -> frozenset[str]:
        """The corpus must have keypoints."""
        return frozenset({"keypoints"})

    @property
    def made_from(self) -> tuple[str, ...]:
        """The skeletons of whole recordings."""
        return ("skeletons",)


class FaceSettings(ModalitySettings):
    """Faces of 112 x 112 pixels, aligned to ArcFace's five points."""

    margin: float = Field(
        0.0, ge=0, le=10, description="margin on each side of ArcFace's square, as a fraction of its side"
    )
    smallest: int = Field(
        24,
        ge=1,
        le=4096,
        description="smallest side of the square, in pixels of the video; a smaller face is stored as black",
    )
    confidence: float = Field(
        0.4,
        gt=0,
        le=1,
        description="minimum confidence of a landmark; OpenPose draws landmarks of faces from 0.4",
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

    terms: int = Field(
        3, ge=1, description="K, the number of terms; with more terms, more of a moving background remains"
    )
    window: int = Field(6, ge=4, le=1000, description="T, frames per window; at least terms + 3")
    signed: bool = Field(False, description="keep the sign of changes, with 128 for none, instead of clipping at 0")
    scaling: Literal["joint", "channel"] = Field(
        "joint", description="one maximum per frame for all three channels, as in MM-Gesture, or one per channel"
    )

    @model_validator(mode="after")
    def _window_holds_terms(self) -> "TaylorSettings":
        if self.window < self.terms + 3:
            raise ValueError(
                f"taylor.window is {self.window}, but {self.terms} terms need at least {self.terms + 3} frames"
            )
        return self

    @property
    def rest(self) -> int:
        """The stored value of no motion."""
        return 128 if self.signed else 0


FlowEncoding = Literal["vectors", "colour_wheel"]


class FlowSettings(ModalitySettings):
    """Optical flow."""

    backend: Literal["dis", "raft_small", "raft_large", "ptlflow"] = Field(
        "dis",
        description="dis: OpenCV's DIS, medium preset, no weights needed; raft_small, raft_large: torchvision's RAFT; "
        "ptlflow: a network of that package (extra flow), such as MemFlow",
    )
    model: str | None = Field(None, description="for ptlflow: name of the network, such as memflow or sea_raft_s")
    weights: FilePath | None = Field(
        None,
        description="for all but dis: a file, or a name of weights of torchvision or ptlflow, which are fetched once",
    )
    precision: Literal["fp32", "bf16", "fp16"] = Field(
        "fp32", description="precision of the network on a GPU; always fp32 on a CPU"
    )
    # The stored flow does not depend on it, so it is not part of the stage's settings; see ``TrainStep``.
    encoding: FlowEncoding = Field(
        "vectors",
        exclude=True,
        description="what networks see. vectors: u, v and speed, relative to flow_bound of the recipe; colour_wheel: "
        "the picture of MemFlow's authors, in which hue is direction and each frame's fastest motion has full colour",
    )

    @model_validator(mode="after")
    def _learned_flow_has_weights(self) -> "FlowSettings":
        if self.is_learned != (self.weights is not None):
            raise ValueError("flow.weights is required for every flow.backend except dis, and not allowed for dis")
        if (self.backend == "ptlflow") != (self.model is not None):
            raise ValueError("flow.model is required for flow.backend: ptlflow, and not allowed for any other")
        return self

    @property
    def is_learned(self) -> bool:
        """Whether a network computes it."""
        return self.backend != "dis"

    @property
    def weights_file(self) -> str | None:
        """The file of the weights; None for DIS, and for published weights that the stage downloads."""
        return self.weights if self.weights and PurePath(self.weights).suffix else None

    @property
    def unused_modules(self) -> tuple[str, ...]:
        """The code of the networks, if none is used."""
        return () if self.is_learned else ("microgesture.modalities.learned_flow",)

    @property
    def files(self) -> dict[str, str | None]:
        """The weights, if they are a file."""
        return {"weights": self.weights_file}

    @property
    def package(self) -> tuple[str, str] | None:
        """The package ptlflow, if the backend is ptlflow."""
        return ("ptlflow", "flow") if self.backend == "ptlflow" else None

    @property
    def portable_backend(self) -> str | None:
        """DIS, which needs no weights, unless it is the backend."""
        return "dis" if self.is_learned else None


class DepthSettings(ModalitySettings):
    """Relative depth."""

    backend: Literal["skeleton", "folder", "transformers"] = Field(
        "skeleton",
        description="skeleton: from foreshortened limbs, without weights; folder: your own depth videos; "
        "transformers: a network of that package (extra depth), such as Depth Anything V2, stabilised over time",
    )
    folder: FilePath | None = Field(
        None, description="for folder: path of the videos <clip_id>.mp4, each as long as its clip"
    )
    model: FilePath | None = Field(
        None, description="for transformers: a folder with the network, or its name on the Hugging Face hub"
    )
    precision: Literal["fp32", "bf16", "fp16"] = Field(
        "fp32", description="precision of the network on a GPU; always fp32 on a CPU"
    )

    @model_validator(mode="after")
    def _backend_has_its_own(self) -> "DepthSettings":
        if (self.backend == "folder") != (self.folder is not None):
            raise ValueError("depth.folder is required for depth.backend: folder, and not allowed for any other")
        if self.is_learned != (self.model is not None):
            raise ValueError("depth.model is required for depth.backend: transformers, and not allowed for any other")
        return self

    @property
    def is_learned(self) -> bool:
        """Whether a network computes it from the rgb frames."""
        return self.backend == "transformers"

    @property
    def needs(self) -> frozenset[str]:
        """Keypoints for the skeleton backend, videos for the others."""
        return frozenset({"keypoints"} if self.backend == "skeleton" else {"video"})

    @property
    def made_from(self) -> tuple[str, ...]:
        """The rgb frames, if a network computes depth from them."""
        return ("rgb",) if self.is_learned else ()

    @property
    def made_from_if_there(self) -> tuple[str, ...]:
        """The keypoints: the source of the skeleton backend, and for all backends the position of the person."""
        return ("keypoints",)

    @property
    def unused_modules(self) -> tuple[str, ...]:
        """The code of the networks, if none is used."""
        return () if self.is_learned else ("microgesture.modalities.learned_depth",)

    @property
    def files(self) -> dict[str, str | None]:
        """The folder of depth videos."""
        return {"folder": self.folder}

    @property
    def clips_folder(self) -> str | None:
        """The folder of depth videos."""
        return self.folder

    @property
    def package(self) -> tuple[str, str] | None:
        """The package transformers, if the backend is transformers."""
        return ("transformers", "depth") if self.is_learned else None

    @property
    def portable_backend(self) -> str | None:
        """The skeleton backend, which needs only keypoints, unless it is the backend."""
        return None if self.backend == "skeleton" else "skeleton"


_BUILT_IN = (
    Modality(
        "keypoints",
        "keypoints",
        "microgesture.modalities.keypoints",
        KeypointSettings,
        codec="zstd_clip",
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
        first_recipe={"color_jitter": "0.2  # lighting differs between recordings"},
    ),
    Modality(
        "rgb_person",
        "rgb frames of the person",
        "microgesture.modalities.rgb",
        RgbPersonSettings,
        codec="jpeg",
        framed_as="rgb_person",
        lit=True,
        reads_clips=True,
        opens_videos=True,
    ),
    Modality(
        "taylor",
        "Taylor videos",
        "microgesture.modalities.taylor",
        TaylorSettings,
        codec="jpeg",
        caption="displacement, velocity, acceleration as red, green, blue; brightened",
        first_recipe={
            "mean": "[3, 5, 8]  # networks trained from scratch need inputs of about unit size",
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
        first_recipe={"flow_bound": "0.01  # motion per frame that is scaled to 1, as a fraction of the side"},
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
        framed_as=None,
        lit=True,
        reads_clips=True,
        opens_videos=True,
        caption="black: no face found",
    ),
)
MODALITIES: dict[str, Modality] = by_name(Modality, _BUILT_IN, lambda modality: modality.name)

# Network inputs. Heatmaps and skeletons are made from keypoints during training; every video is an input itself.
HEATMAPS = ("joint", "limb")
# Of points in space, which only some corpora have.
IN_SPACE = ("skeleton3d", "bone3d", "motion3d", "bone_motion3d")
SKELETONS = ("skeleton", "bone", "direction", "motion", "bone_motion", *IN_SPACE)
VIDEOS = tuple(modality.name for modality in MODALITIES.values() if modality.is_video)
SCENES = tuple(name for name in VIDEOS if MODALITIES[name].framed_as)
Input = Literal[*HEATMAPS, *SKELETONS, *VIDEOS]


def store(name: str) -> str:
    """The modality that an input is made from: ``keypoints``, or the video of the same name."""
    return "keypoints" if name in (*HEATMAPS, *SKELETONS) else name


def with_sources(wanted: Iterable[str], sources_of: Callable[[str], Iterable[str]]) -> list[str]:
    """The wanted modalities and those that they are made from, each after its sources."""
    found = set(wanted)
    for name in reversed(MODALITIES):
        if name in found:
            found.update(sources_of(name))
    return [name for name in MODALITIES if name in found]


def _step(modality: Modality) -> type[Settings]:
    """The settings of a modality's stage: those of the modality and of others that it uses, and the corpus's folder."""
    fields: dict[str, Any] = {
        name: (used.settings, Field(used.settings(), description=f"settings of {used.label}"))
        for name, used in ((name, MODALITIES[name]) for name in (modality.name, *modality.uses))
    }
    if "skeletons" in modality.settings().made_from:
        fields["person"] = (Person, LARGEST)
    if modality.opens_videos:
        fields["root"] = (str, Field(description="folder of the corpus"))
    title = f"{modality.name.capitalize()}Step"
    return create_model(title, __base__=Settings, __doc__=f"{modality.label} to make.", **fields)


STEPS: dict[str, type[Settings]] = {name: _step(modality) for name, modality in MODALITIES.items()}
