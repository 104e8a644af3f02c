"""The stage that pretrains a network."""

from ..config.modalities import MODALITIES
from ..config.pretraining import PretrainStep
from ..config.whole import Config
from .corpus_stages import REGISTRY, selection_text
from .stages import Planned


def pretraining_stage(config: Config, name: str) -> Planned:
    """The stage of a pretraining; it depends on the clips of its corpora, but not on their labels."""
    pretraining = config.pretraining[name]
    step = PretrainStep(
        stream=name,
        inputs=(pretraining.input,),
        selection=config.keypoints.selection,
        network=pretraining.network,
        recipe=config.recipes[pretraining.recipe].tested(),
        seed=config.seed,
        masking=pretraining.masking,
    )
    above = [(stage, corpus) for corpus in pretraining.corpora for stage in ("measured", "keypoints")]
    modules = ["microgesture.streams.pretrain", pretraining.network.module]
    declared = (MODALITIES["keypoints"].stored, selection_text(step.selection))
    without = [REGISTRY, "microgesture.streams.weights:start_from_file"]
    return Planned("pretrain", name, step, modules, above, without, (), declared)
