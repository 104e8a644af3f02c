"""The stages that draw, list and cut a corpus, in the order in which they are planned."""

from collections.abc import Collection, Iterator

from ..config.corpora import ClipsStep, DemoStep, SkeletonStep
from ..config.modalities import DepthStep, FaceStep, RgbStep
from ..config.whole import Config
from ..skeletons.files import MODULES
from .stages import Planned

POSE_TABLE = "microgesture/tables/mediapipe.json"


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
        max_quarantined=config.max_quarantined,
        options=corpus.model_dump(mode="json", exclude={"format", "root", "demo"}),
    )
    drawn = [("demo", name)] if corpus.demo else []
    tables = [corpus.facts] if corpus.facts else []
    yield Planned("clips", name, listing, ["microgesture.corpora", corpus.module, *MODULES], drawn, tables=tables)
    yield from _modalities(config, name, root, provides)


def _modalities(config: Config, name: str, root: str, provides: Collection[str]) -> Iterator[Planned]:
    """What networks learn from: keypoints, and the shards of every modality."""
    corpus, rgb = config.corpora[name], config.rgb.model_dump()
    box = clips = [("clips", name)]
    if "keypoints" in provides:
        makers = ["microgesture.pose.making"] if corpus.pose else ["microgesture.skeletons.reading", *MODULES]
        tables = [POSE_TABLE] if corpus.pose else []
        yield Planned("skeletons", name, SkeletonStep(root=root), makers, clips, tables=tables)
        yield Planned("keypoints", name, config.keypoints, ["microgesture.skeletons.keypoints"], [("skeletons", name)])
        box = [("keypoints", name)]
    if "video" in provides:
        yield Planned("rgb", name, RgbStep(root=root, **rgb), ["microgesture.modalities.rgb"], [*clips, *box])
        if "keypoints" in provides:
            face = FaceStep(root=root, **config.face.model_dump())
            yield Planned("face", name, face, ["microgesture.modalities.face"], [*clips, ("skeletons", name)])
        yield Planned("taylor", name, config.taylor, ["microgesture.modalities.taylor"], [("rgb", name)])
        unused = [] if config.flow.is_learned else ["microgesture.modalities.learned_flow"]
        yield Planned("flow", name, config.flow, ["microgesture.modalities.flow"], [("rgb", name)], unused)
    frames = [("rgb", name)] if config.depth.is_learned and "video" in provides else []
    depth = DepthStep(**config.depth.model_dump(), **rgb, **config.keypoints.model_dump())
    unused = [] if config.depth.is_learned else ["microgesture.modalities.learned_depth"]
    yield Planned("depth", name, depth, ["microgesture.modalities.depth"], [*clips, *box, *frames], unused)
