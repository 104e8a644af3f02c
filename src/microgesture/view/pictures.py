"""Stored modalities of a clip as pictures for people to look at: pure functions of arrays."""

from collections.abc import Mapping, Sequence

import cv2
import numpy as np
import torch

from ..config.view import HeatmapView
from ..skeletons.keypoints import in_picture, present
from ..skeletons.selections import Selection
from ..streams.augment import heatmaps
from ..streams.crops import keypoints_in_box, person_square, video_box

# By the side of the person's body; the empty key is the midline.
COLOURS: Mapping[str, tuple[int, int, int]] = {"left": (255, 92, 110), "right": (30, 205, 225), "": (255, 222, 100)}
SLOWEST = 0.25  # pixels per frame, lower limit of the full speed: slower motion is noise of the flow estimator
FASTEST = 99  # percentile of a clip's speeds that is the full speed, so that one outlier does not make the clip pale
_FINER = 4  # fractional bits of the coordinates that OpenCV draws with


def scaled(pictures_THWC: np.ndarray, height: int, smooth: bool = True) -> np.ndarray:
    """Resize pictures uint8 (T, h, w, 3) to a height; without ``smooth``, enlarged pixels stay squares."""
    old_height, old_width = pictures_THWC.shape[1:3]
    size = max(round(old_width * height / old_height), 1), height
    enlarging = cv2.INTER_LINEAR if smooth else cv2.INTER_NEAREST
    method = cv2.INTER_AREA if height < old_height else enlarging
    return np.stack([cv2.resize(picture, size, interpolation=method) for picture in pictures_THWC])


def with_figure(pictures_THWC: np.ndarray, shares_TVC: np.ndarray, selection: Selection) -> np.ndarray:
    """Draw limbs and joints on pictures uint8 (T, H, W, 3); the person's left side is red, the right side blue.

    ``shares_TVC`` has x and y as fractions of the width and height from the upper left corner; missing joints are 0.
    """
    drawn_THWC = pictures_THWC.copy()
    height, width = drawn_THWC.shape[1:3]
    side = [name.split()[0] if name.split()[0] in COLOURS else "" for name in selection.joints]
    radius = max(height / 80, 1.0)
    found_TV = present(shares_TVC)
    # OpenCV also has whole numbers at pixel centres. Places far outside would overflow its fixed-point numbers.
    pixels_TV2 = (shares_TVC[..., :2] * (width, height) - 0.5).clip(-8 * width, 8 * width)
    fixed_TV2 = np.rint(pixels_TV2 * 2**_FINER).astype(int)
    for picture_HWC, places_V2, found_V in zip(drawn_THWC, fixed_TV2.tolist(), found_TV, strict=True):
        for a, b in selection.edges:
            if found_V[a] and found_V[b]:
                colour = COLOURS[side[a] or side[b]]
                cv2.line(picture_HWC, places_V2[a], places_V2[b], colour, 1, cv2.LINE_AA, _FINER)
        for joint in np.flatnonzero(found_V):
            colour = COLOURS[side[joint]]
            cv2.circle(
                picture_HWC, places_V2[joint], round(radius * 2**_FINER), colour, cv2.FILLED, cv2.LINE_AA, _FINER
            )
    return drawn_THWC


def with_others(pictures_THWC: np.ndarray, others_PTVC: Sequence[np.ndarray], selection: Selection) -> np.ndarray:
    """Draw the figures of other people, with shares as in ``with_figure``, in grey on black pictures."""
    for shares_TVC in others_PTVC:
        drawn_THW = with_figure(np.zeros_like(pictures_THWC), shares_TVC, selection).max(-1) // 2
        pictures_THWC = np.maximum(pictures_THWC, drawn_THW[..., None])
    return pictures_THWC


def heatmap_pictures(
    keypoints_TVC: np.ndarray,
    modality: str,
    view: HeatmapView,
    selection: Selection,
    width: int | None,
    height: int | None,
    frames_N: np.ndarray,
) -> np.ndarray:
    """The heatmaps of some frames as a network receives them in testing, uint8 (N, size, size, 3).

    ``keypoints_TVC`` are those of the whole clip in pixels of its video, which is ``width`` x ``height``. A pixel shows
    the maximum over all joints or limbs: black is 0, yellow is 1.
    """
    keypoints_TVC = in_picture(keypoints_TVC)
    video = view.beside_video
    box = video_box(keypoints_TVC, width, height, view.margin) if video else person_square(keypoints_TVC)
    shares_BNVC = torch.from_numpy(keypoints_in_box(keypoints_TVC[frames_N], box))[None]
    heat_VNHW = heatmaps(shares_BNVC, modality, view.size, view.sigma, selection)[0].numpy()
    bytes_NHW = np.rint(heat_VNHW.max(0) * 255).clip(0, 255).astype(np.uint8)
    coloured = (cv2.applyColorMap(heat_HW, cv2.COLORMAP_INFERNO) for heat_HW in bytes_NHW)
    return np.stack([cv2.cvtColor(picture_HWC, cv2.COLOR_BGR2RGB) for picture_HWC in coloured])


def brightened(pictures_THWC: np.ndarray, rest: int) -> np.ndarray:
    """Brighten pictures, uint8, by the square root of the distance from ``rest``, to which most values are close.

    For modalities with ``ModalitySettings.rest``, such as Taylor videos.
    """
    away_N = np.arange(256) - rest
    most = np.abs(away_N).max()
    table_N = rest + np.sign(away_N) * np.sqrt(np.abs(away_N) / most) * most
    return np.rint(table_N).clip(0, 255).astype(np.uint8)[pictures_THWC]


def full_speed(flow_THWC: np.ndarray) -> float:
    """The speed of a clip's flow (T, H, W, 2) that has full colour, in pixels per frame."""
    return max(float(np.percentile(np.linalg.norm(flow_THWC, axis=-1), FASTEST)), SLOWEST)


def flow_pictures(flow_THWC: np.ndarray, full: float) -> np.ndarray:
    """Flow (T, H, W, 2), u to the right and v down, as uint8 (T, H, W, 3): hue is direction, white is no motion.

    Motion to the right is red; see ``flow_wheel``. Saturation is the square root of speed / ``full``, at most 1, so
    that a slow finger stays visible beside a fast arm.
    """
    u_THW, v_THW = np.moveaxis(flow_THWC.astype(np.float32), -1, 0)
    hue_THW = np.degrees(np.arctan2(v_THW, u_THW)) % 360
    strength_THW = np.sqrt((np.hypot(u_THW, v_THW) / np.float32(full)).clip(0, 1))
    hsv_THWC = np.stack((hue_THW, strength_THW, np.ones_like(hue_THW)), -1).astype(np.float32)
    rgb = (cv2.cvtColor(hsv_HWC, cv2.COLOR_HSV2RGB) for hsv_HWC in hsv_THWC)
    return np.rint(np.stack([picture_HWC * 255 for picture_HWC in rgb])).astype(np.uint8)


def flow_wheel(size: int) -> np.ndarray:
    """The colour key of flow, uint8 (size, size, 3): each point has the colour of motion from the centre to it."""
    middle = (size - 1) / 2
    y_HW, x_HW = (np.mgrid[:size, :size] - middle) / (size / 2)
    wheel_HWC = flow_pictures(np.stack((x_HW, y_HW), -1)[None], 1.0)[0]
    wheel_HWC[np.hypot(x_HW, y_HW) > 1] = 255
    return wheel_HWC
