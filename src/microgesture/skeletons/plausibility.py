"""Whether keypoints belong to the video that they come with: rules with numbers, for arrays that have been read."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..config.corpus_format import CorpusFormat, KeypointFiles
from ..config.layouts import LayoutTable
from .keypoints import LATE_ROWS, in_picture, present
from .layouts import Skeleton

if TYPE_CHECKING:
    from ..config.corpora import SkeletonStep
    from ..config.recogniser import RecogniserStep

# Hands and heads leave the picture for moments only. Keypoints of an original of twice the size have most points
# outside; those of one of 1.3 times the size a tenth.
OUTSIDE_DOUBTED, OUTSIDE_REFUSED = 0.1, 0.5
OUTSIDE_TURNED = 0.01  # share outside a picture with width and height exchanged if that is the right one
# Fractions of the picture's size go somewhat below 0 and above 1 for joints outside. Nobody is 2 pixels tall.
LARGEST_FRACTION, FRACTIONS = 2.0, 0.99
# Some methods give scores of up to 1.4 (RTMPose, OpenPose), but others percents or logits.
LARGEST_CONFIDENCE, CONFIDENCES = 2.0, 0.01
ABSENT = 0.5  # share of frames without anybody
TURNED = 0.5  # share of the frames with a head that is not above the neck
SMALLER = 0.5  # of width and height; points of a copy of half the size are within it

# Some methods place joints of seated people outside the picture, where they cannot see them.
_LEGS = ("hip", "knee", "ankle", "foot", "toe", "heel")


@dataclass(frozen=True)
class Picture:
    """The video of a file of keypoints: width and height in pixels, and number of frames; None if unknown."""

    width: int | None = None
    height: int | None = None
    frames: int | None = None

    @property
    def has_size(self) -> bool:
        """Whether width and height are known."""
        return self.width is not None and self.height is not None


class Rules(NamedTuple):
    """What the settings of a corpus say about its files of keypoints.

    ``normalized`` is true if x and y are fractions of the picture's width and height. ``row_tolerance`` is the fraction
    by which rows and frames may differ. ``layout`` names the points, None if the files tell, and ``up`` is the axis of
    points in space that points up. Tools that skip or repeat a frame at the ends differ by a few rows, and 29.97
    read as 30 frames a second by 0.1 %; the closest rates that are really mixed up, 24 and 25, differ by 4 %.
    """

    normalized: bool = False
    row_tolerance: float = 0.01
    layout: str | LayoutTable | None = None
    up: str = "y"

    @classmethod
    def of(cls, settings: "CorpusFormat | SkeletonStep | RecogniserStep", files: KeypointFiles) -> "Rules":
        """The rules in the settings of a corpus, or of a stage that reads its ``files`` of keypoints."""
        return cls(settings.normalized, settings.row_tolerance, files.layout, files.up)


DEFAULTS = Rules()


class Doubt(NamedTuple):
    """A fault of keypoints: its ``kind``, a ``text`` with the numbers, and whether they are ``refused`` for it."""

    kind: str
    text: str
    refused: bool


def doubts(skeleton: Skeleton, picture: Picture, rules: Rules = DEFAULTS) -> list[Doubt]:
    """Compare keypoints (T, V, 3 or 6), as in their file, with their picture; doubts that refuse them come first."""
    keypoints_TVC, names = skeleton.keypoints_TVC, skeleton.layout.names
    found_TV = present(keypoints_TVC)
    if not found_TV.any():
        found = [_no_person(keypoints_TVC), *_rows(len(keypoints_TVC), picture.frames, rules.row_tolerance)]
    else:
        found = [
            *_rows(len(keypoints_TVC), picture.frames, rules.row_tolerance),
            *_absence(found_TV),
            *_gaps(keypoints_TVC, names),
            *_confidences(keypoints_TVC[..., 2][found_TV]),
            *(_space(keypoints_TVC, found_TV, picture, names) if skeleton.projected else ()),
            *(() if skeleton.projected else _places(keypoints_TVC, found_TV, picture, rules.normalized, names)),
        ]
    return sorted(found, key=lambda doubt: not doubt.refused)


def in_pixels(keypoints_TVC: np.ndarray, picture: Picture) -> np.ndarray:
    """Convert x and y from fractions of the picture's size to pixels; confidence and metres are unchanged."""
    converted_TVC = keypoints_TVC.copy()
    converted_TVC[..., :2] *= np.array((picture.width, picture.height), keypoints_TVC.dtype)
    return converted_TVC


def rows_differ(rows: int, frames: int | None) -> bool:
    """Whether the number of rows is not that of the frames, up to a few at the ends; True if that is unknown."""
    return frames is None or abs(rows - frames) > LATE_ROWS


def _rows(rows: int, frames: int | None, tolerance: float) -> Iterator[Doubt]:
    if frames is not None and rows_differ(rows, frames):
        text = f"{rows} rows for a video of {frames} frames; there must be one for each frame"
        refused = abs(rows - frames) > tolerance * frames
        remedy = "; if the file begins with the video and only ends elsewhere, raise row_tolerance of the corpus"
        yield Doubt("rows", text + (remedy if refused else ""), refused)


def _no_person(keypoints_TVC: np.ndarray) -> Doubt:
    x, y, confidence = np.moveaxis(in_picture(keypoints_TVC), -1, 0)
    if np.nan_to_num(x).any() and np.nan_to_num(y).any() and not (np.nan_to_num(confidence) > 0).any():
        text = "the confidence of all points is 0, which means that none was found; write 1 for points that were"
        return Doubt("no person", text, True)
    return Doubt("no person", "no point was found in any frame; find the keypoints again", True)


