"""The stages that generate a corpus, list its clips and make its shards, in the order in which they are planned."""

from collections.abc import Collection, Iterator, Mapping, Sequence

from ..config.corpora import ClipsStep, DemoStep, ListStep, MeasureStep, SkeletonStep
from ..config.corpus_format import CorpusFormat
from ..config.layouts import LAYOUT_FILES, SelectionChoice, layout_text
from ..config.modalities import MODALITIES, STEPS
from ..config.pose import POSE_METHODS
from ..config.whole import Config
from ..skeletons.files import MODULES
from ..skeletons.selections import selection_named
from .stages import Planned

# The parts of a declaration that a stage uses are in its step, so the stage does not depend on the whole registry.
REGISTRY = "microgesture.config.modalities:MODALITIES"
# People are compared only to refuse a corpus, not to list it.
PEOPLE = "microgesture.measures.people"


def corpus_stages(
    config: Config, name: str, root: str, provides: Collection[str], digests: Mapping[str, str]
) -> Iterator[Planned]:
    """The stages of a corpus before the streams; the corpus is in ``root`` and ``provides`` these sources.

    ``digests`` are those of its listing and of the parts of it. A change of the listing reruns the shards through their
    input files, and everything after them through the digests too, even if the run fails in between.
    """
    corpus, listed = config.corpora[name], []
    if corpus.demo is not None:
        drawing = DemoStep(layout=corpus.format, **corpus.demo.model_dump())
        yield Planned("demo", name, drawing, ["microgesture.demo.corpus", corpus.synthetic_module], [])
        options = corpus.reader_options() | {"allow_shared_subjects": True}  # no person is in two splits of it
        listing = ListStep(corpus=name, format=corpus.format, root=root, shards=config.shards, options=options)
        tables = [corpus.facts] if corpus.facts else []
        readers = ["microgesture.corpora:declare", "microgesture.corpora.listed", corpus.module]
        yield Planned("listed", name, listing, readers, [("demo", name)], [PEOPLE], tables=tables)
        listed = [("listed", name)]
    measuring = MeasureStep(corpus=name, root=root, end_tolerance=corpus.end_tolerance, fps=corpus.fps)
    yield Planned("measured", name, measuring, ["microgesture.corpora:measure", *MODULES], listed)
    for stage, digest in digests.items():
        step = ClipsStep(corpus=name, listing=digest)
        yield Planned(stage, name, step, ["microgesture.corpora.labelled"], [("measured", name)])
    yield from _modalities(config, name, root, provides)


def _modalities(config: Config, name: str, root: str, provides: Collection[str]) -> Iterator[Planned]:
    """The stages that make the skeletons of recordings and the shards of every modality."""
    clips, corpus = [("measured", name)], config.corpora[name]
    layouts, texts = _layouts(corpus)
    if "keypoints" in provides:
        makers = ["microgesture.skeletons.reading", *MODULES]
        if corpus.pose:
            makers = ["microgesture.pose.making", POSE_METHODS[corpus.pose].module]
        rules = {key: getattr(corpus, key) for key in ("normalized", "row_tolerance", "pose", "pose_weights")}
        reading = SkeletonStep(root=root, files=corpus.keypoints, **rules)
        yield Planned("skeletons", name, reading, makers, clips, tables=layouts, declared=texts)
    for modality in MODALITIES.values():
        own = config.modality(modality.name)
        if not own.needs <= set(provides):
            continue
        settings = {used: config.modality(used) for used in (modality.name, *modality.uses)}
        of_corpus = {"root": root, "person": corpus.person}
        step_class = STEPS[modality.name]
        step = step_class(**settings, **{key: of_corpus[key] for key in of_corpus if key in step_class.model_fields})
        above = [
            *(clips if modality.reads_clips else []),
            *((kind, name) for kind in sources(config, modality.name, provides)),
        ]
        without = (REGISTRY, *own.unused_modules)
        declared = [modality.stored]
        declared += [selection_text(config.keypoints.selection)] if "keypoints" in settings else []
        tables, of_files = (layouts, texts) if "skeletons" in own.made_from else ((), ())
        yield Planned(modality.name, name, step, [modality.module], above, without, tables, (*declared, *of_files))


def _layouts(corpus: CorpusFormat) -> tuple[Sequence[str], Sequence[str]]:
    """The tables of layouts on which skeletons depend, as files of the package or as their text.

    These are the layouts that the settings name. Otherwise any layout may be that of a file.
    """
    named = POSE_METHODS[corpus.pose].layouts if corpus.pose else (corpus.keypoints.layout,)
    return (LAYOUT_FILES, ()) if None in named else ((), tuple(map(layout_text, named)))


def selection_text(choice: SelectionChoice) -> str:
    """The joints and limbs of a selection, for the stamps of the stages that use it."""
    selection = selection_named(choice)
    return f"{selection.joints} {selection.edges}"


def sources(config: Config, modality: str, provides: Collection[str]) -> tuple[str, ...]:
    """The kinds of shards that a modality is made from, given what the corpus provides."""
    own = config.modality(modality)
    return (*own.made_from, *(own.made_from_if_there if "keypoints" in provides else ()))
