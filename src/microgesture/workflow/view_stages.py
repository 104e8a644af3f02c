"""The stage that draws the contact sheets of a corpus."""

from collections.abc import Collection

from ..config.modalities import HEATMAPS
from ..config.view import HeatmapView, ViewStep
from ..config.whole import Config
from .stages import Planned


def view_stage(config: Config, corpus: str, kinds: Collection[str], ensemble: str | None) -> Planned:
    """The stage that chooses and draws clips of a corpus with shards of these kinds.

    ``ensemble`` is the ensemble whose predictions are shown, None if it is on another corpus.
    """
    above = [("clips", corpus), *((kind, corpus) for kind in kinds)]
    above += [("ensemble", ensemble)] if ensemble else []
    return Planned("view", corpus, _step(config, corpus, kinds, ensemble), ["microgesture.view.choice"], above)


def _step(config: Config, corpus: str, kinds: Collection[str], ensemble: str | None) -> ViewStep:
    """The settings of the sheets; heatmaps are those of the first streams of the corpus with heatmaps as input."""
    heatmaps: dict[str, HeatmapView] = {}
    for stream in config.streams.values():
        seen = [modality for modality in stream.inputs if modality in HEATMAPS and modality not in heatmaps]
        if stream.corpus != corpus or stream.fuses or not seen:
            continue
        recipe, beside_video = config.recipes[stream.recipe].in_testing(), len(stream.inputs) > 1
        size = recipe.heatmap_size or recipe.size if beside_video else recipe.size
        view = HeatmapView(
            size=size, sigma=recipe.sigma, beside_video=beside_video, margin=config.margin_beside(stream)
        )
        heatmaps |= dict.fromkeys(seen, view)
    return ViewStep(
        **config.view.model_dump(),
        kinds=tuple(kinds),
        selection=config.keypoints.selection,
        margin=config.rgb.person_margin,
        rest={kind: rest for kind in kinds if (rest := config.modality(kind).rest) is not None},
        heatmaps=heatmaps,
        ensemble=ensemble,
    )
