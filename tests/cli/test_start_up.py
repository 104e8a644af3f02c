"""Each job of a run starts a process, which loads only the packages that it needs."""

import json
import subprocess
import sys

SLOW = {"av", "cv2", "numba", "pandas", "pyarrow", "scipy.stats", "sklearn", "torch", "torchvision"}
CODE = f"""
import importlib, json, sys
steps = []
for modules in json.loads(sys.argv[1]):
    for module in modules:
        importlib.import_module("microgesture." + module)
    steps.append(sorted(set({sorted(SLOW)!r}).intersection(sys.modules)))
print(json.dumps(steps))
"""


def test_slow_packages_are_loaded_only_by_the_commands_that_need_them():
    """What ``--help``, a shard of a modality without a network, and a training without heatmaps load."""
    steps = (
        ["cli"],
        ["modalities.keypoints", "modalities.rgb", "modalities.work"],
        ["machine.resources", "networks", "streams.crash", "streams.predict", "streams.pretrain", "streams.train"],
    )
    ran = subprocess.run([sys.executable, "-c", CODE, json.dumps(steps)], capture_output=True, text=True, check=True)
    of_help, of_a_shard, of_a_training = map(set, json.loads(ran.stdout))
    assert not of_help
    assert not of_a_shard & {"numba", "scipy.stats", "sklearn", "torch", "torchvision"}
    assert not of_a_training & {"numba", "scipy.stats", "sklearn", "torchvision"}
    assert "torch" in of_a_training
