"""How a stream is trained and tested: everything but the data, the network and the seed. Light: no torch."""

from typing import ClassVar, Literal

from pydantic import Field, model_validator

from .base import Settings
from .loss_settings import LossSettings
from .losses import AnyLoss, CrossEntropySettings, SemanticSettings


class Augmentation(Settings):
    """How far training varies a skeleton; by default not at all."""

    shortest: float = Field(1.0, gt=0, le=1, description="least share of a clip that is shown, which varies its speed")
    rotation: float = Field(0.0, ge=0, le=180, description="largest turn in degrees")
    scale: float = Field(0.0, ge=0, lt=1, description="width and height change by about this share, each by its own")
    shear: float = Field(0.0, ge=0, lt=1, description="largest slant, as a share of a length")
    noise: float = Field(0.0, ge=0, description="spread of the points' own movement, in shoulder widths or hand sizes")
    joint_dropout: float = Field(0.0, ge=0, lt=1, description="share of the joints hidden through a clip")


class Testing(Settings):
    """Settings that only testing uses: what a clip is predicted from, but not its size, which validation has too."""

    test_flip: bool | None = Field(None, description="average over both sides in testing; null: as flip")
    num_clips: int = Field(10, ge=1, description="samplings of a clip in testing, averaged; equal ones are seen once")
    num_crops: Literal[1, 3] = Field(
        1, description="squares of a video's frame in testing, averaged: the middle, or both ends too; equal ones once"
    )


