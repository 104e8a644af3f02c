"""What each job of the workflow depends on: its own settings, its code and, through their stamps, everything upstream.

A rule's ``params`` are the two strings that a ``Step`` holds. The settings make a changed value rerun exactly the jobs
that use it; the stamp makes every job after it rerun too, even if the run failed half-way in between.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .config import Config, CorpusBase, Stream, load_config
from .corpora import FORMATS, provides
from .errors import InputError
from .settings import Settings
from .stamps import code_digest
from .steps import ClipsStep, DemoStep, DepthStep, RgbStep, SkeletonStep
from .stream import TrainStep

SOURCE = Path(__file__).resolve().parent.parent
HEATMAPS = ("joint", "limb")
KINDS = ("keypoints", "rgb", "taylor", "flow", "depth")
# Progress bars and error classes have no part in any result.
WITHOUT_EFFECT = ("microgesture.progress", "microgesture.errors")
# What a drawn corpus will have, before it is drawn.
DRAWN = {"miga": frozenset({"video", "keypoints"}), "ma52": frozenset({"video"})}
# Facts about a release that its reader takes from a table.
TABLES = {"miga": "microgesture/tables/imigue.json", "ma52": "microgesture/tables/ma52.json"}


@dataclass(frozen=True)
class Step:
    """One kind of job: ``settings`` as canonical JSON, and ``stamp``, a digest of all that its output depends on."""

    settings: str
    stamp: str


class Plan:
    """The steps of a configuration; raises ``InputError`` if it makes no sense or asks a corpus for what it lacks."""

    def __init__(self, raw: dict[str, Any], results: str = "results") -> None:
        self.config: Config = load_config(raw)
        self.results = results
        self._steps: dict[tuple[str, str], Step] = {}
        self._provides = {name: self._look(name) for name in self.config.corpora}
        self._refuse_missing_inputs()
        for corpus in self.config.corpora:
            self._plan_corpus(corpus)
        for stream in self._in_order_of_init():
            self._plan_stream(stream)
        for ensemble in self.config.ensembles:
            self._plan_ensemble(ensemble)
        self._plan_submission()

    def step(self, stage: str, name: str) -> Step:
        """The step of a stage for the corpus, stream or ensemble ``name``."""
        return self._steps[stage, name]

    @property
    def shards(self) -> list[str]:
        """The names of the shards of every corpus."""
        return [f"{shard:04d}" for shard in range(self.config.shards)]

    @property
    def scored(self) -> list[str]:
        """The streams that some ensemble wants scores of."""
        return [name for name in self.config.streams if any(name in e.streams for e in self.config.ensembles.values())]

    def root(self, corpus: str) -> str:
        """The folder a corpus is read from."""
        settings = self.config.corpora[corpus]
        return settings.root if settings.demo is None else f"{self.results}/demo/{corpus}"

    def provides(self, corpus: str) -> frozenset[str]:
        """What a corpus has: ``video``, ``keypoints`` or both."""
        return self._provides[corpus]

    def store(self, stream: str) -> str:
        """The kind of shard that a stream is trained on: ``keypoints`` or a kind of video."""
        wanted = self.config.streams[stream].input
        return "keypoints" if wanted in HEATMAPS else wanted

    def kinds(self, corpus: str) -> list[str]:
        """The kinds of shard that some stream, or another kind that one needs, wants of a corpus."""
        wanted = {self.store(name) for name, stream in self.config.streams.items() if stream.corpus == corpus}
        if wanted & {"taylor", "flow"}:
            wanted.add("rgb")
        if wanted & {"rgb", "depth"} and "keypoints" in self.provides(corpus):
            wanted.add("keypoints")
        return [kind for kind in KINDS if kind in wanted]

    def _look(self, corpus: str) -> frozenset[str]:
        settings = self.config.corpora[corpus]
        if settings.demo is not None:
            return DRAWN[settings.format]
        options = settings.model_dump(exclude={*CorpusBase.model_fields, "format"})
        return provides(settings.format, self.root(corpus), **options)

    def _refuse_missing_inputs(self) -> None:
        for name, stream in self.config.streams.items():
            needed = self._needed_from_corpus(stream)
            if needed not in self.provides(stream.corpus):
                raise InputError(
                    f"stream '{name}' needs {needed}, but corpus '{stream.corpus}' "
                    f"({self.root(stream.corpus)}) has none; remove the stream from the configuration"
                )

    def _needed_from_corpus(self, stream: Stream) -> str:
        from_skeleton = stream.input in HEATMAPS or (
            stream.input == "depth" and self.config.depth.backend == "skeleton"
        )
        return "keypoints" if from_skeleton else "video"

    def _in_order_of_init(self) -> list[str]:
        ordered: list[str] = []

        def add(name: str) -> None:
            init = self.config.streams[name].init
            if init is not None:
                add(init)
            if name not in ordered:
                ordered.append(name)

        for name in self.config.streams:
            add(name)
        return ordered

    def _plan_corpus(self, name: str) -> None:
        config, corpus = self.config, self.config.corpora[name]
        if corpus.demo is not None:
            drawing = DemoStep(layout=corpus.format, **corpus.demo.model_dump())
            self._add("demo", name, drawing, ["microgesture.demo.corpus"], [])
        root = self.root(name)
        listing = ClipsStep(
            corpus=name,
            format=corpus.format,
            root=root,
            shards=config.shards,
            max_quarantined=config.max_quarantined,
            options=corpus.model_dump(mode="json", exclude={"format", "root", "demo"}),
        )
        other_readers = [f"microgesture.corpora.{reader}" for reader in FORMATS if reader != corpus.format]
        drawn = [("demo", name)] if corpus.demo else []
        tables = [TABLES[corpus.format]] if corpus.format in TABLES else []
        self._add("clips", name, listing, ["microgesture.corpora"], drawn, without=other_readers, tables=tables)

        rgb, selection = config.rgb.model_dump(), config.keypoints.model_dump()
        box = clips = [("clips", name)]
        if "keypoints" in self.provides(name):
            self._add("skeletons", name, SkeletonStep(root=root), ["microgesture.skeletons"], clips)
            self._add("keypoints", name, config.keypoints, ["microgesture.keypoints"], [("skeletons", name)])
            box = [("keypoints", name)]
        if "video" in self.provides(name):
            self._add("rgb", name, RgbStep(root=root, **rgb), ["microgesture.modalities.rgb"], [*clips, *box])
            self._add("taylor", name, config.taylor, ["microgesture.modalities.taylor"], [("rgb", name)])
            self._add("flow", name, config.flow, ["microgesture.modalities.flow"], [("rgb", name)])
        depth = DepthStep(**config.depth.model_dump(), **rgb, **selection)
        self._add("depth", name, depth, ["microgesture.modalities.depth"], [*clips, *box])

    def _plan_stream(self, name: str) -> None:
        stream = self.config.streams[name]
        step = TrainStep(
            stream=name,
            input=stream.input,
            selection=self.config.keypoints.selection if stream.input in HEATMAPS else None,
            network=stream.network,
            recipe=self.config.recipes[stream.recipe],
            seed=self.config.seed,
            max_quarantined=self.config.max_quarantined,
        )
        data = [("clips", stream.corpus), (self.store(name), stream.corpus)]
        network = f"microgesture.networks.{stream.network.name}"
        init = [("train", stream.init)] if stream.init is not None else []
        self._add("train", name, step, ["microgesture.train", network], [*data, *init])
        self._add("predict", name, step, ["microgesture.predict", network], [*data, ("train", name)])

    def _plan_ensemble(self, name: str) -> None:
        ensemble = self.config.ensembles[name]
        clips = ("clips", self.config.streams[ensemble.streams[0]].corpus)
        scores = [("predict", stream) for stream in ensemble.streams]
        self._add("ensemble", name, ensemble, ["microgesture.ensemble"], [clips, *scores])

    def _plan_submission(self) -> None:
        submission = self.config.submission
        ensemble = [("ensemble", submission.ensemble)]
        self._add("submission", submission.ensemble, submission, ["microgesture.submission"], ensemble)

    def _add(
        self,
        stage: str,
        name: str,
        settings: Settings,
        modules: list[str],
        upstream: Iterable[tuple[str, str]],
        without: Iterable[str] = (),
        tables: Iterable[str] = (),
    ) -> None:
        canonical = json.dumps(settings.model_dump(mode="json"), sort_keys=True)
        code = code_digest(SOURCE, modules, without={*WITHOUT_EFFECT, *without}, files=tables)
        parts = json.dumps([stage, name, canonical, code, [self._steps[step].stamp for step in upstream]])
        self._steps[stage, name] = Step(canonical, hashlib.sha256(parts.encode()).hexdigest()[:12])
