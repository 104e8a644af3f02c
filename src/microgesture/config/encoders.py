"""Settings of pretrained video encoders: whose weights, and what is known once these are read. No torch."""

import hashlib
import re
from pathlib import Path
from typing import Any

from pydantic import Field

from .base import FilePath, Settings

# All that is read of a model; its code and pickled weights are neither downloaded nor opened.
READ = ("config.json", "*processor_config.json", "*.safetensors", "*.safetensors.index.json")
HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")  # owner/name


class EncoderStep(Settings):
    """An encoder to read, with its weights."""

    model: FilePath
    revision: str | None = Field(None, description="commit, tag or branch on the hub; null: main, or a folder")

    @property
    def on_hub(self) -> bool:
        """Whether the model is to be downloaded: it has the form of an id, and no folder has its name."""
        return HUB_ID.fullmatch(self.model) is not None and not Path(self.model).is_dir()

    @property
    def files(self) -> list[str]:
        """The files of its folder that are read, or the folder if it has none; none for a model on the hub."""
        if self.on_hub:
            return []
        return sorted({str(path) for pattern in READ for path in Path(self.model).glob(pattern)}) or [self.model]

    @property
    def file_name(self) -> str:
        """The name of its files in results, which differs between models and between revisions."""
        readable = re.sub(r"[^A-Za-z0-9.-]+", "-", Path(self.model).name).strip("-.") or "model"
        return f"{readable}_{short_digest([self.model, self.revision])}"


class Encoder(Settings):
    """An encoder whose weights have been read: its architecture, and the videos for which it was trained."""

    model: str = Field(description="id on the hub, or name of the folder")
    revision: str | None = Field(description="commit on the hub; null: a folder")
    config: dict[str, Any] = Field(description="settings of its architecture, as in its config.json")
    frames: int = Field(ge=1, le=10_000, description="frames of its input")
    size: int = Field(ge=8, le=4096, description="side of its input in pixels")
    mean: tuple[float, float, float] = Field(description="mean of each channel (0 to 255), subtracted from images")
    std: tuple[float, float, float] = Field(description="number (0 to 255) by which each channel is divided")
    checksum: str = Field("", description="checksum of the file of its weights, once that is written")
    stored: bool = Field(
        False, description="a stage of its own has computed its tokens, and the network sees these, not videos"
    )


def short_digest(content: Any) -> str:
    """Eight hexadecimal digits that differ between contents, for names of files."""
    return hashlib.sha256(repr(content).encode()).hexdigest()[:8]
