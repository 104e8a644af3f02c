"""Settings of the video frames that are stored of each clip: full frames, or crops of the person."""

from typing import Literal

from pydantic import Field, model_validator

from .declarations import ModalitySettings


class RgbSettings(ModalitySettings):
    """Video frames, from which taylor and flow are computed too."""

    size: int = Field(256, ge=16, le=4096, description="shorter side in pixels of a stored frame")
    crop: Literal["person", "none"] = Field(
        "person",
        description="part of the frame that rgb, taylor, flow and depth show. person: a square around the person, or "
        "the full frame in a clip without keypoints; none: the full frame",
    )
    margin: float = Field(
        0.2, ge=0, le=10, description="margin on each side of the person's box, as a fraction of its size"
    )

    @model_validator(mode="after")
    def _margin_is_for_the_person(self) -> "RgbSettings":
        if self.crop == "none" and self.margin != type(self).model_fields["margin"].default:
            raise ValueError("rgb.margin is not allowed for rgb.crop: none; remove it")
        return self

    @property
    def person_margin(self) -> float | None:
        """The margin around the person; None for full frames."""
        return self.margin if self.crop == "person" else None

    @property
    def made_from(self) -> tuple[str, ...]:
        """No shards, only the videos."""
        return ()

    @property
    def made_from_if_there(self) -> tuple[str, ...]:
        """The keypoints, which give the position of the person."""
        return ("keypoints",) if self.crop == "person" else ()


class RgbPersonSettings(ModalitySettings):
    """Video frames cropped to the person, for streams beside those that see full frames."""

    size: int = Field(256, ge=16, le=4096, description="side in pixels of a stored frame")
    margin: float = Field(
        0.125,
        ge=0,
        le=10,
        description="margin on each side of the person's box, as a fraction of its size; 0.125 as in RGBPoseConv3D",
    )

    @property
    def person_margin(self) -> float:
        """The margin around the person."""
        return self.margin

    @property
    def needs(self) -> frozenset[str]:
        """The corpus must have videos and keypoints."""
        return frozenset({"video", "keypoints"})

    @property
    def made_from(self) -> tuple[str, ...]:
        """The keypoints, which give the position of the person."""
        return ("keypoints",)
