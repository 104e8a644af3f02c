"""How a modality and a network are declared: everything about one that other packages ask for, in one place.

An extension outside this package imports this module and ``config.base``, or those of other declarations
(``corpus_format``, ``loss_settings``, ``fusion_rule``), and offers its declarations through the
entry-point group ``microgesture`` (see ``extensions``).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Literal

from .base import Settings

if TYPE_CHECKING:
    from .recipes import Recipe


class ModalitySettings(Settings):
    """The settings of a modality, and what follows from their values. The defaults suit one made from rgb frames."""

    @property
    def needs(self) -> frozenset[str]:
        """What the corpus must have, of ``video`` and ``keypoints``."""
        return frozenset({"video"})

    @property
    def made_from(self) -> tuple[str, ...]:
        """The kinds of shard that the stage reads: modalities, or ``skeletons`` for whole recordings."""
        return ("rgb",)

    @property
    def made_from_if_there(self) -> tuple[str, ...]:
        """The kinds of shard that the stage reads where the corpus has keypoints, and does without elsewhere."""
        return ()

    @property
    def is_learned(self) -> bool:
        """Whether a network makes it, on a GPU where there is one."""
        return False

    @property
    def unused_modules(self) -> tuple[str, ...]:
        """Modules of the stage that these values have no use for, so that changed code there makes nothing again."""
        return ()

    @property
    def weights_file(self) -> str | None:
        """A file, or the published name, of the weights of that network; None if there is none to track."""
        return None

    @property
    def files(self) -> dict[str, str | None]:
        """The files and folders that the settings name, by key, for ``doctor`` to look for."""
        return {}

    @property
    def package(self) -> tuple[str, str] | None:
        """The package that a learned one needs, and the extra of this project that installs it; None: no extra."""
        return None

    @property
    def portable_backend(self) -> str | None:
        """The ``backend`` with which an exported recogniser could make it from a new video; None if it can already."""
        return None

    @property
    def rest(self) -> int | None:
        """The stored value of no motion, around which ``view`` brightens pictures; None to show them as stored."""
        return None


@dataclass(frozen=True)
class Modality:
    """What the workflow stores of each clip, as ``results/<name>/<corpus>/<shard>.arrow``.

    ``module`` has ``make(work: modalities.work.Work)``; it is named here and not imported, because it may import torch
    or OpenCV, and because a stage depends on the code of its own module alone. From this declaration follow the key of
    the configuration, the rule, the subcommand, the steps of the plan, and how streams, recogniser, ``view`` and report
    use the modality.
    """

    name: str
    label: str  # what it is called in messages, such as "optical flow"
    module: str
    settings: type[ModalitySettings]
    codec: Literal["jpeg", "raw", "zstd"]
    dtype: str = "uint8"  # of the stored values
    channels: int = 3  # of a stored frame
    content: Literal["image", "vectors", "points"] = "image"  # vectors: u, v; a mirror changes the sign of u
    unit: int = 1  # stored steps a pixel, for vectors
    in_person_box: bool = True  # shows the same part of the picture as rgb
    lit: bool = False  # becomes brighter and darker with the light
    reads_clips: bool = False  # reads the clips table
    opens_videos: bool = False  # decodes the videos of the corpus
    uses: tuple[str, ...] = ()  # other modalities whose settings its stage uses too
    seconds: float = 10  # of work a clip, at most, for the claims on a cluster
    caption: str = ""  # how to read its pictures
    first_recipe: Mapping[str, str] | None = field(
        default=None, hash=False
    )  # key: YAML text; None: not proposed by init

    @property
    def stored(self) -> str:
        """How it is stored and what that means, as text: all that a stage that makes or reads it depends on."""
        return f"{self.name} {self.codec} {self.dtype} {self.channels} {self.content} {self.unit} {self.lit}"

    @property
    def is_video(self) -> bool:
        """Whether it has frames with pixels."""
        return self.content != "points"


class NetworkSettings(Settings):
    """The settings of a network: a subclass has a ``name``, its ``module`` and what the network ``sees``.

    ``module`` has ``build(settings, channels, classes)``; it is named here and not imported, so that the configuration
    is read without torch, and a stream depends on the code of its own network alone.
    """

    module: ClassVar[str]
    sees: ClassVar[tuple[tuple[str, ...], ...]]  # the inputs that may stand for each argument
    layouts: ClassVar[tuple[str, ...]] = ()  # modules of ``checkpoints`` that read published weights of it

    def check_recipe(self, recipe: "Recipe", inputs: tuple[str, ...], name: str) -> None:
        """Raise ``ValueError`` if the network cannot be trained with a recipe, ``name`` in the configuration."""
