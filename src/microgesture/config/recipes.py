"""How a stream is trained and tested: all settings but data, network and seed. Does not import torch."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from .base import Settings
from .loss_settings import LossSettings
from .losses import AnyLoss, CrossEntropySettings, SemanticSettings

Angle = Annotated[float, Field(ge=0, le=180)]


class Augmentation(Settings):
    """Augmentation of skeletons in training; by default none."""

    shortest: float = Field(
        1.0, gt=0, le=1, description="smallest fraction of a clip that is used, which varies its speed"
    )
    frames: Literal["even", "random"] = Field(
        "even",
        description="even: about evenly spaced points in time; random: random frames in order, some of them repeated, "
        "as for CTR-GCN on NW-UCLA",
    )
    rotation: float = Field(
        0.0, ge=0, le=180, description="largest rotation in degrees; in space in the picture and about its vertical"
    )
    turns: tuple[Angle, Angle, Angle] | None = Field(
        None,
        description="for points in space, in place of rotation: largest rotations in degrees about the axes to the "
        "right, down and away from the camera; [60, 60, 0] for CTR-GCN on NW-UCLA",
    )
    scale: float = Field(
        0.0, ge=0, lt=1, description="largest fraction by which width and height change, independently"
    )
    shear: float = Field(0.0, ge=0, lt=1, description="largest shear, as a fraction of a length")
    noise: float = Field(
        0.0,
        ge=0,
        description="mean standard deviation of noise on points, in shoulder widths or hand sizes; with the "
        "normalisation box, as a fraction of the box's longest side",
    )
    joint_dropout: float = Field(0.0, ge=0, lt=1, description="fraction of joints hidden throughout a clip")


class Testing(Settings):
    """Settings that only testing uses. The size of inputs is not among them, because validation uses it too."""

    test_flip: bool | None = Field(None, description="average with the mirrored clip in testing; null: as flip")
    num_clips: int = Field(
        10, ge=1, le=1000, description="samplings of a clip in testing, averaged; equal ones are computed once"
    )
    num_crops: Literal[1, 3] = Field(
        1,
        description="crops of a video in testing, averaged: the centre, or both ends too; equal ones are computed once",
    )
    view_average: Literal["probabilities", "logits"] = Field(
        "probabilities",
        description="what is averaged over samplings, crops and both sides in testing; the average of logits is the "
        "geometric mean of probabilities",
    )


class Recipe(Testing):
    """Settings of training and testing.

    Most defaults are those of PoseConv3D (arXiv 2104.13586) in pyskl; ``config/`` has the published recipes.
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

    # input of the network
    frames: int = Field(48, ge=1, le=10_000, description="frames sampled from a clip")
    interval: int | None = Field(
        None,
        ge=1,
        le=10_000,
        description="distance between frames, repeating a short clip; null: spread over the whole clip (PoseConv3D)",
    )
    size: int = Field(56, ge=8, le=4096, description="side of the network's input in pixels")
    heatmap_frames: int | None = Field(
        None, ge=1, le=10_000, description="number of heatmaps beside a video; null: frames"
    )
    heatmap_size: int | None = Field(
        None, ge=8, le=4096, description="side in pixels of the heatmaps beside a video; null: size"
    )
    sigma: float = Field(
        0.6, gt=0, le=1000, description="radius of a joint or limb in a heatmap, in pixels of the input"
    )
    flow_bound: float = Field(
        0.04,
        gt=0,
        description="motion per frame that is scaled to 1, as a fraction of the side; faster is clipped to 1",
    )
    mean: tuple[float, float, float] = Field(
        (123.675, 116.28, 103.53),
        description="mean of each channel (0 to 255), subtracted from images; default: ImageNet's",
    )
    std: tuple[float, float, float] = Field(
        (58.395, 57.12, 57.375),
        description="standard deviation of each channel (0 to 255), by which images are divided; default: ImageNet's",
    )

    normalisation: Literal["neck", "box"] = Field(
        "neck",
        description="of skeletons. neck: relative to the neck in each frame, in shoulder widths; box: the smallest and "
        "the largest value of each axis over the clip become -1 and 1, as for CTR-GCN on NW-UCLA",
    )
    own_hands: bool = Field(
        True,
        description="normalise each hand by its own wrist and size; false: by neck and shoulders; not used by box",
    )

    # augmentation
    crop_area: tuple[float, float] = Field(
        (0.56, 1.0), description="smallest and largest fraction of the image in a random crop"
    )
    flip: bool = Field(True, description="mirror half of the clips in training")
    color_jitter: float = Field(
        0.0, ge=0, lt=1, description="largest fraction by which brightness and contrast of rgb and face change"
    )

    augmentation: Augmentation = Field(Augmentation(), description="augmentation of skeletons")

    # optimisation
    epochs: int = Field(24, ge=1, description="number of epochs, each with a validation and a checkpoint")
    repeats: int = Field(
        1, ge=1, description="times that an epoch contains each clip; 10 as published, for fewer validations"
    )
    batch_size: int = Field(
        32, ge=2, description="maximum number of clips in a step, over all devices; learning_rate refers to it"
    )
    micro_batch_size: int | None = Field(
        None,
        ge=1,
        description="maximum number of clips that one device processes at once, over which batch norm averages; the "
        "gradients of micro-batches are accumulated over a step. null: all clips of a device at once",
    )
    optimizer: Literal["sgd", "adamw"] = Field(
        "sgd", description="sgd with momentum 0.9, or adamw with betas 0.9 and 0.999"
    )
    nesterov: bool = Field(False, description="for sgd: Nesterov momentum, as for 2s-AGCN")
    learning_rate: float = Field(0.05, gt=0, description="maximum learning rate, reached after the warm-up")
    schedule: Literal["cosine", "cosine_by_epoch", "steps"] = Field(
        "cosine",
        description="learning rate. cosine: after the warm-up, a cosine to 0. cosine_by_epoch: a cosine over all "
        "epochs, constant within each, times the warm-up (Video Swin). steps: after the warm-up, a tenth after each of "
        "decay_epochs",
    )
    decay_epochs: tuple[int, ...] = Field((), description="for steps: epochs after which the rate falls to a tenth")
    backbone_scale: float = Field(
        1.0,
        ge=0,
        description="factor of the learning rate for all layers but the head; 0.1 for pretrained Video Swin; in a "
        "stream with fuses, for both networks with their heads",
    )
    layer_decay: float = Field(
        1.0,
        gt=0,
        le=1,
        description="factor of the learning rate from each layer of a transformer to the layer before it; 0.8 for MAMP",
    )
    freeze: Literal["nothing", "backbone"] = Field(
        "nothing",
        description="backbone: train only a new classifier, with all other weights of init; with sampling: balanced "
        "for rare classes",
    )
    weight_decay: float = Field(3e-4, ge=0, description="weight decay of the decayed_parameters")
    decayed_parameters: Literal["matrices", "all_but_norms", "all"] = Field(
        "matrices",
        description="parameters with weight decay. matrices: all but norms, biases and position tables (MViT). "
        "all_but_norms: all but norms and position tables (Video Swin). all: as in pyskl and 2s-AGCN",
    )
    warmup_epochs: float = Field(0.0, ge=0, description="epochs in which the rate rises from a tenth")
    clip_norm: float | None = Field(40.0, gt=0, description="maximum norm of a step's gradient; null: no limit")
    class_weights: Literal["none", "sqrt"] = Field(
        "none", description="sqrt: weight each clip by 1 / sqrt(clips of its class + 1)"
    )
    focal_gamma: float = Field(
        0.0, ge=0, description="gamma of the focal loss, which gives confident clips less weight; 0: cross entropy"
    )
    semantic_weight: float = Field(
        0.0,
        ge=0,
        description="weight of the squared distance between a clip's features and the fixed anchor of its class; 0: "
        "not used, else about the number of features",
    )
    losses: tuple[AnyLoss, ...] | None = Field(
        None,
        min_length=1,
        description="terms of the loss, which are added; null: cross_entropy with class_weights, focal_gamma and "
        "label_smoothing, and semantic if semantic_weight is not 0",
    )
    sampling: Literal["plain", "balanced"] = Field(
        "plain",
        description="balanced: an epoch has equally many clips of each class, and repeats those of rare classes",
    )
    label_smoothing: float = Field(0.0, ge=0, lt=1, description="fraction of the target spread over all classes")
    keep_checkpoint: Literal["best_balanced_accuracy", "best_accuracy", "last"] = Field(
        "best_balanced_accuracy",
        description="the epoch whose weights are kept: the best on val (if several are equal, the one with the lowest "
        "loss), or the last; always the last without val",
    )
    precision: Literal["fp32", "bf16", "fp16"] = Field(
        "fp32", description="precision of the network on a GPU; always fp32 on a CPU"
    )

    # testing
    test_size: int | None = Field(
        None,
        ge=8,
        le=4096,
        description="side of the input in testing; heatmaps beside a video change in proportion; null: size. Random "
        "crops in training enlarge a person: with a size of 56, 64 gives about the same scale in testing",
    )

    @property
    def testing(self) -> Testing:
        """The settings that only testing uses."""
        return Testing(**{key: getattr(self, key) for key in Testing.model_fields})

    def tested(self, testing: Testing | None = None) -> "Recipe":
        """A copy with these settings of testing; None: the default ones, as in training, which does not test."""
        return self.model_copy(update=(testing or Testing()).model_dump())

    def in_testing(self) -> "Recipe":
        """A copy with the sizes and the mirroring of testing."""
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
        """The terms of the loss: ``losses``, or the usual ones with their settings in other keys."""
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
            raise ValueError(f"{given[0]} cannot be combined with losses; set it in a term of losses, or remove it")
        return self

    @model_validator(mode="after")
    def _ranges_are_in_order(self) -> "Recipe":
        low, high = self.crop_area
        if not 0 < low <= high <= 1:
            raise ValueError(f"crop_area must be a range above 0 and at most 1, not {low} to {high}")
        if min(self.std) <= 0:
            raise ValueError(f"std must be above 0, not {self.std}")
        if self.warmup_epochs >= self.epochs:
            raise ValueError(f"warmup_epochs is {self.warmup_epochs}, but must be less than epochs, {self.epochs}")
        if self.nesterov and self.optimizer != "sgd":
            raise ValueError(f"nesterov is for optimizer: sgd, not {self.optimizer}; remove one of them")
        if (self.schedule == "steps") != bool(self.decay_epochs):
            raise ValueError("decay_epochs are required for schedule: steps, and not allowed for any other")
        return self