class Recipe(Testing):
    """Settings of training and testing.

    The defaults are PoseConv3D's (arXiv 2104.13586) as pyskl trains it; ``config/`` has the published recipes of the
    video streams.
    """

    renamed: ClassVar[dict[str, str]] = {
        "batch": "batch_size",
        "device_batch": "micro_batch_size",
        "keep": "keep_checkpoint",
        "variation": "augmentation",
        "jitter": "color_jitter",
        "views": "num_clips",
        "crops": "num_crops",
    }

    # what the network sees of a clip
    frames: int = Field(48, ge=1, description="frames sampled from a clip")
    interval: int | None = Field(
        None,
        ge=1,
        description="null: spread over the whole clip (PoseConv3D); a number: that many frames apart, looped",
    )
    size: int = Field(56, ge=8, description="side of the network's input in pixels")
    heatmap_frames: int | None = Field(
        None, ge=1, description="frames of the heatmaps seen beside a video, a multiple of frames; null: as many"
    )
    heatmap_size: int | None = Field(
        None, ge=8, description="side of the heatmaps seen beside a video in pixels; null: size"
    )
    sigma: float = Field(0.6, gt=0, description="radius of a joint's or limb's heatmap in pixels of the input")
    flow_bound: float = Field(
        0.04, gt=0, description="motion a frame that counts as 1, as a share of the input's side; faster is cut to 1"
    )
    mean: tuple[float, float, float] = Field(
        (123.675, 116.28, 103.53), description="of the channels 0 to 255, taken off images; default ImageNet's"
    )
    std: tuple[float, float, float] = Field(
        (58.395, 57.12, 57.375), description="of the channels 0 to 255, that images are divided by; default ImageNet's"
    )

    own_hands: bool = Field(
        True, description="a skeleton's hands lie about their own wrists, in their own size; false: about the neck"
    )

    # how training varies it
    crop_area: tuple[float, float] = Field((0.56, 1.0), description="share of the image in a random crop, from and to")
    flip: bool = Field(True, description="mirror half of the clips in training")
    color_jitter: float = Field(
        0.0, ge=0, lt=1, description="brightness and contrast of rgb and face vary by up to this share, as light does"
    )

    augmentation: Augmentation = Field(Augmentation(), description="of skeletons")

    # how the weights are found
    epochs: int = Field(24, ge=1, description="rounds, each ending in a validation and a checkpoint")
    repeats: int = Field(
        1, ge=1, description="times that a round shows each clip; 10 as published, for fewer validations"
    )
    batch_size: int = Field(
        32, ge=2, description="most clips in a step, over all devices together; learning_rate is meant for it"
    )
    micro_batch_size: int | None = Field(
        None,
        ge=1,
        description="most clips that one device processes at once, over which batch norm averages; the gradients of "
        "micro-batches are added up to those of a step of batch_size clips. null: all clips of a device at once",
    )
    optimizer: Literal["sgd", "adamw"] = Field("sgd", description="sgd has momentum 0.9; adamw has betas 0.9 and 0.999")
    learning_rate: float = Field(0.05, gt=0, description="highest rate, reached after the warm-up")
    schedule: Literal["cosine", "steps"] = Field(
        "cosine", description="of the rate after the warm-up: a cosine to 0, or a tenth after each of decay_epochs"
    )
    decay_epochs: tuple[int, ...] = Field((), description="rounds after which the rate falls to a tenth, for steps")
    backbone_scale: float = Field(
        1.0,
        ge=0,
        description="share of the learning rate for everything but the head; 0.1 for pretrained Video Swin; in a "
        "stream that fuses two it is for both of their networks, heads and all",
    )
    weight_decay: float = Field(3e-4, ge=0, description="not applied to norms, biases and position tables")
    warmup_epochs: float = Field(0.0, ge=0, description="rounds in which the rate rises from a tenth")
    clip_norm: float | None = Field(40.0, gt=0, description="highest norm of a step's gradient; null: any")
    class_weights: Literal["none", "sqrt"] = Field(
        "none", description="sqrt: a clip counts 1 / sqrt(clips of its class + 1)"
    )
    focal_gamma: float = Field(
        0.0, ge=0, description="how much less clips count that are classified surely (focal loss); 0: cross entropy"
    )
    semantic_weight: float = Field(
        0.0,
        ge=0,
        description="of the squared distance of a clip's features to the fixed anchor of its class; of the size of the "
        "number of features, if at all",
    )
    losses: tuple[AnyLoss, ...] | None = Field(
        None,
        min_length=1,
        description="terms of the loss, added up; null: cross_entropy, and semantic if semantic_weight is not 0, as "
        "class_weights, focal_gamma, label_smoothing and semantic_weight say",
    )
    sampling: Literal["plain", "balanced"] = Field(
        "plain", description="balanced: a round shows as many clips of each class, those of rare ones again and again"
    )
    label_smoothing: float = Field(0.0, ge=0, lt=1, description="share of the target spread evenly over all classes")
    keep_checkpoint: Literal["best_balanced_accuracy", "best_accuracy", "last"] = Field(
        "best_balanced_accuracy",
        description="the epoch whose weights are kept, by its result on val (then by the lowest loss), or the last; "
        "without val it is the last",
    )
    precision: Literal["fp32", "bf16", "fp16"] = Field(
        "fp32", description="of the network on a GPU; on a CPU always fp32"
    )

    # how a clip is tested
    test_size: int | None = Field(
        None,
        ge=8,
        description="side of the input in testing, of the heatmaps beside a video in proportion; null: size. "
        "Training's crops show a person larger: 64 for crops of 56 makes both alike",
    )

    @property
    def testing(self) -> Testing:
        """What only predictions depend on."""
        return Testing(**{key: getattr(self, key) for key in Testing.model_fields})

    def tested(self, testing: Testing | None = None) -> "Recipe":
        """The same recipe, tested in another way; None: by default, as a training has it, which does not test."""
        return self.model_copy(update=(testing or Testing()).model_dump())

    def in_testing(self) -> "Recipe":
        """The same with the sizes and the mirroring of testing."""
        size, heatmap_size = self.test_size or self.size, self.heatmap_size
        return self.model_copy(
            update={
                "size": size,
                "heatmap_size": heatmap_size and round(heatmap_size * size / self.size),
                "flip": self.flip if self.test_flip is None else self.test_flip,
            }
        )

    @property
    def loss_terms(self) -> tuple[LossSettings, ...]:
        """The terms of the loss: those of ``losses``, or those that the keys for the usual ones ask for."""
        if self.losses is not None:
            return self.losses
        usual = {key: getattr(self, key) for key in ("class_weights", "focal_gamma", "label_smoothing")}
        semantic = (SemanticSettings(weight=self.semantic_weight),) if self.semantic_weight else ()
        return (CrossEntropySettings(**usual), *semantic)

    @property
    def loss_modules(self) -> tuple[str, ...]:
        """The modules that compute the terms of the loss."""
        return tuple(term.module for term in self.loss_terms)

    @model_validator(mode="after")
    def _losses_stand_alone(self) -> "Recipe":
        usual = ("class_weights", "focal_gamma", "label_smoothing", "semantic_weight")
        given = [key for key in usual if getattr(self, key) != type(self).model_fields[key].default]
        if self.losses is not None and given:
            raise ValueError(f"{given[0]} is a key of a term where losses are given; write it there, or leave it out")
        return self

    @model_validator(mode="after")
    def _ranges_are_in_order(self) -> "Recipe":
        low, high = self.crop_area
        if not 0 < low <= high <= 1:
            raise ValueError(f"crop_area runs from more than 0 to at most 1, not from {low} to {high}")
        if min(self.std) <= 0:
            raise ValueError(f"std must be above 0, not {self.std}")
        if self.warmup_epochs >= self.epochs:
            raise ValueError(f"warmup_epochs is {self.warmup_epochs}, which leaves nothing of {self.epochs} epochs")
        if (self.schedule == "steps") != bool(self.decay_epochs):
            raise ValueError("decay_epochs go with schedule: steps, and only with it")
        if self.heatmap_frames is not None and self.heatmap_frames % self.frames:
            raise ValueError(f"heatmap_frames is {self.heatmap_frames}, which is no multiple of frames, {self.frames}")
        return self
