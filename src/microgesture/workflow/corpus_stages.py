"""The stages that draw, list and cut a corpus, in the order in which they are planned."""

from collections.abc import Collection, Iterator

from ..config.corpora import ClipsStep, DemoStep, SkeletonStep
from ..config.modalities import MODALITIES, STEPS
from ..config.whole import Config
from ..skeletons.files import MODULES
from .stages import Planned

POSE_TABLE = "microgesture/tables/mediapipe.json"

# What a stage uses of a declaration is part of its step; all the other declarations are not.
REGISTRY = "microgesture.config.modalities:MODALITIES"


def corpus_stages(config: Config, name: str, root: str, provides: Collection[str]) -> Iterator[Planned]:
    """All that can be made of the corpus below ``root``, which has what it ``provides``, before there are streams."""
    corpus = config.corpora[name]
    if corpus.demo is not None:
        drawing = DemoStep(layout=corpus.format, **corpus.demo.model_dump())
        yield Planned("demo", name, drawing, ["microgesture.demo.corpus", corpus.synthetic_module], [])
    listing = ClipsStep(
        corpus=name,
        format=corpus.format,
        root=root,
        shards=config.shards,
        options=corpus.model_dump(mode="json", exclude={"format", "root", "demo", "allow_shared_subjects"}),
    )
    drawn = [("demo", name)] if corpus.demo else []
    tables = [corpus.facts] if corpus.facts else []
    yield Planned("clips", name, listing, ["microgesture.corpora", corpus.module, *MODULES], drawn, tables=tables)
    yield from _modalities(config, name, root, provides)


def _modalities(config: Config, name: str, root: str, provides: Collection[str]) -> Iterator[Planned]:
    """What networks learn from: the skeletons of recordings, and the shards of every modality."""
    clips = [("clips", name)]
    if "keypoints" in provides:
        makers = (
            ["microgesture.pose.making"] if config.corpora[name].pose else ["microgesture.skeletons.reading", *MODULES]
        )
        tables = [POSE_TABLE] if config.corpora[name].pose else []
        yield Planned("skeletons", name, SkeletonStep(root=root), makers, clips, tables=tables)
    for modality in MODALITIES.values():
        own = config.modality(modality.name)
        if not own.needs <= set(provides):
            continue
        settings = {used: config.modality(used) for used in (modality.name, *modality.uses)}
        step = STEPS[modality.name](**settings, **({"root": root} if modality.opens_videos else {}))
        above = [
            *(clips if modality.reads_clips else []),
            *((kind, name) for kind in sources(config, modality.name, provides)),
        ]
        without = (REGISTRY, *own.unused_modules)
        yield Planned(modality.name, name, step, [modality.module], above, without, (), (modality.stored,))


def sources(config: Config, modality: str, provides: Collection[str]) -> tuple[str, ...]:
    """The kinds of shard that a modality of a corpus is made from, given what the corpus provides."""
    own = config.modality(modality)
    return (*own.made_from, *(own.made_from_if_there if "keypoints" in provides else ()))
