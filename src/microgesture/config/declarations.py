"""Declarations of modalities and networks: everything that other packages use of one, in one place.

An extension package imports this module and ``config.base``, or the modules of other declarations
(``corpus_format``, ``loss_settings``, ``fusion_rule``). It registers its declarations in the
entry-point group ``microgesture`` (see ``extensions``).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Literal

from .base import Settings

if TYPE_CHECKING:
    from .recipes import Recipe


# Modules of ``checkpoints`` that read published weights. Each network names those that it uses.
LAYOUTS = ("mvit", "resnet", "swin", "swinface")

WIDEST = 4096  # channels of a first layer or a stage of a network
HEAD_DROPOUT = "fraction of the features dropped before the classifier in training"


class ModalitySettings(Settings):
    """Settings of a modality, and properties that depend on them. The defaults are for a modality made from rgb."""

    @property
    def needs(self) -> frozenset[str]:
        """What the corpus must have: ``video``, ``keypoints`` or both."""
        return frozenset({"video"})

    @property
    def made_from(self) -> tuple[str, ...]:
        """The kinds of shards that the stage reads: modalities, or ``skeletons`` for whole recordings."""
        return ("rgb",)

    @property
    def made_from_if_there(self) -> tuple[str, ...]:
        """Further kinds of shards that the stage reads if the corpus has keypoints."""
        return ()

    @property
    def is_learned(self) -> bool:
        """Whether a network computes it, on a GPU if there is one."""
        return False

    @property
    def unused_modules(self) -> tuple[str, ...]:
        """Modules of the stage that these settings do not use; a change of their code does not rerun the stage."""
        return ()

    @property
    def weights_file(self) -> str | None:
        """The weights of that network, a file or a published name; None if there are none to track."""
        return None

    @property
    def files(self) -> dict[str, str | None]:
        """The files and folders in the settings, by key; ``doctor`` checks that they exist."""
        return {}

    @property
    def clips_folder(self) -> str | None:
        """A folder in which the user has a video ``<clip_id>.mp4`` of each clip; None if there is none."""
        return None

    @property
    def package(self) -> tuple[str, str] | None:
        """The package that it needs, and the extra of this project that installs it; None if it needs no extra."""
        return None

    @property
    def portable_backend(self) -> str | None:
        """The ``backend`` that an exported recogniser needs for new videos; None if the current one works."""
        return None

    @property
    def rest(self) -> int | None:
        """The stored value that means no motion: 0, or 128 where changes have a sign.

        ``view`` brightens pictures away from it, because most values are close to it. With None, pictures are shown as
        stored. Networks do not use it: their recipe's ``mean`` and ``std`` normalise the images.
        """
        return None


@dataclass(frozen=True)
class Modality:
    """A kind of data that the workflow stores for each clip, as ``results/<name>/<corpus>/<shard>.arrow``.

    ``module`` is the name of a module with a function ``make(work: modalities.work.Work)``, which writes the shard
    ``work.output``. Its arrays must have the declared ``dtype``, ``channels`` and ``codec``: frames are (T, H, W, C),
    or (T, H, W) without a channel axis for one channel; points are (T, V, C). The module is not imported here, because
    it may import torch or OpenCV, and because a stage depends only on the code of its own module. This declaration
    defines the key of the configuration, the rule, the subcommand, the steps of the plan, and how streams, recogniser,
    ``view`` and report use the modality.
    """

    name: str
    label: str  # its name in messages, such as "optical flow"
    module: str
    settings: type[ModalitySettings]
    codec: Literal["jpeg", "raw", "zstd", "zstd_clip"]
    dtype: str = "uint8"  # of stored values
    channels: int = 3  # of a stored frame; 1: frames (H, W) without a channel axis, which networks see three times
    content: Literal["image", "vectors", "points"] = "image"  # vectors: u, v; mirroring changes the sign of u
    unit: int = 1  # stored steps per pixel, for vectors
    framed_as: str | None = "rgb"  # the modality whose settings say which part of the frame it shows; None: none
    lit: bool = False  # its brightness depends on the lighting
    reads_clips: bool = False  # reads the clips table
    opens_videos: bool = False  # decodes the videos of the corpus
    uses: tuple[str, ...] = ()  # other modalities whose settings its stage also uses
    seconds: float = 10  # longest time per clip, for jobs on a cluster
    caption: str = ""  # how to read its pictures
    # The keys that the recipe of its stream has in a configuration written by ``init``, with their values as YAML text.
    # {}: a stream with the common recipe of videos; None: no stream.
    first_recipe: Mapping[str, str] | None = field(default=None, hash=False)

    @property
    def stored(self) -> str:
        """The storage format as text, for the stamps of all stages that make or read it."""
        return f"{self.name} {self.codec} {self.dtype} {self.channels} {self.content} {self.unit} {self.lit}"

    @property
    def is_video(self) -> bool:
        """Whether it has frames with pixels."""
        return self.content != "points"


class NetworkSettings(Settings):
    """The settings of a network. A subclass has a ``name``, a ``module``, and accepted inputs (``sees``).

    ``module`` is the name of a module with a function ``build(settings, channels, classes)``. If ``sees`` contains a
    skeleton, ``build`` has a fourth argument, ``selection``, a ``skeletons.selections.Selection``. ``channels`` has the
    number of channels of each input: 3 for every video, also for one with one or two stored channels. The module is not
    imported here, so that the configuration can be read without torch, and a stream depends only on the code of its own
    network. ``networks`` describes what a network must have.
    """

    module: ClassVar[str]
    sees: ClassVar[tuple[tuple[str, ...], ...]]  # the accepted inputs of each argument
    paths: ClassVar[int] = 1  # its classifiers, each with logits and a loss of its own
    layouts: ClassVar[tuple[str, ...]] = LAYOUTS  # those in which weights of it are published; all, if unknown
    has_layers: ClassVar[bool] = False  # whether it has ``layer_of`` and ``layers``, for the recipe's layer_decay
    has_encoder: ClassVar[bool] = False  # whether ``build`` has a last argument, ``encoder``, a config.encoders.Encoder

    @property
    def sees_features(self) -> bool:
        """Whether the tokens of its encoder are computed once, by a stage of their own, and stored."""
        return False

    @property
    def package(self) -> tuple[tuple[str, ...], str] | None:
        """The packages that it needs, and the extra of this project that installs them; None if it needs no extra."""
        return None

    def check_recipe(self, recipe: "Recipe", inputs: tuple[str, ...], name: str) -> None:
        """Raise ``ValueError`` if the network cannot be trained with a recipe, ``name`` in the configuration."""
