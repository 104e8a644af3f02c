"""What torchvision and pytorchvideo need before they can be imported beside a newer or CPU-only torch."""

import functools
import importlib
import importlib.util
import sys

import torch


@functools.cache
def prepare_torchvision() -> None:
    """Make ``import torchvision`` and ``import pytorchvideo`` work; call it before the first of either.

    Two faults are met, and neither remedy does anything where its fault is absent:

    * torchvision registers shape functions for its operators ``nms`` and ``qnms`` even when its compiled library cannot
      be loaded, which is so for its wheels beside a CPU-only torch, and then dies with "operator torchvision::nms does
      not exist". Declaring the two operators lets it import; a call is still refused, and nothing here makes one.
      To be deleted when ``pip install torch torchvision`` for the CPU imports by itself.
    * pytorchvideo 0.1.5 imports ``torchvision.transforms.functional_tensor``, which is private since torchvision 0.17.
      To be deleted with a pytorchvideo release after 0.1.5 (its repository has the fix).
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
    """Declare the operators' signatures; the cache keeps the library alive, and with it the declarations."""
    library = torch.library.Library("torchvision", "FRAGMENT")
    for operator in ("nms", "qnms"):
        library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    return library
