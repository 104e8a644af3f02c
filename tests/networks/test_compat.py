"""Importing torchvision and pytorchvideo, each time in a fresh interpreter."""

import subprocess
import sys

import pytest


def run(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout


@pytest.mark.slow
def test_every_part_of_torchvision_and_pytorchvideo_in_use_imports_after_preparing():
    code = (
        "from microgesture.networks.compat import prepare_torchvision\n"
        "prepare_torchvision(); prepare_torchvision()\n"
        "import torchvision.models.video, pytorchvideo.models, pytorchvideo.transforms\n"
        "import torchvision.transforms.functional_tensor as alias\n"
        "print(alias.rgb_to_grayscale.__name__, torchvision.ops.box_iou.__name__)"
    )
    assert run(code).split() == ["rgb_to_grayscale", "box_iou"]


@pytest.mark.parametrize(
    ("module", "slow"),
    [
        ("config.whole", {"torch", "torchvision", "cv2", "pandas"}),
        ("machine.gpus", {"torch", "torchvision", "cv2", "pandas"}),
        ("workflow.plan", {"torch", "torchvision"}),
    ],
)
def test_what_runs_no_network_is_imported_without_torch(module, slow):
    code = f"import sys, microgesture.{module}; print(*(name for name in {sorted(slow)} if name in sys.modules))"
    assert run(code).split() == []
