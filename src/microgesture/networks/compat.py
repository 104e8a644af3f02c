"""Workarounds that allow torchvision and pytorchvideo to be imported with a newer or CPU-only torch."""

import functools
import importlib
import importlib.util
import sys

import torch


@functools.cache
def prepare_torchvision() -> None:
    """Make ``import torchvision`` and ``import pytorchvideo`` work; call it before the first import of either.

    It works around two bugs. Each workaround has no effect where its bug is absent.

    * torchvision registers shape functions for its operators ``nms`` and ``qnms`` even if it cannot load its compiled
      library, as with its wheels beside a CPU-only torch. The import then fails with "operator torchvision::nms does
      not exist". It succeeds once the two operators are declared. They still cannot be called; this package does not
      use them. Delete this when ``pip install torch torchvision`` for the CPU can be imported without it.
    * pytorchvideo 0.1.5 imports ``torchvision.transforms.functional_tensor``, which is private since torchvision 0.17.
      Delete this after the next release of pytorchvideo (its repository has the fix).
    """
    try:
        importlib.import_module("torchvision")
    except RuntimeError as error:
        if "does not exist" not in str(error):
            raise
        for module in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
            del sys.modules[module]
        _declare_operators()
        importlib.import_module("torchvision")
    if importlib.util.find_spec("torchvision.transforms.functional_tensor") is None:
        functional = importlib.import_module("torchvision.transforms._functional_tensor")
        sys.modules["torchvision.transforms.functional_tensor"] = functional


@functools.cache
def _declare_operators() -> torch.library.Library:
    """Declare the operators' signatures; they exist while the library does, and the cache keeps it alive."""
    library = torch.library.Library("torchvision", "FRAGMENT")
    for operator in ("nms", "qnms"):
        library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    return library
