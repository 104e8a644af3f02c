"""Optical flow as a picture: hue is direction, saturation is speed ("A Database and Evaluation Methodology for Optical
Flow", Baker et al., IJCV 2011), as the authors of MemFlow draw it.

White is no motion. Full colour is the largest speed of the frame, so that a slow movement has the colours of a fast one
and, in a frame without movement, noise has full colour.
"""

import numpy as np
import torch

# From each colour of the wheel to the next: number of entries, the channel that changes, and whether it rises.
ARCS = ((15, 1, True), (6, 0, False), (4, 2, True), (11, 1, False), (13, 0, True), (6, 2, False))
EPSILON = 1e-5  # pixels, added to the largest speed


def wheel() -> torch.Tensor:
    """The 55 colours (55, 3), from red through yellow, green, cyan, blue and magenta; 0 to 255."""
    colours, colour = [], [255, 0, 0]
    for entries, channel, rises in ARCS:
        for entry in range(entries):
            part = 255 * entry // entries
            colours.append([*colour[:channel], part if rises else 255 - part, *colour[channel + 1 :]])
        colour[channel] = 255 if rises else 0
    return torch.tensor(colours, dtype=torch.float32)


def by_fastest(flow_THWC: np.ndarray, unit: float = 1.0) -> np.ndarray:
    """Flow (T, H, W, 2) in 1 / ``unit`` pixels, divided by the largest speed of each frame."""
    fastest_T = np.linalg.norm(flow_THWC, axis=-1).max((1, 2))
    return flow_THWC / (fastest_T + EPSILON * unit)[:, None, None, None]


def colour_wheel(flow_BTHWC: torch.Tensor) -> torch.Tensor:
    """Flow (u, v) as RGB (B, T, H, W, 3), whole numbers from 0 to 255; a speed of 1 has full colour."""
    colours_NC = wheel().to(flow_BTHWC.device)
    u, v = flow_BTHWC.unbind(-1)
    speed_BTHW1 = torch.hypot(u, v)[..., None]
    place_BTHW = (torch.atan2(-v, -u) / torch.pi + 1) / 2 * (len(colours_NC) - 1)
    first_BTHW = place_BTHW.long()
    share_BTHW1 = (place_BTHW - first_BTHW)[..., None]
    second_BTHW = (first_BTHW + 1) % len(colours_NC)
    hue_BTHWC = ((1 - share_BTHW1) * colours_NC[first_BTHW] + share_BTHW1 * colours_NC[second_BTHW]) / 255
    pale_BTHWC = 1 - speed_BTHW1 * (1 - hue_BTHWC)
    return (255 * torch.where(speed_BTHW1 <= 1, pale_BTHWC, 0.75 * hue_BTHWC)).floor()
