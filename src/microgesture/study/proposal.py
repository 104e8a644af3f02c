"""What a first configuration proposes for the clips at hand: streams, and how their weights are found.

The rule is in ``docs/own_clips.md``, and ``benchmarks/first_study.py`` measures it.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from ..config.modalities import HEATMAPS, MODALITIES, VIDEOS

FOLDS = 3
ENOUGH_HELD_OUT = 30  # labelled clips from which temperatures and weights can be fitted
ENOUGH_CLIPS, ENOUGH_PER_CLASS = 200, 20  # of train, for networks that learn shapes and appearance from scratch
SKELETONS = ("skeleton", "bone")  # the network inputs that need the fewest clips
MOTION = ("taylor", "flow")  # the videos that show motion alone
FEW_CLIPS = 500  # labelled clips, below which a network that others have trained is offered
# A ViT-B: 86 million weights of 32 bits.
ENCODER, ENCODER_MB = "MCG-NJU/videomae-base-finetuned-kinetics", 350


@dataclass(frozen=True)
class Data:
    """What is known of the clips: the labels of ``train`` and ``val``, and the kinds of files.

    ``groups`` is the number of people in train and val, or of their recordings if there is one person.
    """

    train: Sequence[str]
    val: Sequence[str]
    groups: int
    video: bool
    keypoints: bool

    @property
    def is_large(self) -> bool:
        """Whether there are clips enough for networks that learn shapes and appearance from scratch."""
        return len(self.train) >= max(ENOUGH_CLIPS, ENOUGH_PER_CLASS * len(set(self.train)))

    @property
    def is_small(self) -> bool:
        """Whether there are so few labelled clips that a head on a pretrained encoder is offered."""
        return len(self.train) + len(self.val) < FEW_CLIPS

    @property
    def folds(self) -> int:
        """The folds of train and val on which weights are fitted; 0 if val suffices, or if no folds are possible."""
        labels = [*self.train, *self.val]
        if len(self.val) >= ENOUGH_HELD_OUT or len(labels) < ENOUGH_HELD_OUT:
            return 0
        often = max(Counter(labels).values())
        found = min(FOLDS, often, self.groups)
        return found if found > 1 else 0

    @property
    def can_weigh(self) -> bool:
        """Whether the weights of streams can be fitted on held-out clips."""
        return len(self.val) >= ENOUGH_HELD_OUT or self.folds > 0


@dataclass(frozen=True)
class Proposal:
    """The proposed streams by family, in the order of the configuration, and the number of folds.

    ``probe`` is the input of a stream with a pretrained encoder, which the configuration has as a comment, because it
    needs a download and an extra; None: there is no such stream.
    """

    skeletons: tuple[str, ...]
    heatmaps: tuple[str, ...]
    videos: tuple[str, ...]
    folds: int
    weighs: bool
    probe: str | None = None

    @property
    def streams(self) -> tuple[str, ...]:
        """All proposed streams."""
        return (*self.skeletons, *self.heatmaps, *self.videos)

    @property
    def weighed(self) -> str:
        """How the weights of the streams are found, as a sentence; empty if they are fitted on val."""
        if self.folds:
            return (
                f"Weights: val has fewer than {ENOUGH_HELD_OUT} labelled clips, so config.yaml has folds: {self.folds} "
                f"and training takes {self.folds + 1} times as long."
            )
        if self.weighs:
            return ""
        return "Weights: too few labelled clips can be held out, so all streams have equal weights."

    @property
    def offered(self) -> str:
        """What the configuration has as a comment, as a sentence; empty if there is nothing."""
        if self.probe is None:
            return ""
        return (
            f"Few clips: fewer than {FEW_CLIPS} have a label, so config.yaml has a pretrained video encoder, as a "
            f"comment. With it, the first run downloads about {ENCODER_MB} MB."
        )


def propose(data: Data) -> Proposal:
    """The streams of a first configuration.

    Streams of several families are mixed only if their weights can be fitted on held-out clips.
    """
    there = {kind for kind, has in (("video", data.video), ("keypoints", data.keypoints)) if has}
    usable = [name for name in VIDEOS if data.video and MODALITIES[name].first_recipe is not None]
    usable = [name for name in usable if MODALITIES[name].settings().needs <= there]
    mixed = data.can_weigh or not data.keypoints
    return Proposal(
        skeletons=SKELETONS if data.keypoints else (),
        heatmaps=HEATMAPS if data.keypoints and data.is_large and data.can_weigh else (),
        videos=tuple(name for name in usable if mixed and (data.is_large or name in MOTION)),
        folds=data.folds,
        weighs=data.can_weigh,
        probe=("rgb_person" if data.keypoints else "rgb") if data.video and data.is_small else None,
    )