def _absence(found_TV: np.ndarray) -> Iterator[Doubt]:
    absent = 1 - found_TV.any(1).mean()
    if absent > ABSENT:
        yield Doubt("no person", f"no person was found in {absent:.0%} of the frames", False)


def _gaps(keypoints_TVC: np.ndarray, names: Sequence[str]) -> Iterator[Doubt]:
    lost = np.argwhere(~np.isfinite(keypoints_TVC).all(-1))
    if len(lost):
        frame, joint = lost[0]
        text = f"{len(lost)} points have a value that is not a number, first {names[joint]} in frame {frame}"
        yield Doubt("numbers", f"{text}; clips with them are not used: write 0 where a point is missing", False)


def _confidences(confidence_N: np.ndarray) -> Iterator[Doubt]:
    if (confidence_N > LARGEST_CONFIDENCE).mean() > CONFIDENCES:
        text = f"the confidence reaches {confidence_N.max():.4g}, but it must be in the range of 0 to 1; scale it"
        yield Doubt("confidence", text, False)


def _space(keypoints_TVC: np.ndarray, found_TV: np.ndarray, picture: Picture, names: Sequence[str]) -> Iterator[Doubt]:
    if picture.has_size:
        text = "the points are in space and have no place in the picture; leave out the column video"
        yield Doubt("space", text, True)
    elif _turned(keypoints_TVC, found_TV, names):
        text = "people lie on their side or upside down; set keypoints.up of the corpus to the axis that points up"
        yield Doubt("turned", text, False)


def _places(
    keypoints_TVC: np.ndarray, found_TV: np.ndarray, picture: Picture, normalized: bool, names: Sequence[str]
) -> Iterator[Doubt]:
    points_N2 = keypoints_TVC[..., :2][found_TV]
    fractions = (np.abs(points_N2) <= LARGEST_FRACTION).all(1).mean() >= FRACTIONS
    reach = f"x reaches {points_N2[:, 0].max():.4g} and y {points_N2[:, 1].max():.4g}"
    if normalized and not picture.has_size:
        text = "normalized: true needs a video, from whose width and height x and y are converted to pixels"
        yield Doubt("normalised", text, True)
    elif normalized and not fractions:
        yield Doubt("normalised", f"{reach}, so they are no fractions of the picture; remove normalized: true", True)
    elif fractions and not normalized:
        remedy = "; if they are fractions of its width and height, set normalized: true in the settings of the corpus"
        text = f"{reach}, but they must be in pixels of the picture" + (remedy if picture.has_size else "")
        yield Doubt("normalised", text, picture.has_size)
    elif picture.has_size:
        pixels_TVC = in_pixels(keypoints_TVC, picture) if normalized else keypoints_TVC
        yield from _pixels(pixels_TVC, found_TV, picture, names)


def _pixels(keypoints_TVC: np.ndarray, found_TV: np.ndarray, picture: Picture, names: Sequence[str]) -> Iterator[Doubt]:
    upper_TV = found_TV & _above_hips(names)
    points_N2 = keypoints_TVC[..., :2][upper_TV if upper_TV.any() else found_TV]
    size_2 = np.array((picture.width, picture.height))
    outside, reach_2 = _outside(points_N2, size_2), points_N2.max(0)
    where = f"outside the picture of {picture.width} x {picture.height} pixels"
    turned = _turned(keypoints_TVC, found_TV, names)
    if turned and outside > OUTSIDE_DOUBTED and _outside(points_N2, size_2[::-1]) <= OUTSIDE_TURNED:
        text = f"{outside:.0%} of the points are {where} but inside {picture.height} x {picture.width}, and people lie"
        yield Doubt("turned", f"{text} on their side; take the keypoints of the video as it is shown, rotated", True)
        return
    if outside > OUTSIDE_DOUBTED:
        text = f"{outside:.0%} of the points are {where}, with x up to {reach_2[0]:.0f} and y up to {reach_2[1]:.0f}"
        remedy = "scale them to the video" if outside > OUTSIDE_REFUSED else "check that they are in its pixels"
        yield Doubt("outside", f"{text}; {remedy}", outside > OUTSIDE_REFUSED)
    elif (np.quantile(points_N2, 0.99, axis=0) < SMALLER * size_2).all():
        text = f"the points fill only the upper left quarter of a picture of {picture.width} x {picture.height} pixels"
        yield Doubt("small", f"{text}; check that they are not of a smaller copy", False)
    if turned:
        yield Doubt("turned", "people lie on their side or upside down; check that the points are not rotated", False)


def _outside(points_N2: np.ndarray, size_2: np.ndarray) -> float:
    """Return the share of points outside a picture; points on its edges are inside."""
    return float(((points_N2 < 0) | (points_N2 > size_2)).any(1).mean())


def _above_hips(names: Sequence[str]) -> np.ndarray:
    """Return which points of a layout are not of the legs, bool (V)."""
    return np.array([not any(part in name for part in _LEGS) for name in names])


def _turned(keypoints_TVC: np.ndarray, found_TV: np.ndarray, names: Sequence[str]) -> bool:
    """Whether the nose is not above the neck, but beside or below it, in most frames that have both."""
    if not {"nose", "neck"} <= set(names):
        return False
    nose, neck = names.index("nose"), names.index("neck")
    both_T = found_TV[:, nose] & found_TV[:, neck]
    x_T, y_T = (keypoints_TVC[both_T, nose, :2] - keypoints_TVC[both_T, neck, :2]).T
    return bool(both_T.any() and (-y_T < np.abs(x_T)).mean() > TURNED)
