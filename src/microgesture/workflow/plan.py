"""The plan of a run: the settings of each job, and a stamp of everything that the job depends on.

The ``params`` of a rule are the two strings of a ``Step``. With the settings, a changed value reruns exactly the jobs
that use it. With the stamp, all later jobs rerun too, even if the run failed in between.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..config.base import Settings
from ..config.declarations import LAYOUTS
from ..config.ensembles import EnsembleStep, PseudoLabelStep, SubmissionStep
from ..config.measures import AblationRow
from ..config.modalities import HEATMAPS, MODALITIES, SKELETONS, store, with_sources
from ..config.pose import POSE_METHODS
from ..config.streams import Branch, Stream, TrainStep
from ..config.whole import Config, load_config
from ..corpora import provides
from ..errors import InputError
from ..storage.clips import shards_of
from .corpus_stages import REGISTRY, corpus_stages, selection_text, sources
from .emotion_stages import emotion_stages, refuse_missing_shards
from .encoder_stages import encoder_above, encoder_stages
from .listings import clip_videos_version, listing_digests
from .measure_stages import ablation_stage, cross_subject_stage
from .missing_inputs import refuse_missing_inputs
from .prediction_stages import prediction_stages
from .pretraining_stages import pretraining_stage
from .report_stages import report_stage, reported_streams
from .stamps import Sources
from .view_stages import view_stage

SOURCES = Sources(Path(__file__).resolve().parents[2])
# Progress bars, texts for terminals and error classes do not change results.
WITHOUT_EFFECT = ("microgesture.progress", "microgesture.terminal", "microgesture.errors", "microgesture.config.base")
# A step names the module of each entry that it uses, so a new entry reruns no job.
REGISTRIES = (
    "microgesture.config.corpora:FORMATS",
    "microgesture.config.networks:NETWORKS",
    "microgesture.config.losses:LOSSES",
    "microgesture.config.ensembles:FUSION_RULES",
)


@dataclass(frozen=True)
class Step:
    """One kind of job: ``settings`` as canonical JSON, and ``stamp``, a digest of all that its output depends on."""

    settings: str
    stamp: str


class Plan:
    """The steps of a configuration, as read from YAML or validated already.

    Raises ``InputError`` if it is invalid or needs data that a corpus lacks.
    """

    def __init__(self, config: dict[str, Any] | Config, results: str = "results", sources: Sources = SOURCES) -> None:
        self.config: Config = config if isinstance(config, Config) else load_config(config)
        self.results = results
        self._sources = sources
        self._steps: dict[tuple[str, str], Step] = {}
        self._provides = {name: self._look(name) for name in self.config.corpora}
        refuse_missing_inputs(self.config, self._provides, self.root)
        for corpus in self.config.corpora:
            digests = listing_digests(self.config, corpus, results)
            for planned in corpus_stages(self.config, corpus, self.root(corpus), self.provides(corpus), digests):
                self._add(*planned)
        for planned in encoder_stages(self.config):
            self._add(*planned)
        for name in self.config.pretraining:
            self._add(*pretraining_stage(self.config, name))
        for stream in self.config.streams:
            self._plan_stream(stream)
        for ensemble in self.config.ensembles:
            self._plan_ensemble(ensemble)
        self._plan_measures()
        self._plan_submission()
        self._plan_emotion()
        self._plan_report()
        for corpus in self.config.corpora:
            self._plan_views(corpus)
        self._plan_predictions()

    def step(self, stage: str, name: str) -> Step:
        """The step of a stage for the corpus, stream or ensemble ``name``."""
        return self._steps[stage, name]

    def shard_stamp(self, modality: str, corpus: str, shard: str) -> str:
        """The stamp of a shard of a modality, with the versions of the user's own videos that it is made from."""
        stamp, folder = self.step(modality, corpus).stamp, self.config.modality(modality).clips_folder
        return f"{stamp}-{clip_videos_version(self.config, corpus, shard, folder, self.results)}" if folder else stamp

    @property
    def shards(self) -> list[str]:
        """The names of the shards of every corpus."""
        return [f"{shard:04d}" for shard in range(self.config.shards)]

    @property
    def scored(self) -> list[str]:
        """The streams of all ensembles, which need scores."""
        return [name for name in self.config.streams if any(name in e.streams for e in self.config.ensembles.values())]

    @property
    def folds(self) -> list[str]:
        """The names of the folds."""
        return [str(fold) for fold in range(self.config.folds)]

    @property
    def folded(self) -> list[str]:
        """The streams that are trained by folds; see ``folded_for``."""
        return self.folded_for(self.scored)

    def folded_for(self, scored: Iterable[str]) -> list[str]:
        """The streams that are trained by folds for the scores of these: they and their parents on the same corpus.

        A fold must not start from a stream that was trained on its held-out subjects.
        """
        waiting, found = (list(scored) if self.config.folds else []), set()
        while waiting:
            name = waiting.pop()
            found.add(name)
            waiting += [parent for parent in self.config.streams[name].parents if self._same_corpus(name, parent)]
        return [name for name in self.config.streams if name in found]

    @property
    def ablation(self) -> tuple[AblationRow, ...]:
        """The rows of the ablation table: the configured ones, or all that are on the submission's corpus."""
        if self.config.ablation:
            return self.config.ablation
        corpus = self.corpus_of(self.config.submission.ensemble)
        names = [*self.scored, *self.config.ensembles]
        return tuple(AblationRow(name=name) for name in names if self.corpus_of(name) == corpus)

    @property
    def held_out(self) -> tuple[AblationRow, ...]:
        """The rows of ``ablation`` that have held-out clips; all but those whose streams were also trained on val."""
        names = {row.name for row in self.ablation if not self.config.learns_from_val(row.name)}
        rows = [row for row in self.ablation if row.name in names]
        return tuple(row if row.versus in names else row.model_copy(update={"versus": None}) for row in rows)

    @property
    def reported(self) -> list[str]:
        """The streams whose training the report shows."""
        return reported_streams(self.config, [row.name for row in self.ablation])

    @property
    def framed(self) -> str | None:
        """The corpus whose frames the report shows, or None."""
        corpus = self.corpus_of(self.config.submission.ensemble)
        return corpus if self.config.report.frames and "video" in self.provides(corpus) else None

    def corpus_of(self, name: str) -> str:
        """The corpus of a stream or an ensemble."""
        stream = self.config.ensembles[name].streams[0] if name in self.config.ensembles else name
        return self.config.streams[stream].corpus

    def groups_of(self, name: str) -> dict[str, tuple[str, ...]]:
        """The groups of classes of the corpus of a stream or an ensemble."""
        return self.config.corpora[self.corpus_of(name)].class_groups

    @property
    def ranked(self) -> bool:
        """Whether the challenge of the submission's corpus asks for ranked predictions."""
        return self.config.corpora[self.corpus_of(self.config.submission.ensemble)].ranked

    def fold_parents(self, stream: str) -> dict[str, bool]:
        """The streams that a fold of a stream starts from, and whether from the same fold of them."""
        return {parent: self._same_corpus(stream, parent) for parent in self.config.streams[stream].parents}

    def root(self, corpus: str) -> str:
        """The folder from which a corpus is read."""
        settings = self.config.corpora[corpus]
        return settings.root if settings.demo is None else f"{self.results}/demo/{corpus}"

    @property
    def posed(self) -> list[str]:
        """The corpora with keypoints found in their videos."""
        return [name for name, corpus in self.config.corpora.items() if corpus.pose]

    def provides(self, corpus: str) -> frozenset[str]:
        """The sources of a corpus: ``video``, ``keypoints``, and ``metres`` if its keypoints have 3-D coordinates."""
        return self._provides[corpus]

    def trained_on(self, stream: str) -> str | None:
        """The part of the corpus on which a stream is trained; None for all, if it uses pseudo-labels of test clips."""
        return None if self.config.streams[stream].pseudo_labels else "train"

    def shards_of(self, part: str | None) -> list[str]:
        """The names of the shards of a part of every corpus, or of all."""
        return self.shards if part is None else [f"{shard:04d}" for shard in shards_of(part, self.config.shards)]

    def stores(self, stream: str) -> list[str]:
        """The kinds of shards on which a stream is trained."""
        wanted = {store(modality) for modality in self.config.streams[stream].inputs}
        return [kind for kind in MODALITIES if kind in wanted]

    def kinds(self, corpus: str) -> list[str]:
        """The kinds of shards of a corpus that streams need, directly or through other kinds."""
        streams = [name for name, stream in self.config.streams.items() if stream.corpus == corpus]
        wanted = {kind for name in streams for kind in self.stores(name)}
        wanted |= {"keypoints" for pretraining in self.config.pretraining.values() if corpus in pretraining.corpora}
        emotion = self.config.emotion
        if emotion and emotion.corpus == corpus:
            wanted.update(kind for row in emotion.rows for kind in emotion.shards_of(row))
        if corpus == self.framed:
            wanted.add("rgb")
        return with_sources(wanted, lambda kind: self.sources(kind, corpus))

    def shown(self, corpus: str) -> list[str]:
        """The kinds of shards from which contact sheets are made; skeletons have everybody in a clip."""
        kinds = self.kinds(corpus)
        return [*(["skeletons"] if "keypoints" in kinds else []), *kinds]

    def sources(self, kind: str, corpus: str) -> tuple[str, ...]:
        """The kinds of shards that a modality of a corpus is made from."""
        return sources(self.config, kind, self.provides(corpus))

    def _look(self, corpus: str) -> frozenset[str]:
        settings = self.config.corpora[corpus]
        if settings.demo is not None:
            found = settings.synthetic_sources
        else:
            found = provides(settings.format, self.root(corpus), **settings.own_options())
        if settings.pose is None:
            return found
        if found != {"video"}:
            trouble = "already has keypoints" if "keypoints" in found else "has no video in which to find keypoints"
            raise InputError(f"corpus '{corpus}' ({self.root(corpus)}) {trouble}; remove corpora.{corpus}.pose")
        return found | {"keypoints"} | ({"metres"} if POSE_METHODS[settings.pose].in_space else set())

    def _same_corpus(self, one: str, other: str) -> bool:
        return self.config.streams[one].corpus == self.config.streams[other].corpus

    def _plan_stream(self, name: str) -> None:
        """Plan a stream, its parents and the ensemble with its pseudo-labels, unless this is done already."""
        if ("train", name) in self._steps:
            return
        stream = self.config.streams[name]
        for parent in stream.parents:
            self._plan_stream(parent)
        if stream.pseudo_labels:
            self._plan_ensemble(stream.pseudo_labels)
        fused = [self.config.streams[parent] for parent in stream.fuses or ()]
        branches = tuple(Branch(network=one.network, recipe=self.config.recipes[one.recipe].tested()) for one in fused)
        keypoints = any(modality in (*HEATMAPS, *SKELETONS) for modality in stream.inputs)
        step = TrainStep(
            stream=name,
            inputs=stream.inputs,
            selection=self.config.keypoints.selection if keypoints else None,
            margin=None if fused else self.config.margin_beside(stream),
            flow_encoding=self.config.flow.encoding if "flow" in stream.inputs else "vectors",
            network=stream.network,
            branches=branches or None,
            recipe=self.config.recipes[stream.recipe],
            seed=self.config.seed,
            weights=stream.weights,
            pseudo_labels=stream.pseudo_labels,
        )
        part = step.model_copy(update={"folds": self.config.folds})
        data = [(kind, stream.corpus) for kind in self.stores(name)]
        data += encoder_above(self.config, name)
        clips, part_clips = ("clips", stream.corpus), ("train_clips", stream.corpus)
        labels = [("pseudo_labels", stream.pseudo_labels)] if stream.pseudo_labels else []
        networks = [one.network.module for one in (stream, *fused)]
        declared = [MODALITIES[kind].stored for kind in self.stores(name)]
        declared += [selection_text(step.selection)] if keypoints else []

        def add(
            stage: str,
            step: TrainStep,
            modules: list[str],
            upstream: list[tuple[str, str]],
            without: Iterable[str] = (),
        ) -> None:
            self._add(stage, name, step, [*modules, *networks], [*data, *upstream], [REGISTRY, *without], (), declared)

        def add_training(stage: str, step: TrainStep, upstream: list[tuple[str, str]]) -> None:
            trained = step.model_copy(update={"recipe": step.recipe.tested()})
            modules = ["microgesture.streams.train", *step.recipe.loss_modules]
            seen = clips if stage == "train" and self.trained_on(name) is None else part_clips
            add(stage, trained, modules, [seen, *upstream], _other_weights(stream))

        pretrained = [("pretrain", stream.pretraining)] if stream.pretraining else []
        add_training("train", step, [*(("train", parent) for parent in stream.parents), *pretrained, *labels])
        add("predict", step, ["microgesture.streams.predict"], [clips, ("train", name)])
        if self.config.emotion and name in self.config.emotion.streams:
            add("embed", step, ["microgesture.emotion.embeddings"], [clips, ("train", name)])
        if name in self.folded:
            parents = self.fold_parents(name).items()
            above = [("train_fold" if same else "train", parent) for parent, same in parents]
            add_training("train_fold", part, [*above, *pretrained])
            add("predict_fold", part, ["microgesture.streams.predict"], [part_clips, ("train_fold", name)])

    def _plan_ensemble(self, name: str) -> None:
        """Plan an ensemble and its streams, unless this is done already."""
        if ("ensemble", name) in self._steps:
            return
        ensemble = self.config.ensembles[name]
        for stream in ensemble.streams:
            self._plan_stream(stream)
        if ensemble.calibration_from:
            self._plan_ensemble(ensemble.calibration_from)
        step = EnsembleStep(
            **ensemble.model_dump(exclude={"pseudo_labels"}),
            folds=self.config.folds,
            learns_from_val=self.config.learns_from_val(name),
        )
        clips = ("clips", self.corpus_of(name))
        stages = ("predict", "predict_fold") if self.config.folds else ("predict",)
        scores = [(stage, stream) for stream in ensemble.streams for stage in stages]
        calibration_from = [("ensemble", ensemble.calibration_from)] if ensemble.calibration_from else []
        self._add(
            "ensemble",
            name,
            step,
            ["microgesture.ensembles.ensemble", ensemble.rule.module],
            [clips, *scores, *calibration_from],
        )
        if name not in {stream.pseudo_labels for stream in self.config.streams.values()}:
            return
        label = PseudoLabelStep(**ensemble.pseudo_labels.model_dump(), streams=ensemble.streams)
        modules = ["microgesture.ensembles.pseudo_labels", ensemble.rule.module]
        self._add("pseudo_labels", name, label, modules, [("ensemble", name)])

    def _plan_measures(self) -> None:
        """Plan the tables of the ablation, whose rows are all on one corpus."""
        rows, held_out = self.ablation, self.held_out
        left_out = tuple(row.name for row in rows if row.name not in {row.name for row in held_out})
        about = self.corpus_of(rows[0].name), self.groups_of(rows[0].name)
        self._add(*ablation_stage(self.config, held_out, left_out, *about))
        if self.config.ground_truth is not None:
            self._add(*cross_subject_stage(self.config, rows, *about))

    def _plan_submission(self) -> None:
        submission = self.config.submission
        groups = self.groups_of(submission.ensemble) if self.ranked else {}
        step = SubmissionStep(**submission.model_dump(), groups=groups)
        ensemble = [("ensemble", submission.ensemble)]
        self._add("submission", submission.ensemble, step, ["microgesture.ensembles.submission"], ensemble)

    def _plan_emotion(self) -> None:
        """Plan emotion recognition: the list of videos, every row of sources, their tables, and the submission."""
        emotion = self.config.emotion
        if emotion is None:
            return
        root = self.root(emotion.corpus)
        refuse_missing_shards(self.config, root, {kind for kind, corpus in self._steps if corpus == emotion.corpus})
        for planned in emotion_stages(emotion, root, self.config.seed, self.config.keypoints.selection):
            self._add(*planned)

    def _plan_views(self, corpus: str) -> None:
        ensemble = self.config.submission.ensemble
        shown = ensemble if self.corpus_of(ensemble) == corpus else None
        self._add(*view_stage(self.config, corpus, self.kinds(corpus), shown))

    def _plan_report(self) -> None:
        """Plan the report."""
        root = self.root(self.corpus_of(self.config.submission.ensemble))
        self._add(*report_stage(self.config, self.reported, self.framed, root))

    def _plan_predictions(self) -> None:
        if self.config.predictions:
            for planned in prediction_stages(self.config, self.config.predictions):
                self._add(*planned)

    def _add(
        self,
        stage: str,
        name: str,
        settings: Settings,
        modules: Iterable[str],
        upstream: Iterable[tuple[str, str]],
        without: Iterable[str] = (),
        tables: Iterable[str] = (),
        declared: Iterable[str] = (),
    ) -> None:
        canonical = json.dumps(settings.model_dump(mode="json"), sort_keys=True)
        try:
            code = self._sources.digest(modules, without={*WITHOUT_EFFECT, *REGISTRIES, *without}, files=tables)
        except ModuleNotFoundError as error:
            raise InputError(
                f"{stage} {name}: {error}; correct `module` in the declaration of the modality, network, "
                "corpus format, loss or fusion rule, or install its package"
            ) from error
        parts = json.dumps([stage, name, canonical, code, [self._steps[step].stamp for step in upstream], *declared])
        self._steps[stage, name] = Step(canonical, hashlib.sha256(parts.encode()).hexdigest()[:12])


def _other_weights(stream: Stream) -> list[str]:
    """The code that reads published weights of other networks, or of all networks if the stream uses none."""
    if stream.weights is None:
        return ["microgesture.streams.weights:start_from_file"]
    return [f"microgesture.checkpoints.{layout}" for layout in LAYOUTS if layout not in stream.network.layouts]
