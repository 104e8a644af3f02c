"""Two runs from nothing, and runs on fewer and more cores: the same bytes on one machine."""

import copy
import hashlib

import pytest

from fixtures.project import RECIPE, SWIN, TINY, Project

pytestmark = pytest.mark.slow

STREAMS = ("joint", "rgb", "taylor")


def config():
    """The tiny corpus, streams of heatmaps and of two kinds of video, and an ensemble whose weights are searched."""
    changed = copy.deepcopy(TINY)
    changed["threads"] = 1
    changed["recipes"] = {name: RECIPE | {"epochs": 2} for name in STREAMS}
    changed["streams"] = {"joint": TINY["streams"]["joint"]}
    for name in ("rgb", "taylor"):
        changed["streams"][name] = {"corpus": "imigue", "input": name, "network": SWIN, "recipe": name}
    changed["ensembles"] = {"final": {"streams": list(STREAMS), "weights": "search", "calibrate": True}}
    return changed


def results_of(folder, cores):
    """A digest of each result of a run from nothing, by its path; logs and times are none."""
    project = Project(folder, config())
    project.run(cores=cores)
    kinds = ("csv", "arrow", "parquet", "safetensors")
    files = [path for kind in kinds for path in sorted((folder / "results").glob(f"**/*.{kind}"))]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_two_runs_on_four_cores_and_one_on_one_core_give_the_same_bytes(tmp_path):
    first = results_of(tmp_path / "first", cores=4)
    assert {f"results/streams/{name}/model.safetensors" for name in STREAMS} < set(first)
    assert "results/submission.csv" in first
    for name, cores in {"again": 4, "one_core": 1}.items():
        assert results_of(tmp_path / name, cores) == first, name
