"""The precision of numbers that a network computes in."""

import torch

PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def autocast(precision: str, device: torch.device) -> torch.autocast:
    """A context for a forward pass in "fp32", "bf16" or "fp16" on a GPU; in float32 on a CPU, where less is slower."""
    mixed = precision != "fp32" and device.type == "cuda"
    return torch.autocast(device.type, PRECISIONS[precision] if mixed else None, enabled=mixed)
