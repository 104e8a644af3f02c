"""The floating-point precision of networks."""

import torch

PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def autocast(precision: str, device: torch.device) -> torch.autocast:
    """A context for a forward pass in "fp32", "bf16" or "fp16" on a GPU; on a CPU always float32, which is faster."""
    mixed = precision != "fp32" and device.type == "cuda"
    return torch.autocast(device.type, PRECISIONS[precision] if mixed else None, enabled=mixed)
